"""Vending when AWS refuses, does not answer, or the operator sets a shorter life."""

from __future__ import annotations

import json
import secrets
import urllib.error
import urllib.request
from dataclasses import replace
from pathlib import Path

import pytest
from databricks.sdk.service.catalog import AwsIamRoleRequest
from databricks_lab import LAKE, Aws, Workspace, seed, start_workspace, stop

from unitydoor.oauth import ClientCredentials
from unitydoor.secrets import ServicePrincipal
from unitydoor.transport import CatalogError

pytestmark = pytest.mark.integration

PATH_CREDENTIALS = "/api/2.1/unity-catalog/temporary-path-credentials"


def path_credential(workspace: Workspace, url: str) -> tuple[int, str]:
    """Status and error code of one request, without a client's retries."""
    token = ClientCredentials(workspace.host, workspace.admin_principal).token()
    body = json.dumps({"url": url, "operation": "PATH_READ"}).encode()
    headers = {"Authorization": f"Bearer {token}"}
    request = urllib.request.Request(f"{workspace.host}{PATH_CREDENTIALS}", data=body, headers=headers)
    with pytest.raises(urllib.error.HTTPError) as raised:
        urllib.request.urlopen(request, timeout=60)
    with raised.value as answer:
        return answer.code, json.load(answer)["error_code"]


def test_a_role_that_cannot_be_assumed_is_named(workspace: Workspace) -> None:
    role = "arn:aws:iam::123456789012:role/nobodys"
    admin = workspace.admin
    admin.storage_credentials.create(name="nobodys", aws_iam_role=AwsIamRoleRequest(role_arn=role))
    admin.external_locations.create(name="nobodys", url=f"s3://{LAKE}/nobodys", credential_name="nobodys")
    workspace.grant("external_location", "nobodys", workspace.admin_principal, "EXTERNAL_USE_LOCATION")
    with pytest.raises(CatalogError, match=f"AWS refused .* {role} be assumed") as raised:
        workspace.door(workspace.admin_principal).vend_path(f"s3://{LAKE}/nobodys", "PATH_READ")
    assert raised.value.status == 400


def test_an_aws_that_does_not_answer_is_said(tmp_path: Path, aws: Aws) -> None:
    admin = ServicePrincipal("admin-1", secrets.token_hex(20), "admin")
    cut_off = start_workspace(tmp_path, replace(aws, endpoint="http://127.0.0.1:1"), admin)
    try:
        seed(cut_off)
        cut_off.grant("external_location", "json", admin, "EXTERNAL_USE_LOCATION")
        assert path_credential(cut_off, f"s3://{LAKE}/raw/json/x") == (503, "TEMPORARILY_UNAVAILABLE")
        assert cut_off.admin.catalogs.get("govtune").name == "govtune"
    finally:
        stop(cut_off.process)


def test_a_credential_lives_as_long_as_was_set(tmp_path: Path, aws: Aws) -> None:
    admin = ServicePrincipal("admin-1", secrets.token_hex(20), "admin")
    brief = start_workspace(tmp_path, aws, admin, "--credential-seconds", "60")
    try:
        seed(brief)
        brief.grant("external_location", "json", admin, "EXTERNAL_USE_LOCATION")
        grant = brief.door(admin).vend_path(f"s3://{LAKE}/raw/json/x", "PATH_READ")
        assert 0 < (grant.expires_at - grant.granted_at).total_seconds() <= 60
    finally:
        stop(brief.process)
