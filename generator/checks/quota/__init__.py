"""Find the most that the functions of any template reserve, and judge whether an account can give it.

Needs neither cfn-lint nor an account: `variants` takes a parsed document. The rules in `generator.checks.rules` turn
the answers into cfn-lint findings.
"""
