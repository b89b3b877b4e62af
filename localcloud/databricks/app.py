"""The ASGI application: sign-in, routing, one transaction a request, errors and the audit log."""

import base64
import binascii
import logging
import urllib.parse
from dataclasses import replace
from http import HTTPStatus
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route as WebRoute

from localcloud.databricks import audit, oauth
from localcloud.databricks.errors import ApiError, invalid, unauthenticated
from localcloud.databricks.routes import ALL
from localcloud.databricks.web import Call, Json, Notes, Route, parse_body
from localcloud.databricks.workspace import WORKSPACE_ID, Workspace

log = logging.getLogger(__name__)

MAX_BODY_BYTES = 4 * 1024 * 1024
_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


def create_app(workspace: Workspace) -> Starlette:
    """The application over an open workspace."""

    async def answer(request: Request) -> Response:
        try:
            _require_loopback_host(request)
            raw = await _read_body(request)
        except ApiError as error:
            return _error(error)
        except ClientDisconnect:
            return Response(status_code=HTTPStatus.BAD_REQUEST)
        return await run_in_threadpool(_answer, workspace, request, raw)

    return Starlette(routes=[WebRoute("/{path:path}", answer, methods=_METHODS)])


def _require_loopback_host(request: Request) -> None:
    # A page in a browser can reach loopback under a name of its own choice; such a name is refused.
    host = request.headers.get("host", "").rsplit(":", 1)[0] if "]" not in request.headers.get("host", "") else "[::1]"
    if host not in _LOOPBACK:
        raise ApiError(HTTPStatus.FORBIDDEN, "PERMISSION_DENIED", "This workspace answers at loopback addresses only.")


async def _read_body(request: Request) -> bytes:
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > MAX_BODY_BYTES:
            raise ApiError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "REQUEST_LIMIT_EXCEEDED", "the body is too large")
        chunks.append(chunk)
    return b"".join(chunks)


def _error(error: ApiError) -> Response:
    return JSONResponse(
        {"error_code": error.error_code, "message": error.message, "details": error.details}, status_code=error.status
    )


def _answer(workspace: Workspace, request: Request, raw: bytes) -> Response:
    try:
        public = _public(workspace, request, raw)
        if public is not None:
            return public
        return JSONResponse(_handle(workspace, request, raw))
    except ApiError as error:
        return _error(error)
    except Exception:
        log.exception("%s %s failed", request.method, request.url.path)
        return _error(
            ApiError(HTTPStatus.INTERNAL_SERVER_ERROR, "INTERNAL_ERROR", "The workspace failed; see its log.")
        )


