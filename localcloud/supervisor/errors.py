"""Failures of the local cloud that its user can mend; the message says how."""


class LocalCloudError(Exception):
    """The local cloud could not do what was asked."""


class AlreadyRunning(LocalCloudError):
    """Another supervisor holds the state folder."""


class Stopped(BaseException):
    """The user or the system asked the supervisor to stop; raised out of a signal handler."""
