"""Errors as the workspace's REST API answers them: `error_code`, `message` and `details` with an HTTP status.

`details` holds one `google.rpc.ErrorInfo`, which databricks-sdk reads as an error's reason and domain.
"""

from http import HTTPStatus

_ERROR_INFO = "type.googleapis.com/google.rpc.ErrorInfo"


class ApiError(Exception):
    """An answer that is an error. Its message goes to the caller: nothing secret belongs in it."""

    def __init__(self, status: HTTPStatus, error_code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.error_code = error_code
        self.message = message

    @property
    def details(self) -> list[dict[str, str]]:
        """The code once more, as the machine-readable part of the answer."""
        return [{"@type": _ERROR_INFO, "reason": self.error_code, "domain": "unity-catalog.databricks.com"}]


def invalid(message: str) -> ApiError:
    """The request itself is wrong."""
    return ApiError(HTTPStatus.BAD_REQUEST, "INVALID_PARAMETER_VALUE", message)


def unauthenticated(message: str) -> ApiError:
    """No token, or one that is not accepted."""
    return ApiError(HTTPStatus.UNAUTHORIZED, "UNAUTHENTICATED", message)


def denied(message: str) -> ApiError:
    """The principal may not. As in the real service, the message does not name the missing privilege."""
    return ApiError(HTTPStatus.FORBIDDEN, "PERMISSION_DENIED", message)


def absent(kind: str, name: str) -> ApiError:
    """No such object, or one that is hidden from the principal: the answer is the same."""
    code = f"{kind.upper().replace(' ', '_')}_DOES_NOT_EXIST"
    return ApiError(HTTPStatus.NOT_FOUND, code, f"{kind.capitalize()} '{name}' does not exist.")


def exists(kind: str, name: str) -> ApiError:
    """The name is taken."""
    return ApiError(HTTPStatus.CONFLICT, "ALREADY_EXISTS", f"{kind.capitalize()} '{name}' already exists.")


def in_use(message: str) -> ApiError:
    """The object still holds others."""
    return ApiError(HTTPStatus.CONFLICT, "RESOURCE_CONFLICT", message)