def _public(workspace: Workspace, request: Request, raw: bytes) -> Response | None:
    """What needs no token: health, discovery, keys and sign-in."""
    host, path = workspace.settings.host, request.url.path
    documents: dict[str, Json] = {
        "/_localcloud/health": {"service": "databricks", "status": "ok"},
        "/.well-known/databricks-config": {
            "oidc_endpoint": f"{host}/oidc",
            "workspace_id": WORKSPACE_ID,
            "cloud": "AWS",
        },
        "/oidc/jwks.json": workspace.tokens.jwks(),
    }
    for name in ("oauth-authorization-server", "openid-configuration"):
        documents[f"/oidc/.well-known/{name}"] = {
            "issuer": workspace.tokens.issuer,
            "authorization_endpoint": f"{host}/oidc/v1/authorize",
            "token_endpoint": f"{host}/oidc/v1/token",
            "jwks_uri": f"{host}/oidc/jwks.json",
            "grant_types_supported": ["client_credentials"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        }
    if request.method == "GET" and path in documents:
        return JSONResponse(documents[path])
    if request.method == "POST" and path == "/oidc/v1/token":
        return _sign_in(workspace, request, raw)
    return None


def _sign_in(workspace: Workspace, request: Request, raw: bytes) -> Response:
    """OAuth 2.0 client credentials (RFC 6749, section 4.4), the client named in the header or in the form."""
    try:
        form = dict(urllib.parse.parse_qsl(raw.decode(), strict_parsing=True, max_num_fields=20)) if raw else {}
        client_id, client_secret = _client(request, form)
    except (ValueError, binascii.Error):
        return _oauth_error(HTTPStatus.BAD_REQUEST, "invalid_request")
    if form.get("grant_type") != "client_credentials":
        return _oauth_error(HTTPStatus.BAD_REQUEST, "unsupported_grant_type")
    with workspace.store.transaction() as db:
        accepted = oauth.check_secret(db, client_id, client_secret)
    status = HTTPStatus.OK if accepted else HTTPStatus.UNAUTHORIZED
    audit.record(
        workspace.store,
        principal=client_id,
        action="oidcTokenAuthorization",
        notes=Notes(),
        user_agent=request.headers.get("user-agent", ""),
        decision="ALLOW" if accepted else "DENY",
        status=status,
    )
    if not accepted:
        return _oauth_error(status, "invalid_client")
    scope = form.get("scope", "all-apis")
    answer = {
        "access_token": workspace.tokens.issue(client_id, scope),
        "token_type": "Bearer",
        "expires_in": workspace.tokens.seconds,
        "scope": scope,
    }
    return JSONResponse(answer, headers={"Cache-Control": "no-store"})


def _client(request: Request, form: dict[str, str]) -> tuple[str, str]:
    header = request.headers.get("authorization", "")
    if header.lower().startswith("basic "):
        pair = base64.b64decode(header[6:], validate=True).decode()
        client_id, _, client_secret = pair.partition(":")
        return urllib.parse.unquote(client_id), urllib.parse.unquote(client_secret)
    return form.get("client_id", ""), form.get("client_secret", "")


def _oauth_error(status: HTTPStatus, error: str) -> Response:
    return JSONResponse({"error": error, "error_description": "Client authentication failed"}, status_code=status)


def _find(method: str, path: str) -> tuple[Route, dict[str, str]]:
    for route in ALL:
        if route.method == method and (match := route.pattern.fullmatch(path)):
            return route, match.groupdict()
    raise ApiError(HTTPStatus.NOT_FOUND, "ENDPOINT_NOT_FOUND", f"No API found for '{method} {path}'")


def _handle(workspace: Workspace, request: Request, raw: bytes) -> Json:
    principal = _signed_in(workspace, request.headers.get("authorization", ""))
    route, parameters = _find(request.method, request.url.path)
    notes = Notes()
    call = Call(
        workspace=workspace,
        principal=principal,
        method=request.method,
        path=request.url.path,
        query=dict(request.query_params),
        body={},
        user_agent=request.headers.get("user-agent", ""),
        notes=notes,
    )
    status: int = HTTPStatus.INTERNAL_SERVER_ERROR
    try:
        body = _run(route, replace(call, body=parse_body(raw)), parameters)
        status = HTTPStatus.OK
        return body
    except ApiError as error:
        status = error.status
        raise
    finally:
        audit.record(
            workspace.store,
            principal=principal,
            action=route.action,
            notes=notes,
            user_agent=call.user_agent,
            decision=_decision(status),
            status=status,
        )


def _decision(status: int) -> str:
    if status == HTTPStatus.OK:
        return "ALLOW"
    return "DENY" if status in {HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND} else "ERROR"


def _run(route: Route, call: Call, parameters: dict[str, Any]) -> Json:
    if any("\x00" in value for value in [*parameters.values(), *call.query.values()]):
        raise invalid("names have no NUL character")
    if route.own_transactions:
        return route.handler(call, **parameters)
    with call.workspace.store.transaction() as db:
        return route.handler(replace(call, database=db), **parameters)


def _signed_in(workspace: Workspace, header: str) -> str:
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise unauthenticated("A bearer token is required.")
    principal = workspace.tokens.verify(token.strip())
    with workspace.store.transaction() as db:
        if not oauth.is_active(db, principal):
            raise unauthenticated("The service principal of this token does not exist any more.")
    return principal
