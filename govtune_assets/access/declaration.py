"""What each stage's service principal may do in Unity Catalog, and what each step needs: the one place that says so.

`declared` are the grants; `needs` are the actions that the code performs. A test holds one against the other: no need
is unmet, and no grant can be taken away without leaving a need unmet.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

import dagster as dg

from govtune_assets.keys import (
    DATASET_VERSIONS,
    EVALUATIONS,
    EXAMPLES,
    RAW_FILINGS,
    RAW_JSON_PREFIX,
    RAW_TABLE,
    SNAPSHOT,
    adapter_key,
    model_key,
    model_name,
    table_location,
    table_name,
)
from govtune_assets.settings import Settings
from train.config import TrainingConfiguration
from unitydoor.privileges import Action, Requirement

RAW_JSON_LOCATION = "govtune_raw_json"
RAW_DELTA_LOCATION = "govtune_raw_delta"
CURATED_DELTA_LOCATION = "govtune_curated_delta"
ML_DELTA_LOCATION = "govtune_ml_delta"

METASTORE = ""
"""Name of the workspace's metastore in a requirement: SQL has none for it."""


class Stage(StrEnum):
    """The project's principals, by what they do."""

    LOADER = "loader"
    CURATOR = "curator"
    TRAINER = "trainer"
    REGISTRAR = "registrar"
    AUDITOR = "auditor"


@dataclass(frozen=True)
class Grant:
    """A stage's principal holds a privilege on a securable."""

    stage: Stage
    requirement: Requirement


@dataclass(frozen=True)
class Need:
    """A step performs an action on an object as a stage's principal.

    `step` is the asset whose materialization does it, or None for what a person runs (`govtune trace`,
    `govtune dataset`). `location` is the `s3://` address of a table, which counts until the table is registered.
    """

    step: dg.AssetKey | None
    stage: Stage
    action: Action
    target: str
    location: str = ""


def declared(settings: Settings) -> tuple[Grant, ...]:
    """Every grant of the project: least privilege for each stage.

    Registering an external table needs CREATE TABLE and CREATE EXTERNAL TABLE; access from outside Databricks needs
    EXTERNAL USE SCHEMA and EXTERNAL USE LOCATION (Databricks: "Enable external data access to Unity Catalog"). An
    edge of external lineage out of a table needs SELECT on it, one into a table MODIFY (Databricks: "Bring your own
    data lineage"); the registrar, which writes them, lacks EXTERNAL USE SCHEMA and so is never vended a credential.
    """
    catalog = settings.catalog
    raw, curated, ml = f"{catalog}.raw", f"{catalog}.curated", f"{catalog}.ml"
    use = [(stage, "CATALOG", catalog, ("USE CATALOG",)) for stage in Stage]
    create = ("USE SCHEMA", "CREATE TABLE", "EXTERNAL USE SCHEMA")
    read = ("USE SCHEMA", "SELECT", "EXTERNAL USE SCHEMA")
    write_location = ("CREATE EXTERNAL TABLE", "EXTERNAL USE LOCATION")
    files = ("READ FILES", "WRITE FILES", "EXTERNAL USE LOCATION")
    rows: list[tuple[Stage, str, str, tuple[str, ...]]] = [
        *use,
        (Stage.LOADER, "SCHEMA", raw, create),
        (Stage.LOADER, "EXTERNAL LOCATION", RAW_JSON_LOCATION, files),
        (Stage.LOADER, "EXTERNAL LOCATION", RAW_DELTA_LOCATION, write_location),
        (Stage.CURATOR, "SCHEMA", raw, read),
        (Stage.CURATOR, "SCHEMA", curated, create),
        (Stage.CURATOR, "EXTERNAL LOCATION", CURATED_DELTA_LOCATION, write_location),
        (Stage.TRAINER, "SCHEMA", curated, read),
        (Stage.TRAINER, "SCHEMA", ml, create),
        (Stage.TRAINER, "EXTERNAL LOCATION", ML_DELTA_LOCATION, write_location),
        (Stage.REGISTRAR, "SCHEMA", raw, ("USE SCHEMA", "SELECT")),
        (Stage.REGISTRAR, "SCHEMA", curated, ("USE SCHEMA", "SELECT", "MODIFY")),
        (Stage.REGISTRAR, "SCHEMA", ml, ("USE SCHEMA", "CREATE MODEL")),
        (Stage.REGISTRAR, "METASTORE", METASTORE, ("CREATE EXTERNAL METADATA",)),
        (Stage.AUDITOR, "SCHEMA", raw, read),
        (Stage.AUDITOR, "SCHEMA", curated, read),
        (Stage.AUDITOR, "SCHEMA", ml, read),
    ]
    return tuple(
        Grant(stage, Requirement(privilege, kind, name)) for stage, kind, name, held in rows for privilege in held
    )


