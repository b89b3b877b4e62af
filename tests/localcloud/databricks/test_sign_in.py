"""OAuth machine-to-machine and the life of the server process."""

from __future__ import annotations

import base64
import json
import secrets
import signal
import stat
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import jwt
import pytest
from databricks.sdk.errors import PermissionDenied, ResourceConflict
from databricks_lab import ROOT, Aws, Workspace, free_port, seed, start_workspace, stop, write_private

from unitydoor.catalog import Catalog
from unitydoor.oauth import ClientCredentials, SignInFailed
from unitydoor.secrets import ServicePrincipal

pytestmark = pytest.mark.integration

ME = "/api/2.0/preview/scim/v2/Me"


def ask(
    url: str, *, form: dict[str, str] | None = None, headers: dict[str, str] | None = None
) -> tuple[int, dict[str, Any]]:
    data = urllib.parse.urlencode(form).encode() if form is not None else None
    request = urllib.request.Request(url, data=data, headers=headers or {})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_a_token_by_header_and_by_form(workspace: Workspace) -> None:
    principal, url = workspace.principal(), f"{workspace.host}/oidc/v1/token"
    pair = base64.b64encode(f"{principal.client_id}:{principal.client_secret}".encode()).decode()
    grant = {"grant_type": "client_credentials", "scope": "all-apis"}
    in_form = {**grant, "client_id": principal.client_id, "client_secret": principal.client_secret}
    for form, headers in ((grant, {"Authorization": f"Basic {pair}"}), (in_form, {})):
        status, answer = ask(url, form=form, headers=headers)
        assert (status, answer["token_type"], answer["expires_in"]) == (200, "Bearer", 3600)
        assert ask(f"{workspace.host}{ME}", headers=bearer(answer["access_token"]))[1]["userName"] == (
            principal.client_id
        )
    _, keys = ask(f"{workspace.host}/oidc/jwks.json")
    key = jwt.PyJWK(keys["keys"][0])
    claims = jwt.decode(answer["access_token"], key, algorithms=["RS256"], audience="local-workspace")
    assert claims["sub"] == principal.client_id


@pytest.mark.parametrize(
    ("form", "status", "error"),
    [
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({}, 400, "unsupported_grant_type"),
        ({"grant_type": "client_credentials", "client_id": "nobody", "client_secret": "x"}, 401, "invalid_client"),
        (
            {"grant_type": "client_credentials", "client_id": "metastore-admin", "client_secret": "x"},
            401,
            "invalid_client",
        ),
        ({"grant_type": "client_credentials"}, 401, "invalid_client"),
    ],
)
def test_bad_sign_ins(workspace: Workspace, form: dict[str, str], status: int, error: str) -> None:
    found, answer = ask(f"{workspace.host}/oidc/v1/token", form=form)
    assert (found, answer["error"]) == (status, error)


def test_tokens_that_are_not_ours_are_refused(workspace: Workspace) -> None:
    principal = workspace.principal()
    good = ClientCredentials(workspace.host, principal).token()
    claims = jwt.decode(good, options={"verify_signature": False})
    head, body, _ = good.split(".")
    forged = [
        jwt.encode(claims, "", algorithm="none"),
        jwt.encode(claims, "x" * 32, algorithm="HS256"),
        f"{head}.{body}.{'A' * 342}",
        "not-a-token",
    ]
    for token in forged:
        status, answer = ask(f"{workspace.host}{ME}", headers=bearer(token))
        assert (status, answer["error_code"]) == (401, "UNAUTHENTICATED")
    assert ask(f"{workspace.host}{ME}")[0] == 401


def test_a_secret_that_is_deleted_signs_nobody_in(workspace: Workspace) -> None:
    principal, admin = workspace.principal("databricks/gone"), workspace.admin
    (found,) = admin.service_principals.list(filter=f'applicationId eq "{principal.client_id}"')
    (secret,) = admin.service_principal_secrets_proxy.list(str(found.id))
    token = ClientCredentials(workspace.host, principal).token()
    admin.service_principal_secrets_proxy.delete(str(found.id), str(secret.id))
    with pytest.raises(SignInFailed) as raised:
        ClientCredentials(workspace.host, principal).token()
    assert "databricks/gone" in str(raised.value)
    assert principal.client_secret not in str(raised.value)
    assert ask(f"{workspace.host}{ME}", headers=bearer(token))[0] == 200
    admin.service_principals.delete(str(found.id))
    assert ask(f"{workspace.host}{ME}", headers=bearer(token))[0] == 401


