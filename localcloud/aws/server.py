"""The server process: arguments, the pieces put together, start and stop."""

from __future__ import annotations

import argparse
import json
import logging
import os
import signal
import stat
import sys
import threading
import warnings
from pathlib import Path
from random import SystemRandom
from typing import Any, NoReturn

from localcloud.process import die_with_parent

ACCOUNT_ID = "123456789012"
# moto reads these when it is first imported, so they are set before any module of this package that imports it.
os.environ["MOTO_ACCOUNT_ID"] = ACCOUNT_ID
os.environ["MOTO_DISABLE_GLOBAL_CORS"] = "true"

from moto.moto_api._internal import mock_random  # noqa: E402
from moto.s3.models import s3_backends  # noqa: E402

from localcloud.aws import comprehend, emr, s3, sagemaker, sts  # noqa: E402
from localcloud.aws.accesslog import AccessLog  # noqa: E402
from localcloud.aws.app import Door, install_confirmation  # noqa: E402
from localcloud.aws.http import Server  # noqa: E402
from localcloud.aws.iam.enforcement import Account, RootCredentials  # noqa: E402
from localcloud.aws.platform import Platform, PlatformSettings  # noqa: E402
from localcloud.aws.state import State, StateError, only_server, private_folder  # noqa: E402
from localcloud.aws.trails import Trails  # noqa: E402

log = logging.getLogger(__name__)


def read_root_credentials(path: Path) -> RootCredentials:
    """The account root's key from a 0600 JSON file. Raises StateError with the mend."""
    try:
        if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise StateError(f"{path} can be read by others: run chmod 600 on it")
        content = json.loads(path.read_text(encoding="utf-8"))
        return RootCredentials(str(content["access_key_id"]), str(content["secret_access_key"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StateError(
            f"{path} is not a JSON file with access_key_id and secret_access_key ({type(error).__name__})"
        ) from error


def serve(port: int, folder: Path, root: RootCredentials, settings: PlatformSettings) -> None:
    """Serve on 127.0.0.1:`port` until SIGTERM or SIGINT."""
    lock = threading.RLock()
    private_folder(folder)
    with only_server(folder):
        _use_system_randomness()
        account = Account(ACCOUNT_ID, root)
        state = State(folder / "backends", lock)
        store = s3.BodyStore(folder / "objects")
        access_log = AccessLog(folder / "s3-access.jsonl")
        trails = Trails(ACCOUNT_ID, lock, lambda *place: _put_object(state, store, *place))
        server = Server(port, Door(account, state, store, access_log, trails, lock))
        platform = Platform(account, state, lock, f"http://127.0.0.1:{port}", folder / "jobs", settings)
        s3.install(store)
        sts.install()
        emr.install(platform)
        sagemaker.install(platform)
        comprehend.install()
        install_confirmation()
        loaded = state.load(ACCOUNT_ID)
        with lock:
            emr.fail_interrupted(ACCOUNT_ID)
            sagemaker.fail_interrupted(ACCOUNT_ID)
            s3.reconcile(store, ACCOUNT_ID)
        state.start()
        trails.start()
        _stop_on_signals(server, platform)
        log.info("AWS endpoint on http://127.0.0.1:%d with %d saved backends", port, loaded)
        try:
            server.serve_forever()
        finally:
            server.server_close()
            trails.close()
            state.close()
            access_log.close()


def _put_object(state: State, store: s3.BodyStore, bucket: str, key: str, body: bytes) -> None:
    """Write an object as a service of the account does, and keep it."""
    s3_backends[ACCOUNT_ID]["aws"].put_object(bucket, key, body)
    state.objects_changed(ACCOUNT_ID, bucket, [key])
    store.expunge()


def _stop_on_signals(server: Server, platform: Platform) -> None:
    """SIGTERM and SIGINT end the jobs while the server still answers them, and then the server."""

    def stop() -> None:
        platform.stop_jobs()
        server.shutdown()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: threading.Thread(target=stop).start())


def _use_system_randomness() -> None:
    """Keys and secrets that moto makes come from the operating system, not from a generator that can be predicted."""
    system: Any = SystemRandom()
    mock_random.random = system.random
    mock_random.getrandbits = system.getrandbits


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m localcloud.aws", description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="port on 127.0.0.1")
    parser.add_argument("--state", type=Path, required=True, help="folder for everything that must last")
    parser.add_argument("--root-credentials", type=Path, required=True, help="0600 JSON file with the root's key")
    return parser.parse_args()


def main() -> NoReturn:
    """Run the server from the command line; exits 0 after SIGTERM or SIGINT."""
    # IAM's refusals are not in the services' models; moto would warn of each.
    warnings.filterwarnings("ignore", message=r"Exception\(.*does not match an error shape")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    die_with_parent()
    arguments = _arguments()
    try:
        root = read_root_credentials(arguments.root_credentials)
        serve(arguments.port, arguments.state.resolve(), root, PlatformSettings.from_environment(os.environ))
    except StateError as error:
        sys.exit(f"localcloud.aws: {error}")
    except OSError as error:
        sys.exit(f"localcloud.aws: cannot serve on 127.0.0.1:{arguments.port}: {error.strerror or error}")
    sys.exit(0)
