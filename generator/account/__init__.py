"""The live AWS account: read-only checks before a deployment, and the alerts and failed events of a stack."""
