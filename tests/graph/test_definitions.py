"""The definitions as Dagster loads them: complete specs, and a snapshot of the graph's shape."""

import json
from pathlib import Path
from typing import get_args

import dagster as dg
import pytest

from govtune_assets import keys
from govtune_assets.assets.curated import build_curation_assets
from govtune_assets.definitions import build_defs
from govtune_assets.keys import EVALUATIONS
from govtune_assets.settings import Settings
from spark.jobs.examples import DETECTORS

WARNINGS = {"access_as_declared", "every_read_was_granted"}
"""Checks that tell and do not stop: what they find stops the step that it concerns."""
SNAPSHOT = Path(__file__).parent / "graph.json"


@pytest.fixture(scope="module")
def definitions() -> dg.Definitions:
    return build_defs(Settings())


def shape(definitions: dg.Definitions) -> dict[str, object]:
    graph = definitions.resolve_asset_graph()
    return {
        key.to_user_string(): {
            "parents": sorted(parent.to_user_string() for parent in graph.get(key).parent_keys),
            "checks": sorted(check.name for check in graph.get_check_keys_for_assets({key})),
            "partitioned": graph.get(key).partitions_def is not None,
        }
        for key in sorted(graph.get_all_asset_keys())
    }


def test_graph_has_the_recorded_shape(definitions: dg.Definitions) -> None:
    """A change of the graph is a decision: write the file anew with it."""
    assert shape(definitions) == json.loads(SNAPSHOT.read_text())


def test_every_asset_says_what_it_is(definitions: dg.Definitions) -> None:
    for spec in definitions.resolve_all_asset_specs():
        name = spec.key.to_user_string()
        assert spec.description and len(spec.description) > 40, name
        assert spec.group_name.startswith(("filings", "curation", "training_", "evaluations")), name
        assert spec.kinds and spec.owners, name
        # What is no step of the graph has no code of its own: the adapter's step writes the evaluations.
        assert spec.code_version or spec.key == EVALUATIONS, name
        schema = spec.metadata["dagster/column_schema"]
        assert all(column.description for column in schema.columns), name
        references = spec.metadata["dagster/code_references"].code_references
        assert all(Path(reference.file_path).is_file() for reference in references), name


def test_every_check_says_what_it_holds(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    for key in graph.asset_check_keys:
        spec = graph.get_check_spec(key)
        assert spec.description and spec.blocking == (key.name not in WARNINGS), key


def test_backfills_run_one_year_at_a_time(definitions: dg.Definitions) -> None:
    """A single run over a range would stamp one data version on every year."""
    graph = definitions.resolve_asset_graph()
    for key in graph.get_all_asset_keys():
        node = graph.get(key)
        if node.is_materializable and node.partitions_def is not None:
            assert node.backfill_policy == dg.BackfillPolicy.multi_run(1), key


def test_configurations_can_be_chosen() -> None:
    keys = build_defs(Settings(training_configurations=("smollm2-135m",))).resolve_all_asset_keys()
    assert not any("ministral-3-3b" in key.path for key in keys)
    with pytest.raises(ValueError, match="nonesuch"):
        build_defs(Settings(training_configurations=("nonesuch",)))


def curation_versions(settings: Settings) -> dict[dg.AssetKey, str | None]:
    return {spec.key: spec.code_version for made in build_curation_assets(settings) for spec in made.specs}


def test_a_filing_listed_anew_is_new_code_of_all_that_curation_makes() -> None:
    plain = curation_versions(Settings())
    listed = curation_versions(Settings(benchmark_filings=("0000000001-23-000001",)))
    assert plain.keys() == listed.keys() == {keys.EXAMPLES, keys.SNAPSHOT, keys.DATASET_VERSIONS}
    assert not [key for key in plain if plain[key] == listed[key]]


def test_another_detector_of_personal_data_is_new_code_of_the_examples() -> None:
    plain = curation_versions(Settings())
    with_comprehend = curation_versions(Settings(pii_detector="presidio+comprehend"))
    assert [key for key in plain if plain[key] != with_comprehend[key]] == [keys.EXAMPLES]


def test_settings_name_the_detectors_that_the_job_has() -> None:
    assert get_args(Settings.model_fields["pii_detector"].annotation) == DETECTORS


def test_settings_refuse_what_cannot_be() -> None:
    with pytest.raises(ValueError, match="unknown fiscal years: 1999"):
        Settings(snapshot_years=("1999",))
    with pytest.raises(ValueError, match="not an S3 bucket name"):
        Settings(lake_bucket="Not A Bucket")
    with pytest.raises(ValueError, match="GOVTUNE_EMR_ROLE_ARN is not set"):
        Settings(emr_role_arn="").required("emr_role_arn")
