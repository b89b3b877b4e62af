"""The AWS wire: which operation a request asks for, with which parameters, and errors in that service's protocol.

It reads requests with moto's own routers and parsers over botocore's service models, so it follows each service's
protocol (query, JSON, REST-JSON, REST-XML) without knowing it.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import UnknownServiceError
from moto.core.exceptions import ServiceException
from moto.core.model import OperationModel
from moto.core.parse import PROTOCOL_PARSERS
from moto.core.request import determine_request_protocol
from moto.core.routing import get_service_router
from moto.core.serialize import get_serializer_class
from moto.core.utils import get_service_model
from moto.moto_server.werkzeug_app import BackendRequest
from werkzeug.exceptions import HTTPException

# Credential scopes carry a service's signing name; botocore and IAM policies sometimes use another.
_BOTOCORE_NAME = {"monitoring": "cloudwatch", "tagging": "resourcegroupstaggingapi"}
_IAM_PREFIX = {"monitoring": "cloudwatch", "tagging": "tag"}


class RefusedError(Exception):
    """A request that the door turns away: an AWS error code, a message and an HTTP status."""

    def __init__(self, code: str, message: str, status: int) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status


class _Refusal(ServiceException):  # type: ignore[misc]
    """The same, in the shape that moto's serializers take."""


@dataclass(frozen=True)
class Call:
    """One request as the service understands it.

    `operation` is the name in the service's model, or "" when the request fits none. `service` is botocore's name,
    `prefix` the one in IAM actions. `params` are the operation's input members; for S3 only what stands in the path,
    query and headers.
    """

    service: str
    prefix: str
    operation: str
    region: str
    request: Any
    params: Mapping[str, Any] = field(default_factory=dict)

    @property
    def action(self) -> str:
        """The operation as `prefix:Operation`."""
        return f"{self.prefix}:{self.operation}"


def request_from(environ: Mapping[str, Any], body: bytes) -> Any:
    """moto's request object over `environ`, with `body` ready to be read."""
    return BackendRequest({**environ, "wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))})


def read_call(request: Any, signing_name: str, region: str) -> Call:
    """Find out what `request` asks of the service that it was signed for.

    Raises RefusedError for a request whose parameters cannot be read.
    """
    service = _BOTOCORE_NAME.get(signing_name, signing_name)
    prefix = _IAM_PREFIX.get(signing_name, signing_name)
    try:
        operation, uri_params = get_service_router(service).match(request)
    except (UnknownServiceError, HTTPException, NotImplementedError):
        return Call(service, prefix, "", region, request)
    if service == "s3":
        params = {**request.args.to_dict(), **uri_params}
        return Call(service, prefix, operation.name, region, request, params)
    try:
        params = _parse(request, operation, uri_params)
    except (ValueError, KeyError, TypeError, AttributeError, NotImplementedError) as error:
        raise RefusedError("SerializationException", "The request could not be parsed.", 400) from error
    return Call(service, prefix, operation.name, region, request, params)


def _refuse_two_readings(request: Any, protocol: str) -> None:
    """Refuse requests that moto might read differently from the service's own protocol.

    moto looks for parameters in the query string and in forms before it looks where the protocol puts them, so a
    request that has them in two places could be judged by one and run with the other.
    """
    kind = request.mimetype
    if protocol in ("json", "rest-json") and (request.form or request.files):
        raise RefusedError("SerializationException", f"Content-Type {kind!r} is not the service's.", 400)
    if protocol == "json" and request.query_string:
        raise RefusedError("SerializationException", "A JSON request has no query string.", 400)
    if protocol in ("query", "ec2") and request.method != "GET" and request.query_string:
        raise RefusedError("MalformedQueryString", "Parameters belong in the form or the query string, not both.", 400)
    if "Action" in request.args and protocol == "rest-json":
        raise RefusedError("SerializationException", "Action is no parameter of this service.", 400)


def _parse(request: Any, operation: Any, uri_params: Mapping[str, Any]) -> dict[str, Any]:
    protocol = determine_request_protocol(operation.service_model, request.content_type)
    _refuse_two_readings(request, protocol)
    parsed = PROTOCOL_PARSERS[protocol](operation).parse(
        {
            "method": request.method,
            "values": request.values,
            "headers": request.headers,
            "body": request.get_data(),
            "url_path": request.path,
            "url_params": uri_params,
        }
    )
    return dict(parsed)


def error_response(call: Call, error: RefusedError) -> tuple[int, dict[str, str], bytes]:
    """`error` as the service of `call` would say it: status, headers, body."""
    try:
        model = get_service_model(call.service)
        operation = model.operation_model(call.operation) if call.operation else OperationModel({}, model)
        protocol = determine_request_protocol(model, call.request.content_type)
        serializer = get_serializer_class(model.service_name, protocol)(operation_model=operation)
        response = serializer.serialize(_Refusal(error.code, error.message))
    except (UnknownServiceError, NotImplementedError):
        text = json.dumps({"__type": error.code, "message": error.message})
        return error.status, {"Content-Type": "application/json", "x-amzn-ErrorType": error.code}, text.encode()
    body = response["body"]
    headers = {name: str(value) for name, value in response["headers"].items()}
    if "x-amzn-errortype" not in (name.lower() for name in headers):
        headers["x-amzn-ErrorType"] = error.code
    data = b"" if call.request.method == "HEAD" else body.encode() if isinstance(body, str) else bytes(body)
    return error.status, headers, data
