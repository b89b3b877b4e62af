"""The hub's token for gated weights, out of Secrets Manager."""

from __future__ import annotations

import json

import boto3
import pytest
from moto import mock_aws

from train.hub import hub_token
from train.job import JobError


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "Secrets Manager refused secret 'hub/token': ResourceNotFoundException"),
        ("hf_secret", 'is not a JSON object with "token"'),
        (json.dumps(["hf_secret"]), 'is not a JSON object with "token"'),
        (json.dumps({"token": ""}), 'is not a JSON object with "token"'),
    ],
)
def test_a_token_that_cannot_be_read_is_said_without_it(content: str | None, message: str) -> None:
    with mock_aws():
        client = boto3.client("secretsmanager", region_name="us-east-1")
        if content is not None:
            client.create_secret(Name="hub/token", SecretString=content)
        with pytest.raises(JobError, match=message) as refused:
            hub_token("hub/token", client)
    assert "hf_secret" not in str(refused.value)


def test_the_token_comes_out_of_secrets_manager() -> None:
    with mock_aws():
        client = boto3.client("secretsmanager", region_name="us-east-1")
        client.create_secret(Name="hub/token", SecretString=json.dumps({"token": "hf_secret"}))
        assert hub_token("hub/token", client) == "hf_secret"
