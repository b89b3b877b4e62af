"""The environments are built once, again after a change, and never left half built and taken for whole."""

import dataclasses
import os
import stat
from pathlib import Path

import pytest

from tools import bootstrap, pip_settings
from tools.bootstrap import BootstrapError, Environment


def project(root: Path) -> Environment:
    """An orchestrator environment of a project that needs no package at all."""
    (root / "constraints").mkdir()
    (root / "constraints" / "orchestrator.txt").write_text("uv==0.13.9\n    # via nothing\n")
    (root / "constraints" / "training.txt").write_text("numpy==2.4.6\n")
    (root / "pyproject.toml").write_text("")
    return bootstrap.environments(root)["orchestrator"]


def make_current(environment: Environment) -> None:
    environment.python.parent.mkdir(parents=True)
    environment.python.touch()
    environment.stamp.write_text(environment.digest() + "\n")


def test_a_built_environment_is_current_until_an_input_changes(tmp_path: Path) -> None:
    environment = project(tmp_path)
    assert not environment.is_current()
    make_current(environment)
    assert environment.is_current()
    environment.constraints.write_text("uv==0.13.10\n")
    assert not environment.is_current()


def test_an_environment_without_its_interpreter_is_not_current(tmp_path: Path) -> None:
    environment = project(tmp_path)
    make_current(environment)
    environment.python.unlink()
    assert not environment.is_current()


def test_an_environment_that_was_moved_is_not_current(tmp_path: Path) -> None:
    environment = project(tmp_path)
    make_current(environment)
    moved = dataclasses.replace(environment, folder=tmp_path / "elsewhere")
    environment.folder.rename(moved.folder)
    assert not moved.is_current()


def test_an_interrupted_build_is_thrown_away_and_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    environment = project(tmp_path)
    make_current(environment)
    environment.constraints.write_text("uv==0.13.10\n")
    half = environment.folder / "half-a-package"

    def interrupted(_target: Environment, _root: Path) -> None:
        half.touch()
        raise KeyboardInterrupt

    monkeypatch.setattr(bootstrap, "make_orchestrator", interrupted)
    with pytest.raises(KeyboardInterrupt):
        bootstrap.build(environment, environment, tmp_path)
    assert not environment.is_current()
    assert half.exists()

    monkeypatch.setattr(bootstrap, "make_orchestrator", lambda target, _root: target.python.parent.mkdir(parents=True))
    bootstrap.build(environment, environment, tmp_path)
    assert not half.exists()
    assert environment.stamp.exists()
    assert not environment.unfinished.exists()


def test_a_change_of_constraints_keeps_what_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    environment = project(tmp_path)
    make_current(environment)
    environment.constraints.write_text("uv==0.13.10\n")
    monkeypatch.setattr(bootstrap, "make_orchestrator", lambda _target, _root: None)
    bootstrap.build(environment, environment, tmp_path)
    assert environment.is_current()


def test_a_current_environment_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    environment = project(tmp_path)
    make_current(environment)
    monkeypatch.setattr(bootstrap, "make_orchestrator", lambda _target, _root: pytest.fail("built again"))
    bootstrap.build(environment, environment, tmp_path)
    assert "current" in capsys.readouterr().out


def test_pins_are_read_with_their_markers(tmp_path: Path) -> None:
    constraints = tmp_path / "some.txt"
    constraints.write_text("# uv==1\nuvicorn==2\nuv==0.13.9 ; sys_platform != 'win32'\n")
    assert bootstrap.pinned_version(constraints, "uv") == "0.13.9"
    with pytest.raises(BootstrapError, match="make constraints"):
        bootstrap.pinned_version(constraints, "absent")


def test_a_failing_step_shows_its_output_without_the_registry(tmp_path: Path) -> None:
    tool = tmp_path / "tool"
    tool.write_text('#!/bin/sh\necho "asked $UV_DEFAULT_INDEX in vain"\nexit 3\n')
    tool.chmod(tool.stat().st_mode | stat.S_IXUSR)
    settings = pip_settings.parse("global.index-url='https://me:pw@mirror.example/simple'")
    with pytest.raises(BootstrapError) as failure:
        bootstrap.run_step("Installing", [str(tool)], settings, cwd=tmp_path)
    assert str(failure.value) == "Installing failed (exit code 3):\nasked <configured> in vain"


def test_the_committed_constraints_name_no_registry_and_no_machine() -> None:
    folder = Path(bootstrap.__file__).parent.parent / "constraints"
    for path in folder.glob("*.txt"):
        text = path.read_text()
        assert "://" not in text, path
        assert "index-url" not in text, path
        assert os.sep + "tmp" + os.sep not in text, path


def test_dagster_and_its_aws_library_are_pinned_together() -> None:
    constraints = Path(bootstrap.__file__).parent.parent / "constraints" / "orchestrator.txt"
    core = bootstrap.pinned_version(constraints, "dagster").split(".")
    library = bootstrap.pinned_version(constraints, "dagster-aws").split(".")
    # Dagster releases its libraries as 0.(16 + minor).patch beside 1.minor.patch.
    assert (int(core[1]) + 16, core[2]) == (int(library[1]), library[2])
