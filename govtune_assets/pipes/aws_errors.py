"""Which errors of AWS pass by themselves: the same request may be answered later."""

from botocore.exceptions import BotoCoreError, ClientError

SERVER_ERRORS = 500
"""From this HTTP status on the fault is the service's."""

_THROTTLED = frozenset(
    {"ThrottlingException", "Throttling", "ThrottledException", "TooManyRequestsException", "RequestLimitExceeded"}
)


def is_passing(error: BotoCoreError | ClientError) -> bool:
    """Whether the request was throttled, met a fault of the service, or got no answer."""
    if not isinstance(error, ClientError):
        return True
    return error_code(error) in _THROTTLED or is_server_error(error)


def is_server_error(error: ClientError) -> bool:
    """Whether the service answered with a fault of its own: the request may have been done in spite of it."""
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return int(status) >= SERVER_ERRORS


def error_code(error: ClientError) -> str:
    """The service's name of the error."""
    return str(error.response.get("Error", {}).get("Code", ""))
