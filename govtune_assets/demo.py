"""The demonstration: materialize fiscal years from filings to a registered model, and say what came of it.

Nothing here is special to the demonstration but the words: it materializes the project's own assets on the project's
Dagster instance, stage by stage, and only those that are missing or stale.
"""

import re
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg
from dagster._core.definitions.data_version import CachingStaleStatusResolver, StaleStatus
from dagster._core.loader import LoadingContext
from dagster._core.storage.tags import PARTITION_NAME_TAG

from govtune_assets import fiscal_years, gates, provenance
from govtune_assets.assets.common import as_dict
from govtune_assets.definitions import build_defs
from govtune_assets.gates import HISTORY
from govtune_assets.keys import EXAMPLES, RAW_FILINGS, RAW_TABLE, SNAPSHOT, adapter_key, model_key
from govtune_assets.resources.aws import AwsResource
from govtune_assets.resources.unity_catalog import UnityCatalogResource
from govtune_assets.settings import Settings
from govtune_assets.trace import trace

WIDTH = 78
CLASS_NAME = re.compile(r"^[\w.]+: ")
"""What Dagster writes before an error's own message."""
GATE_CLOSED = "DagsterAssetCheckFailedError"
"""Dagster's error for a blocking check that failed."""
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
"""The run's own log stays in the instance; the terminal shows stages, gates and what the jobs themselves print."""


class DemoFailed(RuntimeError):
    """A stage did not come to its end; the message says which and why."""


@dataclass(frozen=True)
class Verdicts:
    """How many gates have an evaluation, and the titles of those that do not pass: by blocking, or by a warning."""

    total: int
    failed: tuple[str, ...] = ()
    warned: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """For the summary; every gate that does not pass is named."""
        passed = self.total - len(self.failed) - len(self.warned)
        return [
            f"gates passed      {passed} of {self.total}",
            *(f"  failed          {title}" for title in self.failed),
            *(f"  warns           {title}" for title in self.warned),
        ]


class _Loading(LoadingContext):
    """Lets Dagster's loaders read the instance outside of a web request."""

    def __init__(self, instance: dg.DagsterInstance):
        self._instance = instance
        self._loaders: dict[type, tuple[Any, Any]] = {}

    @property
    def instance(self) -> dg.DagsterInstance:
        return self._instance

    @property
    def loaders(self) -> dict[type, tuple[Any, Any]]:
        return self._loaders


class Demo:
    """Materializes stage after stage on one Dagster instance."""

    def __init__(self, instance: dg.DagsterInstance, settings: Settings):
        self._instance = instance
        self._settings = settings
        self._definitions = build_defs(settings)
        self._started = time.monotonic()

    def run(self, years: Sequence[str], configuration: str) -> None:
        """Materialize everything of `years` and of `configuration` that is missing or stale.

        Raises:
            DemoFailed: a stage failed.
        """
        for year in years:
            # Always looked at: only EDGAR knows whether filings were added; documents come from the cache.
            self._materialize(RAW_FILINGS, year)
            self._bring_up_to_date(RAW_TABLE, year)
            self._bring_up_to_date(EXAMPLES, year)
        for key in (SNAPSHOT, adapter_key(configuration), model_key(configuration)):
            self._bring_up_to_date(key, None)

    def _bring_up_to_date(self, key: dg.AssetKey, year: str | None) -> None:
        if not self._is_fresh(key, year):
            self._materialize(key, year)
        elif self._gates_passed(key, year):
            self._say(f"{_title(key, year)}: unchanged, reused")
        else:
            # Cut off before its gates, or stopped by one whose threshold was mended since.
            self._say(f"{_title(key, year)}: unchanged, its gates are asked again")
            self._run(dg.AssetSelection.checks_for_assets(key), key, year)

    def _is_fresh(self, key: dg.AssetKey, year: str | None) -> bool:
        graph = self._definitions.resolve_asset_graph()
        resolver = CachingStaleStatusResolver(self._instance, graph, loading_context=_Loading(self._instance))
        return resolver.get_status(key, year) == StaleStatus.FRESH

    def _materialize(self, key: dg.AssetKey, year: str | None) -> None:
        self._say(f"{_title(key, year)}: materializing …")
        # What one step makes together, such as the snapshot and its version, is materialized together.
        together = self._definitions.resolve_asset_graph().get(key).execution_set_asset_keys
        self._run(dg.AssetSelection.assets(*together), key, year)

    def verdicts(self) -> Verdicts:
        """Newest finished evaluation of every check and partition."""
        graph = self._definitions.resolve_asset_graph()
        newest: dict[tuple[dg.AssetCheckKey, str | None], bool] = {}
        for key in graph.asset_check_keys:
            for record in self._instance.event_log_storage.get_asset_check_execution_history(key, limit=HISTORY):
                evaluation = record.event.asset_check_evaluation if record.event else None
                if evaluation is not None:
                    newest.setdefault((key, record.partition), evaluation.passed)
        not_passed = [key for key, passed in newest.items() if not passed]
        blocking = {key for key in graph.asset_check_keys if graph.get(key).blocking}
        return Verdicts(
            total=len(newest),
            failed=tuple(_check_title(*key) for key in not_passed if key[0] in blocking),
            warned=tuple(_check_title(*key) for key in not_passed if key[0] not in blocking),
        )

    def _gates_passed(self, key: dg.AssetKey, year: str | None) -> bool:
        """Whether every check that blocks has passed on this materialization; what another only warns of is not mended
        by asking again."""
        graph = self._definitions.resolve_asset_graph()
        checks = [check for check in graph.get_check_keys_for_assets({key}) if graph.get(check).blocking]
        made = provenance.latest(self._instance, key, year)
        return gates.passed(self._instance, gates.Consumed(tuple(checks), made.data_version, year, made.run_id))

    def _run(self, selection: dg.AssetSelection, key: dg.AssetKey, year: str | None) -> None:
        """Run the asset with its checks, or the checks alone, in this process, on the shared instance."""
        begun = time.monotonic()
        result = dg.materialize(
            [*self._definitions.assets, *self._definitions.asset_checks],  # type: ignore[misc]
            selection=selection,
            instance=self._instance,
            # Dagster refuses a partition key for checks alone, and takes the tag that it makes of a key.
            tags={PARTITION_NAME_TAG: year} if year else None,
            resources=dict(self._definitions.resources or {}),
            run_config=QUIET,
            raise_on_error=False,
        )
        if not result.success:
            raise DemoFailed(f"{_title(key, year)} failed: {_reason(result)}")
        self._say(f"{_title(key, year)}: done in {time.monotonic() - begun:.0f} s{_counts(self._instance, key, year)}")
        for check in result.get_asset_check_evaluations():
            verdict = "passed" if check.passed else "warns"
            self._say(f"  gate {check.check_name}: {verdict}. {check.description}")

    def _say(self, text: str) -> None:
        print(f"[{time.monotonic() - self._started:5.0f} s] {text}", flush=True)


