"""The door: every request of every service passes here, is identified, judged, answered and, for S3, logged.

It is moto's own dispatcher, extended. Nothing reaches a backend unless its signature is valid and IAM allows it; one
lock lets one request at a time change the backends, which makes conditional writes atomic and snapshots consistent.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
import threading
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from moto.core.authorization import ActionAuthenticatorMixin
from moto.core.exceptions import AccessDeniedError
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from moto.s3.models import s3_backends
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.sansio.utils import get_content_length
from werkzeug.wsgi import get_input_stream

from localcloud.aws.accesslog import AccessLog
from localcloud.aws.iam.enforcement import Account, Caller
from localcloud.aws.iam.resources import deleted_keys
from localcloud.aws.s3 import REFUSED_KEYS, BodyStore
from localcloud.aws.signature import Signature, check_signature, read_signature
from localcloud.aws.state import State
from localcloud.aws.trails import Outcome, Trails, event
from localcloud.aws.wire import Call, RefusedError, error_response, read_call, request_from

log = logging.getLogger(__name__)

HEALTH = "/_localcloud/health"
LARGEST_BODY = 2**30
TRUSTED_BODY = 2**20
"""Bytes of a body that is read before it is known who sends it."""
CLOSE = ("Connection", "close")
DECIDED = "localcloud.decided"
CALLER = "localcloud.caller"
Answer = tuple[str, list[tuple[str, str]], Iterable[bytes]]
_READ_ONLY = ("Get", "Head", "List", "Describe", "Simulate", "Filter", "Decrypt", "Encrypt", "Verify", "BatchGet")
_OBJECT_CHANGES = {
    "PutObject",
    "CopyObject",
    "DeleteObject",
    "DeleteObjects",
    "CompleteMultipartUpload",
    "PutObjectAcl",
    "PutObjectLegalHold",
    "PutObjectRetention",
}
_UPLOAD_CHANGES = {
    "CreateMultipartUpload",
    "UploadPart",
    "UploadPartCopy",
    "AbortMultipartUpload",
    "CompleteMultipartUpload",
}
_NOT_AWS = ("/moto-api", "/latest/meta-data", "/latest/api", "/favicon.ico")


class Door(DomainDispatcherApplication):  # type: ignore[misc]
    """WSGI application of the local AWS endpoint."""

    def __init__(
        self,
        account: Account,
        state: State,
        store: BodyStore,
        access_log: AccessLog,
        trails: Trails,
        lock: threading.RLock,
    ) -> None:
        super().__init__(create_backend_app)
        self._account = account
        self._state = state
        self._store = store
        self._access_log = access_log
        self._trails = trails
        self._backends_lock = lock

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer one request."""
        try:
            self._refuse_by_head(environ)
            body = get_input_stream(environ, max_content_length=LARGEST_BODY).read()
        except RequestEntityTooLarge:
            status, headers, content = _plain(413, {"message": f"a body may have {LARGEST_BODY} bytes"})
            headers.append(CLOSE)
        except RefusedError as refused:
            status, headers, content = _refusal(Call("s3", "s3", "", "", request_from(environ, b"")), refused)
            headers.append(CLOSE)
        else:
            status, headers, content = self._answer(environ, body)
        start_response(status, headers)
        return content

    def _refuse_by_head(self, environ: dict[str, Any]) -> None:
        """A large body of somebody unknown is not read: bodies are held in memory. Raises RefusedError."""
        if (get_content_length(environ.get("CONTENT_LENGTH")) or 0) > TRUSTED_BODY:
            signature = _required_signature(request_from(environ, b""))
            with self._backends_lock:
                self._account.identify(signature, dt.datetime.now(dt.UTC))

    def _answer(self, environ: dict[str, Any], body: bytes) -> Answer:
        path = environ.get("PATH_INFO", "")
        if path == HEALTH:
            return _plain(200, {"service": "aws", "status": "ok"})
        if path.startswith(_NOT_AWS) or not _is_loopback_name(environ.get("HTTP_HOST", "")):
            return _plain(404, {"message": "there is nothing here; use the AWS APIs at http://127.0.0.1:PORT"})
        request = request_from(environ, body)
        call = Call("s3", "s3", "", "us-east-1", request)
        caller: Caller | None = None
        try:
            signature = _required_signature(request)
            call = Call(signature.service, signature.service, "", signature.region, request)
            now = dt.datetime.now(dt.UTC)
            call = read_call(request, signature.service, signature.region)
            with self._backends_lock:
                caller = self._account.identify(signature, now)
            check_signature(signature, caller.secret, request, body, now)
            answer = self._dispatch(environ, body, call, caller, now)
        except RefusedError as refused:
            answer = _refusal(call, refused, self._bucket_region(call))
        except Exception as error:  # a fault of this server, or a full disk: said as AWS says it, and logged here
            log.exception("%s failed", call.action)
            answer = _refusal(call, RefusedError("InternalFailure", f"{type(error).__name__} in {call.action}", 500))
        if call.service == "s3":
            self._log_s3(call, caller, answer, len(body))
        return answer

    def _dispatch(self, environ: dict[str, Any], body: bytes, call: Call, caller: Caller, now: dt.datetime) -> Answer:
        answered: list[tuple[str, list[tuple[str, str]]]] = []

        def start(status: str, headers: list[tuple[str, str]], _exc_info: Any = None) -> None:
            answered.append((status, headers))

        with self._backends_lock:
            refused = self._account.authorize(call, caller, now)
            if call.service == "cloudformation":
                _install_cloudformation()
            inner = request_from(environ, body).environ | {DECIDED: call, CALLER: caller, REFUSED_KEYS: refused}
            try:
                content = super().__call__(inner, start)
            except NotImplementedError as error:
                raise RefusedError("NotImplemented", f"The local AWS does not implement this: {error}", 501) from error
            if not call.operation.startswith(_READ_ONLY):
                self._keep(call, refused)
        status, headers = answered[0]
        return status, headers, content

    def _keep(self, call: Call, refused: frozenset[str]) -> None:
        """Have what the call changed saved before it is answered."""
        bucket = str(call.params.get("Bucket", ""))
        if call.operation == "DeleteObjects":
            deleted = {key for key, _ in deleted_keys(call.request.get_data())} - refused
            self._state.objects_changed(self._account.account, bucket, deleted)
        elif call.operation in _OBJECT_CHANGES:
            self._state.objects_changed(self._account.account, bucket, [str(call.params.get("Key", ""))])
        if call.operation in _UPLOAD_CHANGES or "x-amz-tagging" in call.request.headers:
            self._state.changed_later(call.prefix)
        elif call.operation not in _OBJECT_CHANGES:
            self._state.changed(call.prefix)
        self._store.expunge()

    def _bucket_region(self, call: Call) -> str:
        """The region that S3 names in its answer to HeadBucket, a refusal included; empty for any other call."""
        if call.operation != "HeadBucket":
            return ""
        bucket = s3_backends[self._account.account]["aws"].buckets.get(str(call.params.get("Bucket", "")))
        return str(bucket.region_name) if bucket else ""

    def _log_s3(self, call: Call, caller: Caller | None, answer: Answer, sent: int) -> None:
        headers = {name.lower(): value for name, value in answer[1]}
        received = int(headers.get("content-length", 0)) if call.request.method == "GET" else 0
        status = int(answer[0].split()[0])
        error = headers.get("x-amzn-errortype", HTTPStatus(status).phrase) if status >= HTTPStatus.BAD_REQUEST else ""
        self._trails.offer(event(call, caller, Outcome(status, error, sent, received), self._account.account))
        self._access_log.record(
            call,
            caller.principal.arn if caller else "anonymous",
            caller.access_key_id if caller else "",
            status,
            max(sent, received),
        )


