"""S3 transport of Pipes messages: each kind of job has a prefix, the only one on which its role has rights."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from dagster_aws.pipes import PipesS3MessageReader
from dagster_pipes import PipesParams

SPARK_PREFIX = "pipes/spark"
"""Prefix in the work bucket of contexts and messages of Spark jobs; a training job cannot write there."""
TRAINING_PREFIX = "pipes/train"
"""Prefix in the work bucket of contexts and messages of training jobs; a Spark job cannot write there."""


class PrefixedS3MessageReader(PipesS3MessageReader):
    """dagster-aws's reader, with its folder of messages under `prefix` (a kind of job and a run), not in the root."""

    def __init__(self, *, bucket: str, client: Any, prefix: str, interval: float):
        super().__init__(bucket=bucket, client=client, interval=interval, include_stdio_in_messages=True)
        self._prefix = prefix

    @contextmanager
    def get_params(self) -> Iterator[PipesParams]:
        """The job's transport parameters: bucket, key prefix, and that standard output travels too."""
        with super().get_params() as params:
            yield {**params, "key_prefix": f"{self._prefix}/{params['key_prefix']}"}
