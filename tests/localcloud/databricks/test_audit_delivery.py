"""The audit log reaches S3, each event at least once, also after a hard stop."""

from __future__ import annotations

import json
import secrets
import signal
import stat
import time
from pathlib import Path
from typing import Any

import pytest
from databricks_lab import MODELS, Aws, Workspace, start_workspace, stop

from unitydoor.oauth import ClientCredentials
from unitydoor.secrets import ServicePrincipal
from unitydoor.transport import Transport, user_agent

pytestmark = pytest.mark.integration

FOLDER = "delivered"
SECONDS = 60


def delivered(aws: Aws) -> dict[str, dict[str, Any]]:
    """Events by their ids; a date stands in each object's key."""
    s3, found = aws.client("s3"), {}
    for entry in s3.list_objects_v2(Bucket=MODELS, Prefix=f"{FOLDER}/workspaceId=1/date=").get("Contents", []):
        for line in s3.get_object(Bucket=MODELS, Key=entry["Key"])["Body"].read().splitlines():
            event = json.loads(line)
            found[event["requestId"]] = event
    return found


def wait_for(aws: Aws, run_id: str) -> list[dict[str, Any]]:
    deadline = time.monotonic() + SECONDS
    while True:
        mine = [event for event in delivered(aws).values() if event["userAgent"] == user_agent(run_id)]
        if any(event["actionName"] == "listTables" for event in mine):
            return mine
        assert time.monotonic() < deadline, "nothing was delivered"
        time.sleep(0.2)


def ask(workspace: Workspace, run_id: str) -> None:
    """Sign in and list tables, on behalf of a run."""
    link = Transport(workspace.host, run_id=run_id)
    token = ClientCredentials(workspace.host, workspace.admin_principal, transport=link).token()
    path = "/api/2.1/unity-catalog/tables?catalog_name=none&schema_name=none"
    link.request("GET", path, headers={"Authorization": f"Bearer {token}"})


def test_events_are_delivered_across_a_hard_stop(tmp_path: Path, aws: Aws) -> None:
    s3 = aws.client("iam")
    allow = {"Effect": "Allow", "Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{MODELS}/{FOLDER}/*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    s3.put_user_policy(UserName="unity-catalog", PolicyName="deliver", PolicyDocument=document)
    admin = ServicePrincipal("delivering-admin", secrets.token_hex(20), "admin")
    options = ("--audit-delivery", f"s3://{MODELS}/{FOLDER}")
    first = start_workspace(tmp_path, aws, admin, *options)
    try:
        ask(first, "run-1")
        events = wait_for(aws, "run-1")
        ask(first, "run-2")
    finally:
        first.process.send_signal(signal.SIGKILL)
        first.process.wait()
    assert {event["userIdentity"]["email"] for event in events} == {admin.client_id}
    assert {event["actionName"] for event in events} == {"oidcTokenAuthorization", "listTables"}
    assert admin.client_secret not in json.dumps(events)
    for path in first.state.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path.name
    second = start_workspace(tmp_path, aws, admin, *options)
    try:
        assert wait_for(aws, "run-2")
        numbers = sorted(int(name.rsplit("-", 1)[1]) for name in delivered(aws))
        assert numbers == list(range(1, len(numbers) + 1))
    finally:
        assert stop(second.process) == 0


@pytest.mark.parametrize("run_id", ["a b", "a\r\nX: y", "-", "x" * 65, "ü"])
def test_a_run_id_cannot_add_to_the_header(run_id: str) -> None:
    with pytest.raises(ValueError, match="is no run id"):
        user_agent(run_id)
