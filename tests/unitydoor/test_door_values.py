"""Requirements, statements, storage options and secrets, without a server."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from moto import mock_aws

from unitydoor import privileges
from unitydoor.privileges import Requirement
from unitydoor.secrets import SecretUnusable, load_principal
from unitydoor.vending import Grant

GRANT = Grant(
    principal="p",
    securable="c.s.t",
    operation="READ",
    url="s3://b/t",
    granted_at=datetime(2026, 1, 1, tzinfo=UTC),
    expires_at=datetime(2026, 1, 1, 1, tzinfo=UTC),
    access_key_id="ASIA1",
    secret_access_key="s",
    session_token="t",
)


@pytest.mark.parametrize(
    ("need", "statement"),
    [
        (Requirement("SELECT", "TABLE", "c.s.t"), "GRANT SELECT ON TABLE `c`.`s`.`t` TO `me`;"),
        (Requirement("USE CATALOG", "CATALOG", "a`b"), "GRANT USE CATALOG ON CATALOG `a``b` TO `me`;"),
        (
            Requirement("READ FILES", "EXTERNAL LOCATION", "raw.json"),
            "GRANT READ FILES ON EXTERNAL LOCATION `raw.json` TO `me`;",
        ),
        (
            Requirement("CREATE EXTERNAL METADATA", "METASTORE", "local"),
            "GRANT CREATE EXTERNAL METADATA ON METASTORE TO `me`;",
        ),
    ],
)
def test_statements_quote_names(need: Requirement, statement: str) -> None:
    assert need.grant_statement("me") == statement


def test_a_hostile_client_id_stays_inside_its_quotes() -> None:
    statement = Requirement("SELECT", "TABLE", "c.s.t").grant_statement("x` ; DROP TABLE y; --")
    assert statement.endswith("TO `x`` ; DROP TABLE y; --`;")


def test_registering_needs_both_sides() -> None:
    needs = privileges.for_external_table("c.s.t", "raw")
    assert [(need.privilege, need.name) for need in needs] == [
        ("USE CATALOG", "c"),
        ("USE SCHEMA", "c.s"),
        ("CREATE TABLE", "c.s"),
        ("EXTERNAL USE SCHEMA", "c.s"),
        ("EXTERNAL USE LOCATION", "raw"),
        ("CREATE EXTERNAL TABLE", "raw"),
    ]


class TestStorageOptions:
    @pytest.fixture(autouse=True)
    def environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_DEFAULT_REGION"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("AWS_REGION", "eu-central-1")

    def test_of_the_cloud(self) -> None:
        assert GRANT.storage_options() == {
            "AWS_ACCESS_KEY_ID": "ASIA1",
            "AWS_SECRET_ACCESS_KEY": "s",
            "AWS_SESSION_TOKEN": "t",
            "AWS_REGION": "eu-central-1",
        }
        assert GRANT.storage_options("us-west-2")["AWS_REGION"] == "us-west-2"

    def test_of_loopback(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:4570")
        options = GRANT.storage_options()
        assert (options["AWS_ENDPOINT_URL"], options["AWS_ALLOW_HTTP"]) == ("http://127.0.0.1:4570", "true")

    def test_of_a_private_endpoint(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:4570")
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "https://bucket.vpce-1.s3.eu-central-1.vpce.amazonaws.com")
        assert "AWS_ALLOW_HTTP" not in GRANT.storage_options()

    def test_plain_http_elsewhere_is_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://s3.example")
        with pytest.raises(ValueError, match="plain http"):
            GRANT.storage_options()


class TestSecrets:
    @pytest.fixture
    def manager(self, monkeypatch: pytest.MonkeyPatch) -> Any:
        for name in ("AWS_ENDPOINT_URL", "AWS_PROFILE", "AWS_SHARED_CREDENTIALS_FILE"):
            monkeypatch.delenv(name, raising=False)
        with mock_aws():
            yield boto3.client("secretsmanager", region_name="us-east-1")

    def test_a_principal_is_read(self, manager: Any) -> None:
        content = json.dumps({"client_id": "c1", "client_secret": "hush"})
        manager.create_secret(Name="databricks/trainer", SecretString=content)
        principal = load_principal("databricks/trainer", client=manager)
        assert (principal.client_id, principal.client_secret) == ("c1", "hush")
        assert str(principal) == "databricks/trainer (service principal c1)"
        assert "hush" not in repr(principal)

    @pytest.mark.parametrize(
        "content",
        ["hush", "[]", "{}", '{"client_id": "hush"}', '{"client_id": 1, "client_secret": "hush"}'],
    )
    def test_another_shape_is_named_and_not_shown(self, manager: Any, content: str) -> None:
        manager.create_secret(Name="databricks/bad", SecretString=content)
        with pytest.raises(SecretUnusable, match="databricks/bad") as raised:
            load_principal("databricks/bad", client=manager)
        assert "hush" not in str(raised.value)

    def test_an_absent_one_is_named(self, manager: Any) -> None:
        with pytest.raises(SecretUnusable, match=r"databricks/none.*ResourceNotFoundException"):
            load_principal("databricks/none", client=manager)
