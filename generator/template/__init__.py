"""Any CloudFormation or SAM template as data."""
