"""Ports, folders and the choice of filings."""

import stat
from pathlib import Path

import pytest

from localcloud.supervisor.errors import LocalCloudError
from localcloud.supervisor.layout import EdgarSource, Layout, Ports


def test_ports_come_from_the_environment_or_their_defaults() -> None:
    ports = Ports.from_environment({"GOVTUNE_EDGAR_PORT": "9999", "GOVTUNE_AWS_PORT": ""})
    assert (ports.aws, ports.databricks, ports.edgar, ports.mlflow, ports.dagster) == (4570, 4571, 9999, 4573, 3000)
    assert ports.url("edgar") == "http://127.0.0.1:9999"


@pytest.mark.parametrize("text", ["0", "70000", "http", "-4570", "4570.0", "٤٥٧٠"])
def test_what_is_no_port_is_refused_by_name(text: str) -> None:
    with pytest.raises(LocalCloudError, match=r"GOVTUNE_AWS_PORT=.* is not a port"):
        Ports.from_environment({"GOVTUNE_AWS_PORT": text})


def test_two_services_on_one_port_are_refused() -> None:
    with pytest.raises(LocalCloudError, match="GOVTUNE_EDGAR_PORT=4570"):
        Ports.from_environment({"GOVTUNE_EDGAR_PORT": "4570"})


def test_folders_are_private(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "state")
    layout.create()
    layout.create()
    for folder in (layout.state, layout.credentials, layout.logs, layout.service("aws")):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_an_open_state_folder_is_closed(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "state")
    layout.state.mkdir(mode=0o755)
    layout.create()
    assert stat.S_IMODE(layout.state.stat().st_mode) == 0o700


def test_sources_of_filings(tmp_path: Path) -> None:
    assert EdgarSource.parse("sample", companies=None, contact="").describe() == "sample"
    assert EdgarSource.parse("sample", companies=4, contact="").describe() == "sample (4 companies)"
    assert EdgarSource.parse("live", companies=None, contact="A b@c.example").describe() == "live"
    assert EdgarSource.parse(str(tmp_path), companies=None, contact="").describe() == str(tmp_path)


@pytest.mark.parametrize(
    ("text", "contact", "expected"),
    [
        ("live", "", "CONTACT='Your Name you@example.com'"),
        ("live", "nobody", "requires a contact"),
        ("/nonexistent", "", "neither `sample` nor `live`"),
        ("sample", "a@b.example\r\nHost: x", "cannot be printed"),
    ],
)
def test_unusable_sources_are_refused(text: str, contact: str, expected: str) -> None:
    with pytest.raises(LocalCloudError, match=expected):
        EdgarSource.parse(text, companies=None, contact=contact)
