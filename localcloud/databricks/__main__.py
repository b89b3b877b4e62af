"""Start the local workspace: `python -m localcloud.databricks --port N --state DIR …`."""

import argparse
import logging
import sys
from pathlib import Path

import uvicorn

from localcloud.databricks.app import create_app
from localcloud.databricks.workspace import BadCredentialsFile, Settings, open_workspace
from localcloud.process import die_with_parent

LOOPBACK = "127.0.0.1"


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
    die_with_parent()
    logging.basicConfig(level=logging.WARNING)
    try:
        workspace = open_workspace(settings)
    except BadCredentialsFile as error:
        sys.stderr.write(f"{error}\n")
        return 2
    config = uvicorn.Config(
        create_app(workspace), host=LOOPBACK, port=given.port, log_level="warning", access_log=False, lifespan="off"
    )
    server = uvicorn.Server(config)
    try:
        server.run()
    finally:
        workspace.store.close()
    return 0 if server.started else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
