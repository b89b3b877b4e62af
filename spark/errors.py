"""The error of a job whose message is meant for the person who reads the run, and how it is known in a trace."""

from __future__ import annotations

import re


class JobError(Exception):
    """A job cannot go on; the message says what happened, to what, and what to do."""


_RAISED = re.compile(rf"^{re.escape(JobError.__module__)}\.{JobError.__name__}: (.+)$", re.MULTILINE)


def raised_in_executor(trace: str) -> str | None:
    """The message of a JobError that a function of ours raised in an executor, out of Spark's error; None for others.

    Spark brings such an error to the driver as the text of its traceback.
    """
    found = _RAISED.search(trace)
    return found and found[1].strip()