def needs(settings: Settings, configurations: Iterable[TrainingConfiguration] = ()) -> tuple[Need, ...]:
    """Every action of the graph on a governed object, and of the commands that read tables, in the order of the graph.

    A stage owns the tables and models that it registers, so that writing them needs no grant on them.
    """
    zone = f"s3://{settings.lake_bucket}/{RAW_JSON_PREFIX}"
    raw, examples, snapshot = (table_name(settings, key) for key in (RAW_TABLE, EXAMPLES, SNAPSHOT))

    def writes(key: dg.AssetKey, stage: Stage) -> Need:
        return Need(key, stage, Action.WRITE_TABLE, table_name(settings, key), table_location(settings, key))

    found = [
        Need(RAW_FILINGS, Stage.LOADER, Action.WRITE_PATH, zone),
        Need(RAW_TABLE, Stage.LOADER, Action.READ_PATH, zone),
        writes(RAW_TABLE, Stage.LOADER),
        Need(EXAMPLES, Stage.CURATOR, Action.READ_TABLE, raw),
        writes(EXAMPLES, Stage.CURATOR),
        Need(SNAPSHOT, Stage.CURATOR, Action.READ_TABLE, examples),
        writes(SNAPSHOT, Stage.CURATOR),
        writes(DATASET_VERSIONS, Stage.CURATOR),
        Need(None, Stage.AUDITOR, Action.READ_TABLE, raw),
        Need(None, Stage.AUDITOR, Action.READ_TABLE, snapshot),
        Need(None, Stage.AUDITOR, Action.READ_TABLE, table_name(settings, DATASET_VERSIONS)),
        Need(None, Stage.AUDITOR, Action.READ_TABLE, table_name(settings, EVALUATIONS)),
    ]
    for configuration in configurations:
        found += _training_needs(settings, configuration)
    return tuple(found)


def _training_needs(settings: Settings, configuration: TrainingConfiguration) -> list[Need]:
    raw, examples, snapshot = (table_name(settings, key) for key in (RAW_TABLE, EXAMPLES, SNAPSHOT))
    evaluations, trained = table_name(settings, EVALUATIONS), adapter_key(configuration.name)
    step, model = model_key(configuration.name), model_name(settings, configuration)
    registered = [
        (Action.CREATE_MODEL, model),
        (Action.CREATE_MODEL_VERSION, model),
        (Action.CREATE_EXTERNAL_METADATA, METASTORE),
        (Action.LINEAGE_FROM_TABLE, raw),
        (Action.LINEAGE_INTO_TABLE, examples),
        (Action.LINEAGE_FROM_TABLE, examples),
        (Action.LINEAGE_INTO_TABLE, snapshot),
        (Action.LINEAGE_FROM_TABLE, snapshot),
    ]
    return [
        Need(trained, Stage.TRAINER, Action.READ_TABLE, snapshot),
        Need(trained, Stage.TRAINER, Action.WRITE_TABLE, evaluations, table_location(settings, EVALUATIONS)),
        *(Need(step, Stage.REGISTRAR, action, target) for action, target in registered),
    ]


def locations(settings: Settings) -> dict[str, str]:
    """The project's external locations: name and `s3://` address."""
    lake = f"s3://{settings.lake_bucket}"
    return {
        RAW_JSON_LOCATION: f"{lake}/{RAW_JSON_PREFIX}",
        RAW_DELTA_LOCATION: f"{lake}/raw/delta",
        CURATED_DELTA_LOCATION: f"{lake}/curated/delta",
        ML_DELTA_LOCATION: f"{lake}/ml/delta",
    }


def principals(settings: Settings) -> dict[Stage, str]:
    """Application id of each stage's service principal.

    Raises:
        ValueError: one is not configured.
    """
    return {stage: settings.required(f"principal_{stage}") for stage in Stage}
