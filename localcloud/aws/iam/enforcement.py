"""The decision at the door: who signed a call, and whether the account's policies let it through.

Reads users, roles, keys and sessions from moto's IAM and STS backends; decides with `policy.decide`.
"""

from __future__ import annotations

import datetime as dt
import functools
import hmac
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from moto.iam.exceptions import NotFoundException
from moto.iam.models import iam_backends
from moto.kms.models import kms_backends
from moto.s3.models import s3_backends
from moto.secretsmanager.models import secretsmanager_backends
from moto.sts.models import sts_backends

from localcloud.aws.iam.policy import (
    Decision,
    Demand,
    MalformedPolicyError,
    Policy,
    Principal,
    ResourceAnswer,
    Verdict,
    decide,
    evaluate_resource_policy,
)
from localcloud.aws.iam.resources import demands
from localcloud.aws.signature import Signature
from localcloud.aws.wire import Call, RefusedError

_ALWAYS_ALLOWED = {"sts:GetCallerIdentity"}
_PARTITION = "aws"


@dataclass(frozen=True)
class RootCredentials:
    """The account root's key."""

    access_key_id: str
    secret_access_key: str = field(repr=False)


@dataclass(frozen=True)
class Caller:
    """Who signed a call, with what is needed to check the signature and to decide."""

    principal: Principal
    access_key_id: str
    secret: str = field(repr=False)
    token: str | None = field(default=None, repr=False)
    expires: dt.datetime | None = None
    user: str | None = None
    role: str | None = None
    session_policy: Policy | None = None
    is_root: bool = False
    user_id: str = ""


@dataclass(frozen=True)
class _Held:
    """What a caller holds: its identity policies, its permissions boundary and its tags."""

    policies: Sequence[Policy] = ()
    boundary: Policy | None = None
    tags: Mapping[str, str] = field(default_factory=dict)


@functools.lru_cache(maxsize=1024)
def _parsed(document: str) -> Policy:
    return Policy.parse(document)


def _document(raw: Any) -> Policy:
    return _parsed(raw) if isinstance(raw, str) else Policy.parse(raw)


