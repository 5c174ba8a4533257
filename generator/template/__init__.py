"""Any CloudFormation or SAM template as data.

`reading` parses a file, `model` holds the template, and `evaluation` resolves Ref and every other intrinsic function.
"""
