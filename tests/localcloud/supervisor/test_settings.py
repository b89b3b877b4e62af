"""What the user's environment may choose, what the local cloud keeps, and the file that carries both."""

import stat
from pathlib import Path

import pytest

from localcloud.seed.aws import AwsAccount
from localcloud.seed.settings import (
    SIZES,
    USER_CHOICES,
    product_settings,
    read_settings,
    with_user_choices,
    write_settings,
)
from localcloud.supervisor.errors import LocalCloudError
from localcloud.supervisor.layout import EdgarSource, Layout, Ports


def test_sizes_and_choices_are_the_users() -> None:
    assert set(SIZES) < USER_CHOICES
    environment = {name: f"mine {name}" for name in USER_CHOICES}
    merged = with_user_choices({**SIZES, "GOVTUNE_CATALOG": "govtune"}, environment)
    assert merged == {**environment, "GOVTUNE_CATALOG": "govtune"}


def test_addresses_names_and_identities_stay_the_local_clouds() -> None:
    seeded = {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:4570",
        "GOVTUNE_DATABRICKS_HOST": "http://127.0.0.1:4571",
        "GOVTUNE_EDGAR_WWW_URL": "http://127.0.0.1:4572",
        "GOVTUNE_LAKE_BUCKET": "govtune-lake",
        "GOVTUNE_PRINCIPAL_LOADER": "loader",
        "GOVTUNE_SAGEMAKER_ROLE_ARN": "arn",
    }
    assert with_user_choices(seeded, dict.fromkeys(seeded, "elsewhere")) == seeded


@pytest.mark.parametrize(("text", "universe"), [("sample", "served"), ("folder", "0000320193"), ("live", None)])
def test_a_local_source_is_taken_whole_and_the_sec_is_not(text: str, universe: str | None, tmp_path: Path) -> None:
    submissions = tmp_path / "folder" / "data" / "submissions"
    submissions.mkdir(parents=True)
    (submissions / "CIK0000320193.json").write_text("{}")
    source = EdgarSource.parse(
        str(tmp_path / "folder") if text == "folder" else text, companies=None, contact="Lamp Bank a@b.example"
    )
    seeded = product_settings(
        Layout(tmp_path / "state"), Ports.from_environment({}), source, AwsAccount("key", "application"), {}
    )
    assert seeded.get("GOVTUNE_UNIVERSE") == universe
    # Recorded filings are a part of those that their submissions files list.
    assert seeded.get("GOVTUNE_MINIMUM_COVERAGE") == ("0" if text == "folder" else None)


def test_an_empty_variable_chooses_nothing() -> None:
    seeded = {"GOVTUNE_UNIVERSE": "0000320193"}
    assert with_user_choices(seeded, {"GOVTUNE_UNIVERSE": "", "PATH": "/bin"}) == seeded


def test_settings_come_back_as_they_were_written(tmp_path: Path) -> None:
    path = tmp_path / "settings.env"
    settings = {
        "GOVTUNE_EDGAR_USER_AGENT": "Zoë = x@y.example",
        "GOVTUNE_BASE_MODEL_URIS": '{"a": "s3://b/c"}',
        "A": "",
    }
    write_settings(path, settings)
    assert read_settings(path) == settings
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("value", ["a\nAWS_ENDPOINT_URL=http://example.com", "a\r", "a\u2028b", "a\x1cb", "\udcff"])
def test_a_value_that_the_file_cannot_carry_is_refused_by_name(value: str, tmp_path: Path) -> None:
    with pytest.raises(LocalCloudError, match="GOVTUNE_UNIVERSE holds"):
        write_settings(tmp_path / "settings.env", {"GOVTUNE_UNIVERSE": value})
    assert not (tmp_path / "settings.env").exists()
