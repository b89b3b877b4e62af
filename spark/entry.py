"""Entry point of every Spark job on EMR Serverless: `spark-submit --py-files payload.zip entry.py`.

Opens Pipes, runs the job that `extras["job"]` names, and reports its result. A failure is one readable line, in
the driver's error output and in the message that Dagster gets; its traceback stands in the log of the driver's standard
output alone. Parameters come and messages go through S3: the environment names their objects only.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import boto3
from dagster_pipes import (
    PipesContext,
    PipesContextLoader,
    PipesMessageWriter,
    PipesS3ContextLoader,
    PipesS3MessageWriter,
    open_dagster_pipes,
)
from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException

from spark import extras, openlineage
from spark.credentials import refused_renewal
from spark.errors import JobError, raised_in_executor
from spark.jobs import examples, snapshot
from spark.report import Report
from spark.session import open_session
from spark.tables import GovernedTables
from unitydoor.catalog import Catalog
from unitydoor.oauth import ClientCredentials
from unitydoor.secrets import load_principal
from unitydoor.transport import Transport

JOBS: Mapping[str, Callable[[GovernedTables, Mapping[str, Any]], Report]] = MappingProxyType(
    {"examples": examples.run, "snapshot": snapshot.run}
)


class JobFailed(Exception):
    """The job failed; the message is the one line to show, `log` the traceback, which is for the driver's log alone."""

    def __init__(self, line: str, log: str) -> None:
        super().__init__(line)
        self.log = log


def run_job(parameters: Mapping[str, Any]) -> Report:
    """Run the job that the parameters name, as the principal whose secret they name."""
    name = extras.text(parameters, "job")
    if name not in JOBS:
        raise JobError(f"no job {name!r} in this payload: it has {', '.join(JOBS)}")
    host = extras.text(parameters, "catalog_host")
    run_id = extras.text(parameters, "run_id")
    link = Transport(host, run_id=run_id)
    credentials = ClientCredentials(host, load_principal(extras.text(parameters, "secret_id")), transport=link)
    session = open_session(f"govtune-{name}")
    try:
        catalog = Catalog(host, credentials, transport=link)
        return with_events(JOBS[name], GovernedTables(session, catalog, credentials, host, run_id=run_id), parameters)
    finally:
        session.stop()


def with_events(
    job: Callable[[GovernedTables, Mapping[str, Any]], Report], tables: GovernedTables, parameters: Mapping[str, Any]
) -> Report:
    """Run the job; where an address for lineage events is configured, send them and report what became of them."""
    url = openlineage.address(parameters)
    if url is None:
        return job(tables, parameters)
    events = openlineage.Events(url, parameters)
    events.started()
    try:
        made = job(tables, parameters)
    except Exception as error:
        events.failed(describe(error))
        raise
    return Report({**made.metadata, "openlineage": events.completed(made)}, made.data_version)


def describe(error: BaseException) -> str:
    """Return what to say of an error: our own in full, another's type and first line."""
    if isinstance(error, JobError) or type(error).__module__.startswith("unitydoor."):
        return str(error)
    ours = raised_in_executor(str(error)) if isinstance(error, PySparkException | Py4JJavaError) else None
    if ours is not None:
        return ours
    java = getattr(error, "java_exception", None)
    text = str(java.toString() if java is not None else error).strip()
    line = f"{type(error).__name__}: {text.splitlines()[0] if text else 'no message'}"
    cause = refused_renewal(str(error)) if java is not None else None
    return line if cause is None else f"{cause}. Spark says: {line}"


def report(pipes: PipesContext) -> None:
    """Run the job and report what it made. Raises JobFailed with the line to show."""
    result = _attempt(pipes.extras)
    if isinstance(result, JobFailed):
        # Raised where no error is being handled: it would be the failure's context, which Pipes sends along.
        raise result
    metadata = {
        # Pipes infers the type of plain values; mappings and lists have to be called JSON.
        name: {"type": "json", "raw_value": value} if isinstance(value, Mapping | list) else value
        for name, value in result.metadata.items()
    }
    # A step of several assets has to be told which one this is; its other assets are made of the same report.
    asset = extras.text(pipes.extras, "asset_key") if "asset_key" in pipes.extras else None
    pipes.report_asset_materialization(metadata=metadata, data_version=result.data_version, asset_key=asset)


def _attempt(parameters: Mapping[str, Any]) -> Report | JobFailed:
    """What the job made, or how it failed."""
    try:
        return run_job(parameters)
    except Exception as error:
        return JobFailed(describe(error), traceback.format_exc())


def main() -> int:
    """Run under Pipes, whose context and messages are objects in S3; return the exit status."""
    s3 = boto3.client("s3")
    return run_under(PipesS3ContextLoader(client=s3), PipesS3MessageWriter(client=s3))


def run_under(context: PipesContextLoader, messages: PipesMessageWriter[Any]) -> int:
    """Run with this transport of context and messages; return the exit status."""
    try:
        with open_dagster_pipes(context_loader=context, message_writer=messages) as pipes:
            report(pipes)
    except JobFailed as failure:
        # Pipes is closed: what is printed before that travels into the run's records, and an error may quote a row. The
        # service tells the end of the error output as the reason of the failure, so the traceback stands in the other.
        print(failure.log)  # noqa: T201
        print(f"job failed: {failure}", file=sys.stderr)  # noqa: T201  the driver's error output is the job's
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
