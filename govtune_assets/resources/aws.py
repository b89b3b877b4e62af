"""boto3 clients of one region; addresses and credentials come from the standard AWS variables."""

from typing import Any

import boto3
import dagster as dg
from botocore.config import Config

SESSION_NAME = "govtune-preflight"
SESSION_SECONDS = 900


class AwsResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Hands out boto3 clients with the orchestrator's own role, which has no rights on table data."""

    region: str

    def client(self, service: str) -> Any:
        """A new boto3 client of `service` (boto3 sessions are not shared between threads)."""
        return boto3.session.Session(region_name=self.region).client(
            service, config=Config(retries={"mode": "standard", "max_attempts": 5})
        )

    def client_as(self, role_arn: str, service: str) -> Any:
        """A client of `service` for a quarter of an hour as another role, under this session's name in CloudTrail.

        Raises:
            botocore.exceptions.ClientError: this process may not assume the role.
        """
        assumed = self.client("sts").assume_role(
            RoleArn=role_arn, RoleSessionName=SESSION_NAME, DurationSeconds=SESSION_SECONDS
        )["Credentials"]
        session = boto3.session.Session(
            aws_access_key_id=assumed["AccessKeyId"],
            aws_secret_access_key=assumed["SecretAccessKey"],
            aws_session_token=assumed["SessionToken"],
            region_name=self.region,
        )
        return session.client(service)
