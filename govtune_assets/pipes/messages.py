"""S3 transport of Pipes messages: each kind of job has a prefix, the only one on which its role has rights."""

import datetime as dt
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from dagster_aws.pipes import PipesS3MessageReader
from dagster_pipes import PIPES_PROTOCOL_VERSION, PIPES_PROTOCOL_VERSION_FIELD, PipesBlobStoreMessageWriter, PipesParams

SPARK_PREFIX = "pipes/spark"
"""Prefix in the work bucket of contexts and messages of Spark jobs; a training job cannot write there."""
TRAINING_PREFIX = "pipes/train"
"""Prefix in the work bucket of contexts and messages of training jobs; a Spark job cannot write there."""

_MISSING = frozenset({"NoSuchKey", "404", "AccessDenied", "403"})
"""How S3 says that an object is not there; without the right to list, as a refusal."""

_NOTHING_MORE = json.dumps({PIPES_PROTOCOL_VERSION_FIELD: PIPES_PROTOCOL_VERSION, "method": "closed", "params": None})
"""Stands for the `closed` of a container that was killed, or never ran: nobody is left to write it."""


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


class RestartableS3MessageReader(PipesS3MessageReader):
    """Reads the messages of a job whose container may be started several times, as after a spot interruption.

    Each container writes its chunks of messages under the same keys, 1.json, 2.json and so on, and ends with the
    message `closed`, upon which Dagster stops reading. So the client says when a new container began (`restarted`):
    chunks are read from the first again, and those written before that moment are passed over. `closed` is held back
    until the client says that the job is over (`job_ended`).

    The prefix is given, not random: who finds a job running already under the same name reads its messages too.

    Args:
        bucket: name of the bucket.
        client: boto3 client of S3.
        prefix: key prefix of this job's messages alone.
        interval: seconds between two looks for a new chunk.
    """

    def __init__(self, *, bucket: str, client: Any, prefix: str, interval: float):
        super().__init__(bucket=bucket, client=client, interval=interval, include_stdio_in_messages=False)
        self._prefix = prefix
        self._changing = threading.Lock()
        self._since: dt.datetime | None = None
        self._late: list[str] = []
        self._closed = ""
        self._ended = False

    @contextmanager
    def get_params(self) -> Iterator[PipesParams]:
        """The job's transport parameters. Standard output does not travel: it is read from the job's log."""
        yield {
            "bucket": self.bucket,
            "key_prefix": self._prefix,
            PipesBlobStoreMessageWriter.INCLUDE_STDIO_IN_MESSAGES_KEY: False,
        }

    def restarted(self, since: dt.datetime) -> None:
        """A new container writes from `since` on."""
        with self._changing:
            self._late, _ = self._drain()
            self.counter = 1
            self._since = since.replace(microsecond=0)  # S3 dates objects by the second

    def job_ended(self) -> None:
        """Nothing is written any more."""
        with self._changing:
            self._ended = True

    def messages_are_readable(self, params: PipesParams) -> bool:
        """Always: a chunk that is missing is looked for again."""
        return True

    def download_messages(  # type: ignore[override]
        self, cursor: int | None, params: PipesParams
    ) -> tuple[int, str] | None:
        """All chunks that have come since the last look, without `closed` while the job goes on."""
        with self._changing:
            lines, complete = self._drain()
            lines = [*self._late, *lines]
            self._late = []
            if self._ended and complete:
                lines.append(self._closed or _NOTHING_MORE)
        return (self.counter, "\n".join(lines)) if lines else None

    def _drain(self) -> tuple[list[str], bool]:
        """The messages of all chunks that are there, and whether S3 said that there are no more."""
        lines: list[str] = []
        while True:
            try:
                found = self.client.get_object(Bucket=self.bucket, Key=f"{self._prefix}/{self.counter}.json")
                if self._since is not None and found["LastModified"] < self._since:
                    return lines, True
                text = found["Body"].read().decode("utf-8")
            except ClientError as error:
                return lines, error.response["Error"]["Code"] in _MISSING
            except BotoCoreError:  # no connection: the next look asks again
                return lines, False
            self.counter += 1
            for line in text.splitlines():
                if _is_closed(line):
                    self._closed = line
                else:
                    lines.append(line)


def _is_closed(line: str) -> bool:
    try:
        message = json.loads(line)
    except ValueError:
        return False
    return isinstance(message, dict) and message.get("method") == "closed"
