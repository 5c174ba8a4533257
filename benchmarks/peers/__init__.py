"""The stack of a CloudFormation template, written for other tools: a troposphere script, a CDK app, a SAM template."""
