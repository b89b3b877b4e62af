"""Service principals, read out of AWS Secrets Manager.

A secret is a JSON object `{"client_id": str, "client_secret": str}` under a name that says its purpose, such
as `databricks/trainer`. Neither the secret nor anything made from it may be printed or raised.
"""

import json
from dataclasses import dataclass, field
from typing import Any


class SecretUnusable(Exception):
    """The secret is absent, may not be read, or has another shape."""


@dataclass(frozen=True)
class ServicePrincipal:
    """Who asks the catalog: an OAuth client. `purpose` is the name that people know it by."""

    client_id: str
    client_secret: str = field(repr=False)
    purpose: str = ""

    def __str__(self) -> str:
        if self.purpose:
            return f"{self.purpose} (service principal {self.client_id})"
        return f"service principal {self.client_id}"


def load_principal(secret_id: str, *, client: Any = None) -> ServicePrincipal:
    """Read the service principal kept under `secret_id`; `client` is a boto3 Secrets Manager client.

    Raises:
        SecretUnusable: says which secret and what to do, never its content.
    """
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    manager = client if client is not None else boto3.client("secretsmanager")
    try:
        text = manager.get_secret_value(SecretId=secret_id).get("SecretString", "")
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "error")
        raise SecretUnusable(
            f"Secrets Manager refused secret {secret_id!r}: {code}; the secret must exist and this role "
            "needs secretsmanager:GetSecretValue on it (and kms:Decrypt on its key)"
        ) from None
    except BotoCoreError as error:
        raise SecretUnusable(
            f"Secrets Manager could not be asked for {secret_id!r} ({type(error).__name__}): "
            "check this process's AWS credentials, region and endpoint"
        ) from None
    return _parse(secret_id, text)


def _parse(secret_id: str, text: str) -> ServicePrincipal:
    try:
        content = json.loads(text)
        client_id, client_secret = content["client_id"], content["client_secret"]
    except (ValueError, KeyError, TypeError):
        client_id = client_secret = None
    if not (isinstance(client_id, str) and isinstance(client_secret, str) and client_id and client_secret):
        raise SecretUnusable(
            f'secret {secret_id!r} is not a JSON object with "client_id" and "client_secret"; store it so'
        ) from None
    return ServicePrincipal(client_id=client_id, client_secret=client_secret, purpose=secret_id)
