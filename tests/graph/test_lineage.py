"""The lineage chain of a model version, and what counts as missing from it."""

import json
from dataclasses import replace

from govtune_assets import lineage
from govtune_assets.keys import EXAMPLES, SNAPSHOT, adapter_key
from govtune_assets.lineage import Edge, Node
from govtune_assets.model_lineage import TrainedFrom, model_chain
from govtune_assets.provenance import Materialized
from govtune_assets.settings import Settings


def made(key: object, version: str, **metadata: object) -> Materialized:
    return Materialized(key, None, f"run-{version}", 0.0, version, "code", metadata)  # type: ignore[arg-type]


def trained_from() -> TrainedFrom:
    spark = {"source_delta_version": 1, "delta_version": 2}
    return TrainedFrom(
        adapter=made(adapter_key("x"), "adapter", training_job="job-x"),
        snapshot=made(SNAPSHOT, "snapshot", job_run_id="3", merkle_root="root", **spark),
        examples={
            year: replace(
                made(EXAMPLES, year, job_run_id=year, **spark), input_versions={"raw/risk_factors": f"raw-{year}"}
            )
            for year in ("2023", "2024")
        },
    )


def test_the_chain_leads_from_the_raw_table_to_the_version() -> None:
    chain = model_chain(Settings(catalog="c"), trained_from(), "c.ml.m", "7")
    hops = [(edge.source.name, edge.target.name) for edge in chain.edges]
    assert hops == [
        ("c.raw.risk_factors", "emr_serverless_2023"),
        ("emr_serverless_2023", "c.curated.risk_factor_examples"),
        ("c.raw.risk_factors", "emr_serverless_2024"),
        ("emr_serverless_2024", "c.curated.risk_factor_examples"),
        ("c.curated.risk_factor_examples", "emr_serverless_3"),
        ("emr_serverless_3", "c.curated.training_snapshot"),
        ("c.curated.training_snapshot", "sagemaker_job-x"),
        ("sagemaker_job-x", "c.ml.m"),
    ]
    assert all("job" in (edge.source.kind, edge.target.kind) for edge in chain.edges)
    assert chain.edges[-1].target == Node("model_version", "c.ml.m", "7")
    read, wrote = chain.edges[0].properties, chain.edges[1].properties
    assert (read["table_version"], read["data_version"]) == ("1", "raw-2023")
    assert (wrote["table_version"], wrote["data_version"]) == ("2", "2023")
    assert chain.edges[4].properties["data_version_2024"] == "2024"
    assert chain.edges[6].properties["data_version"] == "snapshot"
    assert chain.edges[5].properties["merkle_root"] == "root"


def test_an_edge_with_other_properties_is_missing() -> None:
    chain = model_chain(Settings(), trained_from(), "c.ml.m", "7")
    assert lineage.missing(chain.edges, chain.edges) == []
    assert lineage.from_json(json.loads(json.dumps(lineage.as_json(chain.edges)))) == list(chain.edges)
    changed = replace(chain.edges[0], properties={"table_version": "9"})
    assert lineage.missing(chain.edges, [changed, *chain.edges[1:]]) == [chain.edges[0]]
    other: list[Edge] = list(chain.edges[:-1])
    assert lineage.missing(chain.edges, other) == [chain.edges[-1]]
