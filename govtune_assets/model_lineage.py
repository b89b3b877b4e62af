"""What a model version was made of, read from the event log, and the lineage chain that says so in the catalog."""

from collections.abc import Mapping
from dataclasses import dataclass

import dagster as dg

from govtune_assets import lineage, provenance
from govtune_assets.keys import EXAMPLES, RAW_TABLE, SNAPSHOT, table_name
from govtune_assets.lineage import Chain, Job, Node, Step
from govtune_assets.provenance import Materialized
from govtune_assets.settings import Settings


@dataclass(frozen=True)
class TrainedFrom:
    """The materializations behind an adapter: the snapshot it read and the examples of each fiscal year."""

    adapter: Materialized
    snapshot: Materialized
    examples: Mapping[str, Materialized]

    @classmethod
    def read(cls, instance: dg.DagsterInstance, adapter: Materialized) -> "TrainedFrom":
        """Find them in the event log.

        Raises:
            dagster.Failure: what was consumed has been replaced since, so that the lineage would name other data.
        """
        snapshot = provenance.latest(instance, SNAPSHOT)
        _same("curated/training_snapshot", str(adapter.metadata["snapshot_version"]), snapshot.data_version)
        examples = {}
        for year, version in sorted(dict(snapshot.metadata["source_versions"]).items()):
            examples[year] = provenance.latest(instance, EXAMPLES, year)
            _same(f"curated/risk_factor_examples, fiscal year {year}", version, examples[year].data_version)
        return cls(adapter=adapter, snapshot=snapshot, examples=examples)


def model_chain(settings: Settings, trained_from: TrainedFrom, model: str, version: str) -> Chain:
    """The chain raw table -> examples jobs -> examples -> snapshot job -> snapshot -> training job -> version."""
    raw = Node("table", table_name(settings, RAW_TABLE))
    examples = Node("table", table_name(settings, EXAMPLES))
    snapshot = Node("table", table_name(settings, SNAPSHOT))
    steps = [
        Step(
            source=raw,
            job=_spark_job(settings, made),
            target=examples,
            read={
                "fiscal_year": year,
                "table_version": str(made.metadata["source_delta_version"]),
                "data_version": made.input_versions.get(RAW_TABLE.to_user_string(), ""),
            },
            wrote={"fiscal_year": year, **_written(made)},
        )
        for year, made in sorted(trained_from.examples.items())
    ]
    made = trained_from.snapshot
    taken = {year: examples_of.data_version for year, examples_of in trained_from.examples.items()}
    steps.append(
        Step(
            source=examples,
            job=_spark_job(settings, made),
            target=snapshot,
            read={
                "table_version": str(made.metadata["source_delta_version"]),
                **{f"data_version_{year}": version for year, version in sorted(taken.items())},
            },
            wrote={**_written(made), "merkle_root": str(made.metadata["merkle_root"])},
        )
    )
    adapter = trained_from.adapter
    steps.append(
        Step(
            source=snapshot,
            job=_training_job(settings, adapter),
            target=Node("model_version", model, version),
            read=_written(made),
            wrote={"adapter_sha256": adapter.data_version, "dagster_run": adapter.run_id},
        )
    )
    return lineage.chain(steps)


def _written(made: Materialized) -> dict[str, str]:
    """What stands in the table that the materialization wrote."""
    return {
        "table_version": str(made.metadata["delta_version"]),
        "data_version": made.data_version,
        "dagster_run": made.run_id,
    }


def _spark_job(settings: Settings, made: Materialized) -> Job:
    job_run = str(made.metadata["job_run_id"])
    console = f"https://{settings.region}.console.aws.amazon.com/emr/home?region={settings.region}"
    return Job(
        node=Node("job", f"emr_serverless_{job_run}"),
        system="EMR Serverless job run",
        url=f"{console}#/serverless/{settings.emr_application_id}/{job_run}",
        properties={"job_run_id": job_run, "code_version": made.code_version or "", "dagster_run": made.run_id},
    )


def _training_job(settings: Settings, adapter: Materialized) -> Job:
    name = str(adapter.metadata["training_job"])
    console = f"https://{settings.region}.console.aws.amazon.com/sagemaker/home?region={settings.region}"
    return Job(
        node=Node("job", f"sagemaker_{name}"),
        system="SageMaker training job",
        url=f"{console}#/jobs/{name}",
        properties={
            "training_job": name,
            "code_version": adapter.code_version or "",
            "dagster_run": adapter.run_id,
        },
    )


def _same(what: str, consumed: str, current: str) -> None:
    if consumed != current:
        raise dg.Failure(
            f"{what} was replaced after the adapter was trained ({consumed[:12]} was consumed, {current[:12]} is there "
            "now): materialize the adapter again, so that model and lineage name the same data.",
            allow_retries=False,
        )