class Account:
    """IAM of one account: finds callers, evaluates their calls, and opens sessions for services."""

    def __init__(self, account: str, root: RootCredentials) -> None:
        self.account = account
        self._root = root

    # --- backends -----------------------------------------------------------------------------------------------

    @property
    def _iam(self) -> Any:
        return iam_backends[self.account][_PARTITION]

    @property
    def _sts(self) -> Any:
        return sts_backends[self.account][_PARTITION]

    # --- names (resources.Names) --------------------------------------------------------------------------------

    def secret(self, region: str, secret_id: str) -> str:
        """The ARN of a secret; for one that does not exist, the ARN it would have, with an open suffix."""
        for one in list(secretsmanager_backends[self.account][region].secrets.values()):
            if secret_id in (one.name, one.arn):
                return str(one.arn)
        prefix = f"arn:aws:secretsmanager:{region}:{self.account}:secret:"
        return secret_id if secret_id.startswith("arn:") else f"{prefix}{secret_id}-??????"

    def role(self, name: str) -> str:
        """The ARN of a role by its name."""
        try:
            return str(self._iam.get_role(name).arn)
        except NotFoundException:
            return f"arn:aws:iam::{self.account}:role/{name}"

    def user(self, name: str) -> str:
        """The ARN of a user by its name."""
        found = self._iam.users.get(name)
        return str(found.arn) if found else f"arn:aws:iam::{self.account}:user/{name}"

    def key(self, region: str, key_id: str) -> str:
        """The ARN of a KMS key by its id, ARN, alias name or alias ARN."""
        if key_id.startswith("arn:") and ":alias/" not in key_id:
            return key_id
        resolved = kms_backends[self.account][region].any_id_to_key_id(key_id)
        return f"arn:aws:kms:{region}:{self.account}:key/{resolved}"

    # --- identification -----------------------------------------------------------------------------------------

    def identify(self, signature: Signature, now: dt.datetime) -> Caller:
        """The caller behind a signature's access key. Raises RefusedError for unknown or expired credentials."""
        caller = self._find(signature.access_key_id)
        if caller is None:
            raise _unknown_key(signature)
        if caller.expires is not None and now >= caller.expires:
            raise _expired(signature)
        if not _same(caller.token, signature.token):
            raise _wrong_token(signature)
        return caller

    def _find(self, access_key_id: str) -> Caller | None:
        if access_key_id == self._root.access_key_id:
            arn = f"arn:aws:iam::{self.account}:root"
            principal = Principal(arn, self.account, (arn,))
            secret = self._root.secret_access_key
            return Caller(principal, access_key_id, secret, is_root=True, user_id=self.account)
        session = self._sts.get_assumed_role_from_access_key(access_key_id)
        if session is not None:
            return self._session(session)
        for user in list(self._iam.users.values()):
            for key in user.access_keys:
                if key.access_key_id == access_key_id and key.status == "Active":
                    principal = Principal(user.arn, self.account, (user.arn,))
                    secret = key.secret_access_key
                    return Caller(principal, access_key_id, secret, user=user.name, user_id=user.id)
        return None

    def _session(self, session: Any) -> Caller:
        return Caller(
            principal=Principal(session.arn, self.account, (session.arn, session.role_arn)),
            access_key_id=session.access_key_id,
            secret=session.secret_access_key,
            token=session.session_token,
            expires=session.expiration.replace(tzinfo=dt.UTC),
            role=session.role_arn.rsplit("/", 1)[-1],
            session_policy=_document(session.policy) if session.policy else None,
            user_id=session.user_id,
        )

    # --- decision -----------------------------------------------------------------------------------------------

    def authorize(self, call: Call, caller: Caller, now: dt.datetime) -> frozenset[str]:
        """Let `call` through or raise RefusedError with IAM's message, or for what the account could not keep.

        Returns the keys of a DeleteObjects call that the caller may not delete: S3 answers those one by one.
        """
        if call.action in _ALWAYS_ALLOWED:
            return frozenset()
        held = self._held(caller)
        context = _request_context(call, caller, held, now)
        refused: set[str] = set()
        for demand in demands(call, self):
            asked = demand.with_context(context)
            verdict = self._verdict(asked, caller, held)
            if verdict.allowed:
                continue
            if call.operation == "DeleteObjects":
                refused.add(asked.resource.split(":::", 1)[1].partition("/")[2])
                continue
            raise access_denied(call, caller.principal, asked, verdict)
        _refuse_boundary_of_a_user(call)
        return frozenset(refused)

    def _verdict(self, demand: Demand, caller: Caller, held: _Held) -> Verdict:
        resource = self._resource_policy(demand)
        assuming = demand.action == "sts:AssumeRole"
        if assuming:
            answer = ResourceAnswer()
            if resource is not None:
                bounded = held.boundary is not None
                answer = evaluate_resource_policy(resource, caller.principal, demand, bounded=bounded)
            if answer.decision is not Decision.ALLOWED:
                return Verdict(answer.decision, "because the role's trust policy does not let this principal assume it")
        if caller.is_root:
            return Verdict(Decision.ALLOWED)
        return decide(
            demand,
            caller.principal,
            identity=held.policies,
            boundary=held.boundary,
            session=caller.session_policy,
            resource=resource,
            needs_trust=assuming or (resource is not None and demand.resource.startswith("arn:aws:kms:")),
        )

    def _resource_policy(self, demand: Demand) -> Policy | None:
        """The policy of the bucket, key or secret that a demand names, or the trust policy of a role to assume."""
        if demand.action == "sts:AssumeRole":
            return self._trust_policy(demand.resource)
        service, region, name = _arn_parts(demand.resource)
        document: Any = None
        if service == "s3":
            bucket = s3_backends[self.account][_PARTITION].buckets.get(name.partition("/")[0])
            document = bucket.policy.decode() if bucket is not None and bucket.policy is not None else None
        elif service == "kms":
            key = kms_backends[self.account][region].keys.get(name.removeprefix("key/"))
            document = key.policy if key is not None else None
        elif service == "secretsmanager":
            secrets = list(secretsmanager_backends[self.account][region].secrets.values())
            document = next((one.policy for one in secrets if one.arn == demand.resource), None)
        return _document(document) if document else None

    def _trust_policy(self, role_arn: str) -> Policy | None:
        try:
            return _document(self._iam.get_role_by_arn(role_arn).assume_role_policy_document)
        except NotFoundException:
            return None

    def _held(self, caller: Caller) -> _Held:
        if caller.is_root:
            return _Held()
        if caller.user is not None:
            user = self._iam.users[caller.user]
            groups = self._iam.get_groups_for_user(caller.user)
            tags = self._iam.list_user_tags(caller.user)
            return _Held(tuple(self._policies(user, *groups)), tags=_tags(tags))
        try:
            role = self._iam.get_role(caller.role)
        except NotFoundException:  # a session outlives its role, without permissions
            return _Held()
        tags, _ = self._iam.list_role_tags(caller.role, marker=None)
        return _Held(tuple(self._policies(role)), self._boundary(role.permissions_boundary_arn), _tags(tags))

    def _boundary(self, arn: str | None) -> Policy | None:
        if not arn:
            return None
        try:
            return self._managed(self._iam.get_policy(arn))
        except NotFoundException:  # a boundary that is gone bounds everything
            return Policy(())

    def _policies(self, *holders: Any) -> Iterator[Policy]:
        for holder in holders:
            yield from map(_document, holder.policies.values())
            yield from map(self._managed, holder.managed_policies.values())

    @staticmethod
    def _managed(policy: Any) -> Policy:
        return _document(next(one.document for one in policy.versions if one.is_default))

    # --- sessions of services -----------------------------------------------------------------------------------

    def open_service_session(self, service: str, role_arn: str, session_name: str, source_arn: str, region: str) -> Any:
        """Assume a job's role as the AWS service `service` does, if the role trusts it.

        Returns moto's session with its credentials. Raises RefusedError when the role is missing or trusts others.
        """
        trust = self._trust_policy(role_arn)
        principal = Principal(service, service=service)
        context = {"aws:sourceaccount": (self.account,), "aws:sourcearn": (source_arn,)}
        demand = Demand("sts:AssumeRole", "", context)
        answer = evaluate_resource_policy(trust, principal, demand) if trust else ResourceAnswer()
        if answer.decision is not Decision.ALLOWED:
            raise RefusedError(
                "ValidationException",
                f"Could not assume role {role_arn}. Please ensure that the role exists and allows principal "
                f"'{service}' to assume the role.",
                400,
            )
        return self._sts.assume_role(
            region_name=region,
            role_session_name=session_name[:64],
            role_arn=role_arn,
            policy=None,
            duration=12 * 3600,
            external_id=None,
        )


