"""Fixtures: a real local SageMaker, and Dagster runs that train on it through the Pipes client."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.localcloud.aws.local_aws import LocalAws, run_server
from tests.pipes.training_runs import Training


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    """A server that the tests of a module share."""
    yield from run_server(tmp_path_factory.mktemp("aws"))


@pytest.fixture(scope="module")
def training(aws: LocalAws) -> Training:
    """The server, set up for training."""
    return Training(aws)
