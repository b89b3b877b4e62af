"""Start MLflow's server: `.venv-tracking/bin/python -m localcloud.mlflow --port N --state DIR …`.

It is what `mlflow server --workers 1` starts, with the same options, but in one process (MLflow's command imports all
of itself twice) and behind `localcloud.mlflow.door`. Artifacts go through the server to S3 under its own identity,
which boto3 finds in the environment.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from localcloud.mlflow.door import Door, SignIn
from localcloud.process import die_with_parent

LOOPBACK = "127.0.0.1"
DATABASE = "mlflow.sqlite"
ARTIFACT_ROOT = "mlflow-artifacts:/"
"""Where runs are told to put artifacts: at the server."""


def settings(port: int, database: str, artifacts: str) -> dict[str, str]:
    """What MLflow reads from the environment: its command sets the same (mlflow/server/constants.py)."""
    own = (f"{LOOPBACK}:{port}", f"localhost:{port}")
    return {
        "_MLFLOW_SERVER_FILE_STORE": database,
        "_MLFLOW_SERVER_REGISTRY_STORE": database,
        "_MLFLOW_SERVER_ARTIFACT_ROOT": ARTIFACT_ROOT,
        "_MLFLOW_SERVER_ARTIFACT_DESTINATION": artifacts,
        "_MLFLOW_SERVER_SERVE_ARTIFACTS": "true",
        # Other names that lead to loopback, and pages of other sites, are refused.
        "MLFLOW_SERVER_ALLOWED_HOSTS": ",".join(own),
        "MLFLOW_SERVER_CORS_ALLOWED_ORIGINS": ",".join(f"http://{host}" for host in own),
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "true",
    }


def serve(port: int, environment: Mapping[str, str], sign_in: SignIn, writers: frozenset[str]) -> None:
    """Serve until SIGTERM or SIGINT. MLflow reads its environment when it is imported, hence here."""
    os.environ.update(environment)
    import uvicorn
    from mlflow.server.fastapi_app import app
    from mlflow.server.handlers import initialize_backend_stores

    class Server(uvicorn.Server):
        """uvicorn ends by raising the signal that stopped it once more; a stop that was asked for is no failure."""

        @contextmanager
        def capture_signals(self) -> Iterator[None]:
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, self.handle_exit)
            yield

    database = environment["_MLFLOW_SERVER_FILE_STORE"]
    initialize_backend_stores(database, database, ARTIFACT_ROOT)
    door = Door(app, sign_in, writers)
    Server(uvicorn.Config(door, host=LOOPBACK, port=port, log_level="warning", access_log=False)).run()


def main(arguments: list[str]) -> int:
    """Serve with the options given."""
    parser = argparse.ArgumentParser(prog="python -m localcloud.mlflow", description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="port on 127.0.0.1")
    parser.add_argument("--state", type=Path, required=True, help=f"folder of {DATABASE}")
    parser.add_argument("--artifacts", required=True, help="s3://… folder of the runs' artifacts")
    parser.add_argument("--workspace", required=True, help="address of the workspace whose access tokens count")
    parser.add_argument("--writer", action="append", default=[], help="display name of a principal that may write")
    given = parser.parse_args(arguments)
    die_with_parent()
    os.umask(0o077)
    database = f"sqlite:///{given.state.resolve() / DATABASE}"
    environment = settings(given.port, database, given.artifacts)
    serve(given.port, environment, SignIn(given.workspace), frozenset(given.writer))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
