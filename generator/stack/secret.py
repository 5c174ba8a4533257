"""The secret that senders sign with."""

from __future__ import annotations

from troposphere import AWSObject, Ref
from troposphere.secretsmanager import GenerateSecretString, Secret

from generator.stack import names


def resources() -> list[AWSObject]:
    """44 letters and digits, which are valid base64 of 33 bytes: Standard Webhooks 1.0 asks for 24 to 64."""
    return [
        Secret(
            names.SIGNING_SECRET,
            Description="Standard Webhooks signing secret, without its whsec_ prefix",
            GenerateSecretString=GenerateSecretString(ExcludePunctuation=True, PasswordLength=44),
            KmsKeyId=Ref(names.KEY),
        )
    ]
