"""boto3 clients of one region; addresses and credentials come from the standard AWS variables."""

from typing import Any

import boto3
import dagster as dg
from botocore.config import Config


class AwsResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Hands out boto3 clients with the orchestrator's own role, which has no rights on table data."""

    region: str

    def client(self, service: str) -> Any:
        """A new boto3 client of `service` (boto3 sessions are not shared between threads)."""
        return boto3.session.Session(region_name=self.region).client(
            service, config=Config(retries={"mode": "standard", "max_attempts": 5})
        )
