"""S3 transport of Pipes messages, kept under one prefix so that a job role needs rights on that prefix only."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from dagster_aws.pipes import PipesS3MessageReader
from dagster_pipes import PipesParams

PIPES_PREFIX = "pipes"
"""Prefix in the work bucket under which contexts and messages live."""


class PrefixedS3MessageReader(PipesS3MessageReader):
    """dagster-aws's reader, with its message folder under `pipes/<run id>/` instead of the bucket's root."""

    def __init__(self, *, bucket: str, client: Any, run_id: str, interval: float):
        super().__init__(bucket=bucket, client=client, interval=interval, include_stdio_in_messages=True)
        self._run_id = run_id

    @contextmanager
    def get_params(self) -> Iterator[PipesParams]:
        """The job's transport parameters: bucket, key prefix, and that standard output travels too."""
        with super().get_params() as params:
            yield {**params, "key_prefix": f"{PIPES_PREFIX}/{self._run_id}/{params['key_prefix']}"}
