"""The error of a job whose message is meant for the person who reads the run."""


class JobError(Exception):
    """A job cannot go on; the message says what happened, to what, and what to do."""
