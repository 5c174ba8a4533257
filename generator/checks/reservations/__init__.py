"""Reads reserved concurrency out of any template: deployments -> values -> functions -> search -> worst case.

The rules in generator/rules ask these modules for facts and turn them into findings. Nothing here is a rule, so a
rule file may import it; nothing here, nor what it imports, needs more than cfn-lint brings.
"""