def _check_title(check: dg.AssetCheckKey, year: str | None) -> str:
    return f"{check.name} of {_title(check.asset_key, year)}"


def _title(key: dg.AssetKey, year: str | None) -> str:
    return key.to_user_string() + (f" of fiscal {year}" if year else "")


def _counts(instance: dg.DagsterInstance, key: dg.AssetKey, year: str | None) -> str:
    made = provenance.find_latest(instance, key, year)
    rows = made.metadata.get("dagster/row_count") if made else None
    return f", {rows} rows" if rows is not None else ""


def _reason(result: Any) -> str:
    failed = [check for check in result.get_asset_check_evaluations() if not check.passed]
    for event in result.all_events:
        # What Dagster says of a closed gate names it, and not its reason.
        if event.is_step_failure and not (failed and event.step_failure_data.error.cls_name == GATE_CLOSED):
            error = event.step_failure_data.error
            while error.cause is not None:
                error = error.cause
            return CLASS_NAME.sub("", str(error.message).strip(), count=1)
    return "; ".join(f"gate {check.check_name}: {check.description}" for check in failed) or "see the run's log"


def summary(
    instance: dg.DagsterInstance, settings: Settings, years: Sequence[str], configuration: str, verdicts: Verdicts
) -> list[str]:
    """What the materializations of `years` and of `configuration` recorded, for a person to read."""
    adapter = provenance.latest(instance, adapter_key(configuration))
    model = provenance.latest(instance, model_key(configuration))
    snapshot = provenance.latest(instance, SNAPSHOT)
    lines = ["", "=" * WIDTH, "From filings to a registered model", "=" * WIDTH, ""]
    lines.append(f"{'rows':36}" + "".join(f"{'FY' + year:>12}" for year in years))
    for key in (RAW_FILINGS, RAW_TABLE, EXAMPLES):
        counts = (provenance.latest(instance, key, year).metadata["dagster/row_count"] for year in years)
        lines.append(f"  {key.to_user_string():34}" + "".join(f"{count:>12}" for count in counts))
    splits = as_dict(snapshot.metadata["rows_by_split"])
    lines.append(f"  {SNAPSHOT.to_user_string():34}{snapshot.metadata['dagster/row_count']:>12}   {_listing(splits)}")
    measures = adapter.metadata
    return [
        *lines,
        "",
        *verdicts.lines(),
        f"validation loss   {float(measures['loss_before']):.3f} before, {float(measures['loss_after']):.3f} after",
        f"ROUGE-L           {float(measures['rouge_l_base']):.3f} base, {float(measures['rouge_l_tuned']):.3f} tuned, "
        "on companies that the model never saw",
        f"model             {model.metadata['model']}, version {model.metadata['model_version']}",
        f"lineage           {model.metadata['lineage_edges']} edges from {settings.catalog}.raw.risk_factors",
        f"Merkle root       {snapshot.metadata['merkle_root']}",
        "",
        "One training example, traced to its paragraph",
    ]


def _listing(counts: dict[str, Any]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))


def run_demo(years: Sequence[str], configuration: str) -> int:
    """Materialize and print the summary; 0 when every gate that blocks has passed; one that warns is named.

    Raises:
        DemoFailed: a stage failed, or a year is unknown.
    """
    unknown = sorted(set(years) - set(fiscal_years.KEYS))
    if unknown:
        raise DemoFailed(f"{', '.join(unknown)} are no fiscal years of this project")
    settings = Settings()
    # Dagster is pinned: its notes about interfaces that may change are nothing to a reader of the progress.
    warnings.simplefilter("ignore", dg.BetaWarning)
    warnings.simplefilter("ignore", dg.PreviewWarning)
    with dg.DagsterInstance.get() as instance:
        demo = Demo(instance, settings)
        demo.run(years, configuration)
        verdicts = demo.verdicts()
        lines = summary(instance, settings, years, configuration, verdicts)
        example = provenance.latest(instance, SNAPSHOT).metadata["sample"]
    catalog = UnityCatalogResource.from_settings(settings, AwsResource(region=settings.region))
    traced = trace(catalog.door("auditor"), settings, str(as_dict(example)["example_id"]))
    print("\n".join([*lines, *(f"  {line}" for line in traced.lines())]))
    return 1 if verdicts.failed else 0
