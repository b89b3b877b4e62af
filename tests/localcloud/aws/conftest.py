"""Fixtures: a real server on a free port of 127.0.0.1, with state of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from local_aws import LocalAws, run_server


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    """A server that the tests of a module share."""
    yield from run_server(tmp_path_factory.mktemp("aws"))


@pytest.fixture
def own_aws(tmp_path: Path) -> Iterator[LocalAws]:
    """A server for one test, which may stop, kill and start it."""
    yield from run_server(tmp_path)
