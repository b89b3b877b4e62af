"""Start the local workspace: `python -m localcloud.databricks --port N --state DIR …`."""

import argparse
import logging
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn

from localcloud.databricks.app import create_app
from localcloud.databricks.workspace import BadCredentialsFile, Settings, open_delivery, open_workspace
from localcloud.process import die_with_parent

LOOPBACK = "127.0.0.1"


class PortTaken(Exception):
    """Something else listens on the port."""


class _Server(uvicorn.Server):
    """uvicorn ends by raising the signal that stopped it once more; a stop that was asked for is an exit with 0."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self.handle_exit)
        yield


def _listen(port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((LOOPBACK, port))
    except OSError as error:
        listener.close()
        raise PortTaken(f"cannot serve on {LOOPBACK}:{port}: {error.strerror}; choose another with --port") from None
    return listener


def _arguments(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m localcloud.databricks", description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="port on 127.0.0.1")
    parser.add_argument("--state", type=Path, required=True, help="folder of databricks.sqlite and the signing key")
    parser.add_argument("--admin-credentials", type=Path, required=True, help="JSON: client_id, client_secret")
    parser.add_argument("--aws-credentials", type=Path, required=True, help="JSON: access_key_id, secret_access_key")
    parser.add_argument("--aws-endpoint", required=True, help="where STS answers")
    parser.add_argument("--region", default="us-east-1")
    parser.add_argument("--token-seconds", type=int, default=3600, help="how long an access token is valid")
    parser.add_argument("--credential-seconds", type=int, default=3600, help="how long a vended credential is valid")
    parser.add_argument("--audit-delivery", default="", help="s3://… folder to which the audit log is delivered")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    """Serve until SIGTERM or SIGINT."""
    given = _arguments(arguments)
    settings = Settings(
        host=f"http://{LOOPBACK}:{given.port}",
        state=given.state,
        admin_credentials=given.admin_credentials,
        aws_credentials=given.aws_credentials,
        aws_endpoint=given.aws_endpoint,
        region=given.region,
        token_seconds=given.token_seconds,
        credential_seconds=given.credential_seconds,
    )
    logging.basicConfig(level=logging.WARNING)
    die_with_parent()
    try:
        listener = _listen(given.port)
        workspace = open_workspace(settings)
    except (BadCredentialsFile, PortTaken) as error:
        sys.stderr.write(f"localcloud.databricks: {error}\n")
        return 2
    # Java's HTTP client asks to upgrade to HTTP/2 with its first POST; uvicorn's faster parser then loses the body.
    config = uvicorn.Config(create_app(workspace), http="h11", log_level="warning", access_log=False, lifespan="off")
    delivery = open_delivery(workspace, given.audit_delivery) if given.audit_delivery else None
    try:
        if delivery:
            delivery.start()
        _Server(config).run(sockets=[listener])
    finally:
        if delivery:
            delivery.close()
        workspace.store.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
