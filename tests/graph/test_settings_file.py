"""Settings for commands typed by hand: taken whole, or not at all."""

from pathlib import Path

import pytest

from govtune_assets.settings_file import SettingsFileRefused, adopt, read

FILE = "AWS_ENDPOINT_URL=http://127.0.0.1:1\nGOVTUNE_DATABRICKS_HOST=http://127.0.0.1:2\nGOVTUNE_CATALOG=a b=c\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "settings.env").write_text(FILE)
    return tmp_path / "settings.env"


def test_a_shell_that_points_nowhere_takes_the_file(path: Path) -> None:
    environment = {"GOVTUNE_SETTINGS_FILE": str(path), "AWS_ENDPOINT_URL": "https://other", "GOVTUNE_CATALOG": "mine"}
    assert adopt(environment) == path
    assert environment["AWS_ENDPOINT_URL"] == "http://127.0.0.1:1"
    assert environment["GOVTUNE_CATALOG"] == "mine"


def test_a_shell_that_points_at_a_workspace_is_left_alone(path: Path) -> None:
    environment = {"GOVTUNE_SETTINGS_FILE": str(path), "GOVTUNE_DATABRICKS_HOST": "https://production"}
    before = dict(environment)
    assert adopt(environment) is None
    assert environment == before


def test_without_a_file_nothing_happens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    environment: dict[str, str] = {}
    assert adopt(environment) is None
    assert environment == {}


def test_a_named_file_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="gone"):
        adopt({"GOVTUNE_SETTINGS_FILE": str(tmp_path / "gone")})


@pytest.mark.parametrize("line", ["PATH=/tmp/evil", "LD_PRELOAD=x", "no separator", "GOVTUNE_lower=1"])
def test_other_variables_are_refused(path: Path, line: str) -> None:
    path.write_text(FILE + line + "\n")
    with pytest.raises(SettingsFileRefused, match="line 4"):
        read(path)
