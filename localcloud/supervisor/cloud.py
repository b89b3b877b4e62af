"""The whole local cloud: its services in the order in which they need each other, and what they are seeded with."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from botocore.exceptions import BotoCoreError, ClientError
from databricks.sdk.errors.base import DatabricksError

from localcloud.seed import stacks
from localcloud.seed.aws import AwsAccount, Root, seed_account
from localcloud.seed.base_model import upload_base_model
from localcloud.seed.credentials import AccessKey, CredentialFiles
from localcloud.seed.grants import apply_declared_grants
from localcloud.seed.settings import product_settings, with_user_choices, write_settings
from localcloud.seed.workspace import admin_client, seed_workspace
from localcloud.supervisor import corpus
from localcloud.supervisor.catalogue import Catalogue, clean_environment
from localcloud.supervisor.errors import LocalCloudError
from localcloud.supervisor.instance import Claim
from localcloud.supervisor.layout import PROJECT_ROOT, EdgarSource, Layout, Ports
from localcloud.supervisor.remembered import remember
from localcloud.supervisor.services import RunningService, Service, check_port_free

WATCH_SECONDS = 0.5
BASE_MODEL = PROJECT_ROOT / ".cache" / "models" / "smollm2-135m"
DAGSTER_CONFIGURATION = Path(__file__).with_name("dagster.yaml")


@dataclass
class Cloud:
    """A local cloud of one state folder; leaving the context stops all that it started."""

    layout: Layout
    ports: Ports
    edgar: EdgarSource
    environment: Mapping[str, str]
    claim: Claim
    say: Callable[[str], None]
    _running: list[RunningService] = field(default_factory=list)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        while self._running:
            self._running.pop().stop()

    def start(self, *, with_dagster: bool) -> dict[str, str]:
        """Starts and seeds everything; returns the product's settings once all services answer.

        Raises LocalCloudError on a port in use, a service that fails, or a step of seeding that fails.
        """
        catalogue = Catalogue(self.layout, self.ports, self.edgar, self.environment)
        files = CredentialFiles(self.layout.credentials)
        files.ensure_roots()
        self._check_ports(catalogue, with_dagster=with_dagster)
        aws, mlflow = self._launch(catalogue.aws()), self._launch(catalogue.mlflow())
        if self.edgar.kind != "live":
            self._await(self._launch(catalogue.edgar(corpus.prepare(self.edgar, self.layout))))
        self._await(aws)
        with self._seeding("aws"):
            root = self._root(files)
            account = seed_account(root, files)
            databricks = self._launch(catalogue.databricks())
            self.say(upload_base_model(root.client("s3"), BASE_MODEL))
        self._await(databricks)
        with self._seeding("databricks"):
            settings = self._seed(root, files, account)
        self._await(mlflow)
        shutil.copyfile(DAGSTER_CONFIGURATION, self.layout.dagster_home / "dagster.yaml")
        dagster = catalogue.dagster(settings)
        self._end_orphaned_runs(dagster)
        if with_dagster:
            self._await(self._launch(dagster))
        return settings

    def declare_ready(self) -> None:
        """Tells other processes that all services answer and are seeded."""
        self._publish(ready=True)

    def watch(self) -> None:
        """Returns never; raises LocalCloudError when a service ends by itself."""
        while True:
            self.check()
            time.sleep(WATCH_SECONDS)

    def check(self) -> None:
        """Raises LocalCloudError when a service has ended by itself."""
        for running in self._running:
            code = running.ended()
            if code is not None:
                raise running.failure(f"ended by itself with exit code {code}")

    def _check_ports(self, catalogue: Catalogue, *, with_dagster: bool) -> None:
        services = [catalogue.aws(), catalogue.databricks(), catalogue.mlflow()]
        if self.edgar.kind != "live":
            services.append(catalogue.edgar(self.layout.service("edgar")))
        if with_dagster:
            services.append(catalogue.dagster({}))
        for service in services:
            check_port_free(service)

    def _launch(self, service: Service) -> RunningService:
        running = RunningService(service, self.layout.logs / f"{service.name}.log")
        self._running.append(running)
        self._publish(ready=False)
        return running

    def _await(self, running: RunningService) -> None:
        running.wait_until_healthy()
        self.say(f"{running.service.what} answers at {running.service.url}")

    def _end_orphaned_runs(self, dagster: Service) -> None:
        """Runs that an earlier local cloud took down with it must block neither the queue nor a pool."""
        if not (self.layout.dagster_home / "history").exists():
            return
        done = subprocess.run(
            [sys.executable, "-m", "localcloud.supervisor.orphans"],
            cwd=PROJECT_ROOT,
            env=dict(dagster.environment),
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        if done.returncode != 0:
            raise LocalCloudError(f"Dagster's records in {self.layout.dagster_home} cannot be read:\n{done.stderr}")
        ended = int(done.stdout)
        if ended:
            self.say(f"{ended} unfinished Dagster runs of an earlier start are marked as ended")

    def _publish(self, *, ready: bool) -> None:
        self.claim.publish(tuple(each.record() for each in self._running), ready=ready)

    @contextmanager
    def _seeding(self, service: str) -> Iterator[None]:
        """Turns a refusal by a service into an error that names the service's log."""
        try:
            yield
        except (BotoCoreError, ClientError, DatabricksError) as error:
            log = self.layout.logs / f"{service}.log"
            raise LocalCloudError(f"Seeding failed: {error}. The server's own words are in {log}.") from error

    def _root(self, files: CredentialFiles) -> Root:
        key = AccessKey.read(files.root)
        if key is None:
            raise LocalCloudError(f"{files.root} is gone; stop the local cloud and start it again.")
        return Root(self.ports.url("aws"), key)

    def _seed(self, root: Root, files: CredentialFiles, account: AwsAccount) -> dict[str, str]:
        workspace = admin_client(self.ports.url("databricks"), files)
        trust = partial(stacks.trust_catalog, root.client("cloudformation"))
        principals = seed_workspace(workspace, root.client("secretsmanager"), trust)
        seeded = product_settings(self.layout, self.ports, self.edgar, account, principals)
        settings = with_user_choices(seeded, self.environment)
        write_settings(self.layout.settings, settings)
        remember(self.layout, self.edgar)
        environment = {**clean_environment(self.environment), **settings}
        self.say(f"grants: {apply_declared_grants(environment, files)}")
        self.say(f"seeded: settings are in {self.layout.settings}")
        return settings
