"""Starts or finds the server under judgement, keeps tests from what it does not offer, and reports by area."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from contract_report import RESULTS_FILE, UNSUPPORTED, Results
from contract_subject import Subject, from_environment, local
from contract_world import World, build, remove

from tests.localcloud.databricks import databricks_lab as lab
from unitydoor.secrets import ServicePrincipal

RESULTS = pytest.StashKey[Results]()


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker and an empty report."""
    config.addinivalue_line("markers", "contract(area, client, needs): proof of an area of the catalog by a client")
    config.stash[RESULTS] = Results()


@contextmanager
def _local_aws(folder: Path) -> Iterator[lab.Aws]:
    aws, process = lab.start_aws(folder)
    try:
        yield aws
    finally:
        lab.stop(process)


@contextmanager
def _local_workspace(folder: Path, aws: lab.Aws, *options: str) -> Iterator[lab.Workspace]:
    admin = ServicePrincipal("metastore-admin", secrets.token_hex(20), "admin")
    made = lab.start_workspace(folder, aws, admin, *options)
    try:
        yield made
    finally:
        lab.stop(made.process)


@pytest.fixture(scope="session")
def local_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[lab.Aws]:
    """A local AWS for workspaces that the suite starts."""
    with _local_aws(tmp_path_factory.mktemp("aws")) as aws:
        yield aws


@pytest.fixture(scope="session")
def subject(pytestconfig: pytest.Config, request: pytest.FixtureRequest) -> Iterator[Subject]:
    """The server under judgement."""
    given = from_environment()
    results = pytestconfig.stash[RESULTS]
    if given is not None:
        results.subject = given.name
        yield given
        return
    aws: lab.Aws = request.getfixturevalue("local_aws")
    folder: pytest.TempPathFactory = request.getfixturevalue("tmp_path_factory")
    with _local_workspace(folder.mktemp("workspace"), aws) as workspace:
        made = local(workspace, aws)
        results.subject = made.name
        yield made


@pytest.fixture(scope="session")
def short_lived(local_aws: lab.Aws, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Subject]:
    """A local workspace whose tokens live for two seconds."""
    with _local_workspace(tmp_path_factory.mktemp("short"), local_aws, "--token-seconds", "2") as workspace:
        yield local(workspace, local_aws)


@pytest.fixture(scope="session")
def world(subject: Subject) -> Iterator[World]:
    """A catalog with a schema and storage, of this run alone."""
    made = build(subject)
    try:
        yield made
    finally:
        remove(made)


@pytest.fixture(autouse=True)
def supported(request: pytest.FixtureRequest, subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out, by name, what the server does not offer; give clients an environment without anything inherited."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "DATABRICKS_", "MLFLOW_"))]:
        monkeypatch.delenv(name)
    mark = request.node.get_closest_marker("contract")
    lacking = sorted(need for need in mark.args[2] if need in subject.missing) if mark else []
    if lacking:
        pytest.skip(f"unsupported by {subject.name}: {', '.join(lacking)}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None] | pytest.TestReport:
    """Count every test that carries the marker."""
    report: pytest.TestReport = yield
    mark = item.get_closest_marker("contract")
    if mark is None:
        return report
    area, client, needs = mark.args
    tally = item.config.stash[RESULTS].tally(area, client)
    if report.failed:
        tally.failed += 1
    elif report.skipped:
        subject: Subject = item.funcargs["subject"]  # type: ignore[attr-defined]
        tally.unsupported |= {str(need) for need in needs if need in subject.missing}
    elif report.when == "call":
        shown = {str(value) for key, value in report.user_properties if key == UNSUPPORTED}
        tally.unsupported |= shown
        tally.passed += not shown
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the table, and keep it where the environment says."""
    results = config.stash[RESULTS]
    if not results.tallies:
        return
    terminalreporter.section(f"catalog contract: {results.subject}")
    for line in results.lines():
        terminalreporter.line(line)
    if path := os.environ.get(RESULTS_FILE):
        results.save(Path(path))
