"""Reads reserved concurrency out of any template: source -> values -> functions -> search -> worst case.

The rules in generator/rules ask these modules for facts and turn them into findings. Nothing here is a rule, so a
rule file may import it wherever this package is installed beside cfn-lint.
"""
