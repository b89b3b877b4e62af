"""STS: sessions with honest lifetimes, and a caller identity that is the caller's."""

from __future__ import annotations

import datetime as dt
from typing import Any

from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult
from moto.core.utils import utcnow
from moto.iam.exceptions import NotFoundException
from moto.iam.models import iam_backends
from moto.sts import responses, urls

from localcloud.aws.iam.policy import MalformedPolicyError, Policy

KEPT_AFTER_EXPIRY = dt.timedelta(days=1)
SHORTEST_SESSION_SECONDS = 900
LONGEST_SESSION_POLICY = 2048


class _SessionPolicyError(ServiceException):  # type: ignore[misc]
    code = "MalformedPolicyDocument"


class _DurationError(ServiceException):  # type: ignore[misc]
    code = "ValidationError"


class _UnsupportedError(ServiceException):  # type: ignore[misc]
    code = "AccessDenied"


class LocalTokenResponse(responses.TokenResponse):  # type: ignore[misc]
    """STS answers."""

    def assume_role(self) -> Any:
        """AssumeRole with the limits of the role and a session policy that is one.

        Sessions that ended long ago are forgotten here; until then their keys are answered with ExpiredToken.
        """
        _check_session_policy(self._get_param("Policy"))
        role_arn = self._get_param("RoleArn")
        _check_duration(self.current_account, role_arn, self._get_int_param("DurationSeconds", 3600))
        oldest = utcnow() - KEPT_AFTER_EXPIRY
        self.backend.assumed_roles[:] = [one for one in self.backend.assumed_roles if one.expiration > oldest]
        return super().assume_role()

    def get_caller_identity(self) -> Any:
        """Who signed the request."""
        caller = self.normalized_request.environ["localcloud.caller"]
        user_id = self.current_account if caller.is_root else caller.access_key_id
        return ActionResult({"UserId": user_id, "Account": self.current_account, "Arn": caller.principal.arn})

    def _unsupported(self) -> Any:
        raise _UnsupportedError("This local account opens sessions through AssumeRole only.")

    get_session_token = get_federation_token = _unsupported
    assume_role_with_saml = assume_role_with_web_identity = _unsupported


def _check_session_policy(document: str | None) -> None:
    if document is None:
        return
    if len(document) > LONGEST_SESSION_POLICY:
        raise _DurationError(f"Session policy is {len(document)} characters; at most {LONGEST_SESSION_POLICY}.")
    try:
        Policy.parse(document)
    except MalformedPolicyError as error:
        raise _SessionPolicyError(str(error)) from error


def _check_duration(account: str, role_arn: str, seconds: int) -> None:
    try:
        longest = int(iam_backends[account]["aws"].get_role_by_arn(role_arn).max_session_duration or 3600)
    except NotFoundException:
        longest = 3600
    if not SHORTEST_SESSION_SECONDS <= seconds <= longest:
        raise _DurationError(
            f"The requested DurationSeconds {seconds} is not between {SHORTEST_SESSION_SECONDS} "
            f"and the MaxSessionDuration {longest} set for this role."
        )


def install() -> None:
    """Put the extended class in the place where moto looks for its own."""
    urls.url_paths = dict.fromkeys(urls.url_paths, LocalTokenResponse.dispatch)
