"""A real server on a free port of 127.0.0.1, with state of its own, and real clients."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import socket
import subprocess
import sys
import tarfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

ACCOUNT = "123456789012"
ROOT_KEY = {"access_key_id": "AKIATESTROOTKEY00000", "secret_access_key": "a-root-secret-for-tests-only"}
READY_SECONDS = 60
CHECKOUT = Path(__file__).resolve().parents[3]


@dataclass
class LocalAws:
    """A running server and clients for it."""

    folder: Path
    options: Mapping[str, str] = field(default_factory=dict)
    port: int = 0
    process: subprocess.Popen[bytes] | None = None

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    def launch(self) -> None:
        """Start the server's process."""
        root = self.folder / "root.json"
        root.touch(mode=0o600)
        root.write_text(json.dumps(ROOT_KEY))
        if not self.port:
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                self.port = probe.getsockname()[1]
        options = ["--port", str(self.port), "--state", str(self.state), "--root-credentials", str(root)]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "localcloud.aws", *options],
                cwd=CHECKOUT,
                env={**os.environ, "A_SECRET_OF_THE_SERVER": "never-in-a-job", **self.options},
                stdout=log,
                stderr=log,
            )

    def start(self) -> None:
        """Start the server, and wait until it answers."""
        self.launch()
        assert self.process is not None
        deadline = time.monotonic() + READY_SECONDS
        while True:
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{self.endpoint}/_localcloud/health") as answer:
                assert json.load(answer) == {"service": "aws", "status": "ok"}
                return
            assert self.process.poll() is None and time.monotonic() < deadline, self.log
            time.sleep(0.1)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """End the server with a signal; returns its exit status."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(60)

    def client(self, service: str, key: Mapping[str, str] | None = None, *, attempts: int = 1) -> Any:
        """A client that signs with `key` (of CreateAccessKey or AssumeRole), by default the root's."""
        key = key or {"AccessKeyId": ROOT_KEY["access_key_id"], "SecretAccessKey": ROOT_KEY["secret_access_key"]}
        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id=key["AccessKeyId"],
            aws_secret_access_key=key["SecretAccessKey"],
            aws_session_token=key.get("SessionToken"),
            config=Config(
                retries={"mode": "standard", "total_max_attempts": attempts},
                s3={"addressing_style": "path"},
                signature_version="s3v4" if service == "s3" else "v4",
            ),
        )

    def user(self, name: str, *statements: Mapping[str, Any]) -> dict[str, str]:
        """A new IAM user with one inline policy; returns an access key of it."""
        iam = self.client("iam")
        iam.create_user(UserName=name)
        if statements:
            iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=policy(*statements))
        key: dict[str, str] = iam.create_access_key(UserName=name)["AccessKey"]
        return key

    def role(self, name: str, trusted: Mapping[str, Any], *statements: Mapping[str, Any]) -> str:
        """A new role; returns its ARN."""
        iam = self.client("iam")
        trust = policy({"Effect": "Allow", "Principal": trusted, "Action": "sts:AssumeRole"})
        arn: str = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
        if statements:
            iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=policy(*statements))
        return arn

    def bucket(self, name: str) -> str:
        """A new bucket."""
        self.client("s3").create_bucket(Bucket=name)
        return name


def policy(*statements: Mapping[str, Any]) -> str:
    """A policy document."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(action: str | list[str], resource: str | list[str] = "*", **more: Any) -> dict[str, Any]:
    """An allowing statement."""
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def deny(action: str | list[str], resource: str | list[str] = "*", **more: Any) -> dict[str, Any]:
    """A denying statement."""
    return {**allow(action, resource, **more), "Effect": "Deny"}


def tar_gz(**files: str) -> bytes:
    """A tar.gz of text files; `_py` at the end of a name stands for `.py`."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, text in files.items():
            data = text.encode()
            member = tarfile.TarInfo(name.removesuffix("_py") + (".py" if name.endswith("_py") else ""))
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def eventually(read: Callable[[], Any], *, seconds: float = 60) -> Any:
    """The first true answer of `read`; fails when there is none in time."""
    deadline = time.monotonic() + seconds
    while not (answer := read()):
        assert time.monotonic() < deadline, f"still {answer!r} after {seconds} seconds"
        time.sleep(0.1)
    return answer


def run_server(folder: Path, **options: str) -> Iterator[LocalAws]:
    """A server for a fixture."""
    server = LocalAws(folder, options)
    server.start()
    try:
        yield server
    finally:
        assert server.process is not None
        if server.process.poll() is None:
            server.process.kill()
            server.process.wait()