def _install_cloudformation() -> None:
    # Imported with the first such request: the engine imports two dozen services, which takes seconds.
    from localcloud.aws import cloudformation

    cloudformation.install()


def _required_signature(request: Any) -> Signature:
    signature = read_signature(request)
    if signature is None:
        raise RefusedError("AccessDenied", "Access Denied: the request is not signed.", 403)
    return signature


def _is_loopback_name(host: str) -> bool:
    """A request for another host name was rebound or misrouted, and would name buckets in its host."""
    return host.rsplit(":", 1)[0] in ("127.0.0.1", "localhost")


def _status_line(status: int) -> str:
    return f"{status} {HTTPStatus(status).phrase}"


def _plain(status: int, content: dict[str, str]) -> Answer:
    data = json.dumps(content).encode()
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(data)))]
    return _status_line(status), headers, [data]


def _refusal(call: Call, refused: RefusedError, bucket_region: str = "") -> Answer:
    status, headers, data = error_response(call, refused)
    if bucket_region:
        headers["x-amz-bucket-region"] = bucket_region
    headers["Content-Length"] = str(len(data))
    return _status_line(status), list(headers.items()), [data]


def _confirm(self: Any, _iam_request_class: type, resource: str = "*") -> None:
    """moto's authorization hook: what is about to run must be what the door decided about.

    moto and the door read a request independently. Where their readings differ, the call is refused.
    """
    call: Call = self.normalized_request.environ[DECIDED]
    if call.service == "s3":
        bucket, key = call.params.get("Bucket", ""), call.params.get("Key", "")
        expected = f"{bucket}/{key}" if key else bucket or "*"
        agreed = resource.split(":::", 1)[-1] == expected
    else:
        action = self._get_action()
        agreed = (action[0] if isinstance(action, list) else action) == call.operation
    if not agreed:
        raise AccessDeniedError(user_arn="the caller", action=call.action)


def install_confirmation() -> None:
    """Put the cross-check in the place of moto's own authorization."""
    ActionAuthenticatorMixin._authenticate_and_authorize_action = _confirm