def test_only_the_administrator_manages_principals(workspace: Workspace, loader: ServicePrincipal) -> None:
    client = workspace.client(loader)
    with pytest.raises(PermissionDenied):
        client.service_principals.create(display_name="mine")
    (found,) = client.service_principals.list(filter=f'applicationId eq "{loader.client_id}"')
    with pytest.raises(PermissionDenied):
        client.service_principal_secrets_proxy.create(str(found.id))


def test_an_owner_is_not_deleted(
    workspace: Workspace, loader: ServicePrincipal, table_name: str, make_table: Any
) -> None:
    make_table(table_name)
    (found,) = workspace.admin.service_principals.list(filter=f'applicationId eq "{loader.client_id}"')
    with pytest.raises(ResourceConflict):
        workspace.admin.service_principals.delete(str(found.id))


def test_another_host_name_is_refused(workspace: Workspace) -> None:
    status, answer = ask(f"{workspace.host}/_localcloud/health", headers={"Host": "evil.example"})
    assert (status, answer["error_code"]) == (403, "PERMISSION_DENIED")


def test_state_survives_a_hard_stop_and_expired_tokens_are_renewed(tmp_path: Path, aws: Aws) -> None:
    admin = ServicePrincipal("admin-1", secrets.token_hex(20), "admin")
    first = start_workspace(tmp_path, aws, admin)
    try:
        seed(first)
        principal = first.principal()
        first.grant("catalog", "govtune", principal, "USE_CATALOG")
        kept = first.admin.catalogs.get("govtune").as_dict()
    finally:
        first.process.send_signal(signal.SIGKILL)
        first.process.wait()
    for path in first.state.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path.name
    content = b"".join(path.read_bytes() for path in first.state.iterdir())
    assert principal.client_secret.encode() not in content

    second = start_workspace(tmp_path, aws, admin, "--token-seconds", "1")
    try:
        assert second.admin.catalogs.get("govtune").as_dict() == kept
        credentials = ClientCredentials(second.host, principal)
        door = Catalog(second.host, credentials)
        assert door.effective_privileges("catalog", "govtune") == {"USE CATALOG"}
        token = credentials.token()
        while ask(f"{second.host}{ME}", headers=bearer(token))[0] == 200:
            pass
        assert door.effective_privileges("catalog", "govtune") == {"USE CATALOG"}
        assert credentials.token() != token
    finally:
        assert stop(second.process) == 0


def run(*options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "localcloud.databricks", *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def test_a_port_in_use_is_named(tmp_path: Path, workspace: Workspace) -> None:
    port = workspace.host.rsplit(":", 1)[1]
    admin = write_private(tmp_path / "admin.json", {"client_id": "a", "client_secret": "b"})
    options = ("--state", str(tmp_path / "state"), "--admin-credentials", str(admin))
    done = run("--port", port, *options, "--aws-credentials", str(admin), "--aws-endpoint", "http://127.0.0.1:1")
    assert done.returncode == 2
    assert f"127.0.0.1:{port}" in done.stderr
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize(
    ("content", "mode", "said"),
    [("{}", 0o600, "client_id"), ("nonsense", 0o600, "client_id"), ('{"client_id": "a"}', 0o644, "chmod 600")],
)
def test_a_bad_credentials_file_is_named(tmp_path: Path, content: str, mode: int, said: str) -> None:
    path = tmp_path / "admin.json"
    path.write_text(content)
    path.chmod(mode)
    options = ("--state", str(tmp_path / "state"), "--admin-credentials", str(path), "--aws-credentials", str(path))
    done = run("--port", str(free_port()), *options, "--aws-endpoint", "http://127.0.0.1:1")
    assert done.returncode == 2
    assert str(path) in done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