def _refuse_boundary_of_a_user(call: Call) -> None:
    """moto keeps permissions boundaries of roles alone; one of a user would be taken and then bound nothing."""
    bounded = call.action == "iam:CreateUser" and "PermissionsBoundary" in call.params
    if bounded or call.operation in ("PutUserPermissionsBoundary", "DeleteUserPermissionsBoundary"):
        text = f"The local AWS does not implement permissions boundaries of users ({call.operation})."
        raise RefusedError("NotImplemented", text, 501)


def _same(expected: str | None, given: str | None) -> bool:
    return hmac.compare_digest((expected or "").encode(), (given or "").encode())


# AWS's codes for bad credentials differ by protocol: S3, the query services, and the JSON services.
_QUERY_SERVICES = ("sts", "iam", "ec2", "cloudformation", "sns", "monitoring")


def _by_protocol(signature: Signature, s3: str, query: str, other: str) -> str:
    return s3 if signature.service == "s3" else query if signature.service in _QUERY_SERVICES else other


def _unknown_key(signature: Signature) -> RefusedError:
    if signature.service == "s3":
        text = "The AWS Access Key Id you provided does not exist in our records."
        return RefusedError("InvalidAccessKeyId", text, 403)
    code = _by_protocol(signature, "", "InvalidClientTokenId", "UnrecognizedClientException")
    status = 403 if code == "InvalidClientTokenId" else 400
    return RefusedError(code, "The security token included in the request is invalid.", status)


def _expired(signature: Signature) -> RefusedError:
    code = _by_protocol(signature, "ExpiredToken", "ExpiredToken", "ExpiredTokenException")
    status = 403 if signature.service in _QUERY_SERVICES else 400
    return RefusedError(code, "The provided token has expired.", status)


def _wrong_token(signature: Signature) -> RefusedError:
    if signature.service == "s3":
        return RefusedError("InvalidToken", "The provided token is malformed or otherwise invalid.", 400)
    return _unknown_key(signature)


def _tags(listed: Sequence[Mapping[str, str]]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in listed}


def _arn_parts(arn: str) -> tuple[str, str, str]:
    """Service, region and resource of an ARN; empty for what is none."""
    match arn.split(":", 5):
        case ["arn", _, service, region, _, resource]:
            return service, region, resource
    return "", "", ""


def _request_context(call: Call, caller: Caller, held: _Held, now: dt.datetime) -> dict[str, tuple[str, ...]]:
    """The global condition keys of a call. Loopback stands for the TLS endpoint, so SecureTransport is true."""
    context: dict[str, tuple[str, ...]] = {
        "aws:principalarn": (caller.principal.matches[-1],),
        "aws:principalaccount": (caller.principal.account or "",),
        "aws:principaltype": ("Account" if caller.is_root else "User" if caller.user else "AssumedRole",),
        "aws:requestedregion": (call.region,),
        "aws:securetransport": ("true",),
        "aws:sourceip": (str(call.request.remote_addr or "127.0.0.1"),),
        "aws:currenttime": (now.isoformat(),),
        "aws:epochtime": (str(int(now.timestamp())),),
        "aws:useragent": (str(call.request.headers.get("User-Agent", "")),),
        "aws:userid": (caller.user_id,),
        "aws:viaawsservice": ("false",),
        "aws:principalisawsservice": ("false",),
        **{f"aws:principaltag/{name.lower()}": (value,) for name, value in held.tags.items()},
    }
    if caller.user is not None:
        context["aws:username"] = (caller.user,)
    return context


def access_denied(call: Call, principal: Principal, demand: Demand, verdict: Verdict) -> RefusedError:
    """The refusal in the service's words: S3 and the query services say AccessDenied, the others ...Exception."""
    message = (
        f"User: {principal.arn} is not authorized to perform: {demand.action} "
        f"on resource: {demand.resource} {verdict.reason}"
    )
    short = call.service in ("s3", "iam", "sts", "cloudwatch", "sns", "cloudformation")
    code = "UnauthorizedOperation" if call.service == "ec2" else "AccessDenied" if short else "AccessDeniedException"
    return RefusedError(code, message, 403 if short or call.service in ("ec2", "emr-serverless") else 400)


def malformed_policy(document: str) -> str | None:
    """Why `document` is no policy, or None when it is one."""
    try:
        Policy.parse(document)
    except MalformedPolicyError as error:
        return str(error)
    return None
