"""Follows the log streams of a job in CloudWatch Logs: each line once, in the order of time, as it comes."""

from collections.abc import Iterator
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from govtune_assets.pipes.aws_errors import error_code, is_passing

MAXIMUM_PAGES = 100
"""Pages of one stream in one look; the rest is read with the next."""


class LogsUnreadable(Exception):
    """The log cannot be read, now or later; the message says why."""


class LogFollower:
    """Reads what was added to the streams whose names begin with `prefix` since the last look.

    A stream's place is the service's own forward token, so that no line is read twice and none is left out. A look
    that is throttled, or comes before the stream exists, gives nothing and loses nothing.

    Args:
        client: boto3 client of CloudWatch Logs.
        group: name of the log group.
        prefix: beginning of the streams' names: a training job has one stream for each host and start.
    """

    def __init__(self, client: Any, group: str, prefix: str):
        self._client = client
        self._group = group
        self._prefix = prefix
        self._tokens: dict[str, str] = {}

    def read(self) -> list[str]:
        """The new lines, oldest first.

        Raises:
            LogsUnreadable: the service refuses, and will go on to do so.
        """
        events: list[tuple[int, str]] = []
        try:
            for stream in self._streams():
                for page in self._pages(stream):
                    events += [(event["timestamp"], event["message"]) for event in page]
        except (BotoCoreError, ClientError) as error:  # otherwise the tokens stand where they stood
            if not is_passing(error) and not _is_missing(error):
                raise LogsUnreadable(f"CloudWatch Logs refuses log group {self._group}: {error}") from error
        # Streams of several hosts are laid together by time; the sort is stable within one.
        return [message for _, message in sorted(events, key=lambda event: event[0])]

    def _streams(self) -> Iterator[str]:
        pages = self._client.get_paginator("describe_log_streams").paginate(
            logGroupName=self._group, logStreamNamePrefix=self._prefix
        )
        for page in pages:
            for stream in page["logStreams"]:
                yield stream["logStreamName"]

    def _pages(self, stream: str) -> Iterator[list[dict[str, Any]]]:
        for _ in range(MAXIMUM_PAGES):
            token = self._tokens.get(stream)
            place = {"nextToken": token} if token else {}
            answer = self._client.get_log_events(
                logGroupName=self._group, logStreamName=stream, startFromHead=True, **place
            )
            self._tokens[stream] = answer["nextForwardToken"]
            yield answer["events"]
            if answer["nextForwardToken"] == token:  # the documented sign of the end
                return


def _is_missing(error: BotoCoreError | ClientError) -> bool:
    """Whether the group or the stream is not there: the job has not written yet."""
    return isinstance(error, ClientError) and error_code(error) == "ResourceNotFoundException"
