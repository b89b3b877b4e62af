"""The model hub: where base weights come from when the job has no channel with them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from train.config import BaseModelSection
from train.job import JobError, failure_line


def from_hub(wanted: BaseModelSection, *, secrets: Any = None) -> Path:
    """Fetch the base model's folder from the model hub, at the configured revision.

    `secrets` is a boto3 Secrets Manager client, asked for the token of gated weights; None makes one where needed.

    Raises:
        JobError: the token cannot be read, or the hub refuses or cannot be reached. It never holds the token.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    token = hub_token(wanted.token_secret, secrets) if wanted.token_secret else None
    try:
        # Mistral's repositories hold the weights a second time in their own layout (consolidated*).
        folder = snapshot_download(
            wanted.name,
            revision=wanted.revision,
            allow_patterns=["*.json", "*.jinja", "*.safetensors"],
            ignore_patterns=["consolidated*"],
            token=token,
        )
    except (HfHubHTTPError, LocalEntryNotFoundError) as error:
        hint = "" if wanted.token_secret else "; gated weights need base_model.token_secret"
        raise JobError(
            f"cannot fetch {wanted.name} at {wanted.revision} from the model hub ({failure_line(error)}): "
            f"give the job a `model` channel with the folder instead{hint}"
        ) from error
    return Path(folder)


def hub_token(secret_id: str, client: Any = None) -> str:
    """The token in the Secrets Manager secret, a JSON object {"token": ...}.

    Raises:
        JobError: the secret is absent, may not be read, or has another shape; its content is not said.
    """
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    manager = client if client is not None else boto3.client("secretsmanager")
    try:
        content = json.loads(manager.get_secret_value(SecretId=secret_id)["SecretString"])
        token = content["token"]
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "error")
        raise JobError(
            f"Secrets Manager refused secret {secret_id!r}: {code}; it must exist and the training role needs "
            "secretsmanager:GetSecretValue on it (and kms:Decrypt on its key)"
        ) from None
    except BotoCoreError as error:
        raise JobError(f"Secrets Manager could not be asked for {secret_id!r} ({type(error).__name__})") from None
    except (ValueError, KeyError, TypeError):
        token = None
    if not isinstance(token, str) or not token:
        raise JobError(f'secret {secret_id!r} is not a JSON object with "token"; store it so')
    return token
