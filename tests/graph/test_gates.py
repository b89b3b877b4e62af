"""Gates hold across runs: on a real instance, with real check records."""

from collections.abc import Iterator

import dagster as dg
import pytest

from govtune_assets import gates, provenance
from govtune_assets.checks.common import Gate, Verdict, build_gate
from govtune_assets.gates import Consumed, GateClosed, require
from govtune_assets.partitions import FISCAL_YEARS

KEY = dg.AssetKey(["curated", "toy"])
GATE = dg.AssetCheckKey(KEY, "enough")


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        yield made


def materialize(instance: dg.DagsterInstance, year: str, version: str, *, passed: bool, check: bool = True) -> None:
    """Materialize the toy asset's year with a data version, and run its gate."""

    @dg.asset(key=KEY, partitions_def=FISCAL_YEARS)
    def toy() -> dg.MaterializeResult:  # type: ignore[type-arg]
        return dg.MaterializeResult(data_version=dg.DataVersion(version))

    gate = Gate(GATE, "Enough.", lambda made: Verdict(passed, 1, 2, made.data_version), FISCAL_YEARS)
    selection = dg.AssetSelection.assets(KEY)
    dg.materialize(
        [toy, build_gate(gate)],  # type: ignore[list-item]
        selection=selection if check else selection.without_checks(),
        partition_key=year,
        instance=instance,
        raise_on_error=False,
    )


def closed(instance: dg.DagsterInstance, version: str, year: str = "2023") -> str:
    with pytest.raises(GateClosed) as caught:
        require(instance, "A stage", [Consumed((GATE,), version, year)])
    return str(caught.value.description)


def test_a_pass_of_the_consumed_version_opens(instance: dg.DagsterInstance) -> None:
    materialize(instance, "2023", "v1", passed=True)
    require(instance, "A stage", [Consumed((GATE,), "v1", "2023")])


def test_no_record_is_a_refusal(instance: dg.DagsterInstance) -> None:
    materialize(instance, "2023", "v1", passed=True, check=False)
    assert "enough of curated/toy, fiscal year 2023: has no record" in closed(instance, "v1")


def test_another_years_pass_does_not_count(instance: dg.DagsterInstance) -> None:
    materialize(instance, "2024", "v1", passed=True)
    assert "has no record" in closed(instance, "v1", "2023")


def test_many_evaluations_of_another_year_close_no_gate(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gates, "HISTORY", 1)
    materialize(instance, "2023", "v1", passed=True)
    materialize(instance, "2024", "v2", passed=True)
    require(instance, "A stage", [Consumed((GATE,), "v1", "2023")])


def test_a_failure_is_a_refusal(instance: dg.DagsterInstance) -> None:
    materialize(instance, "2023", "v1", passed=False)
    assert "fiscal year 2023: failed" in closed(instance, "v1")


def test_a_stale_pass_is_no_pass(instance: dg.DagsterInstance) -> None:
    materialize(instance, "2023", "v1", passed=True)
    materialize(instance, "2023", "v2", passed=True, check=False)
    assert "about other data versions, not about v2" in closed(instance, "v2")


def test_the_consumed_version_counts_not_the_newest(instance: dg.DagsterInstance) -> None:
    materialize(instance, "2023", "v1", passed=True)
    materialize(instance, "2023", "v2", passed=False)
    require(instance, "A stage", [Consumed((GATE,), "v1", "2023")])
    assert "failed" in closed(instance, "v2")


def test_a_later_failure_on_the_same_version_closes(instance: dg.DagsterInstance) -> None:
    materialize(instance, "2023", "v1", passed=True)
    materialize(instance, "2023", "v1", passed=False)
    assert "failed" in closed(instance, "v1")


def test_a_pass_of_an_earlier_materialization_is_none_of_the_next(instance: dg.DagsterInstance) -> None:
    """An adapter's bytes stay the same where only its evaluation has changed."""

    def consumed() -> list[Consumed]:
        run_id = provenance.latest(instance, KEY, "2023").run_id
        return [Consumed((GATE,), "v1", "2023", run_id)]

    materialize(instance, "2023", "v1", passed=True)
    require(instance, "A stage", consumed())
    materialize(instance, "2023", "v1", passed=True, check=False)
    with pytest.raises(GateClosed, match="its records are about earlier materializations of this data version"):
        require(instance, "A stage", consumed())
    materialize(instance, "2023", "v1", passed=True)
    require(instance, "A stage", consumed())


def test_every_closed_gate_is_named(instance: dg.DagsterInstance) -> None:
    other = dg.AssetCheckKey(KEY, "scrubbed")
    with pytest.raises(GateClosed) as caught:
        require(instance, "A stage", [Consumed((GATE, other), "v1", "2023")])
    assert "enough" in str(caught.value.description) and "scrubbed" in str(caught.value.description)
    assert caught.value.allow_retries is False


def test_a_range_leaves_a_record_for_each_year(instance: dg.DagsterInstance) -> None:
    @dg.asset(key=KEY, partitions_def=FISCAL_YEARS, backfill_policy=dg.BackfillPolicy.single_run())
    def toy() -> dg.MaterializeResult:  # type: ignore[type-arg]
        return dg.MaterializeResult(data_version=dg.DataVersion("v"))

    gate = Gate(GATE, "Enough.", lambda made: Verdict(made.partition == "2023", 1, 2, ""), FISCAL_YEARS)
    tags = {"dagster/asset_partition_range_start": "2023", "dagster/asset_partition_range_end": "2024"}
    dg.materialize([toy, build_gate(gate)], instance=instance, tags=tags, raise_on_error=False)  # type: ignore[list-item]
    require(instance, "A stage", [Consumed((GATE,), "v", "2023")])
    assert "2024: failed" in closed(instance, "v", "2024")


def test_a_backfills_range_of_one_year_leaves_that_years_record(instance: dg.DagsterInstance) -> None:
    @dg.asset(key=KEY, partitions_def=FISCAL_YEARS, backfill_policy=dg.BackfillPolicy.multi_run(1))
    def toy() -> dg.MaterializeResult:  # type: ignore[type-arg]
        return dg.MaterializeResult(data_version=dg.DataVersion("v"))

    materialize(instance, "2023", "v", passed=True)
    gate = Gate(GATE, "Enough.", lambda made: Verdict(False, 1, 2, ""), FISCAL_YEARS)
    tags = {"dagster/asset_partition_range_start": "2023", "dagster/asset_partition_range_end": "2023"}
    dg.materialize([toy, build_gate(gate)], instance=instance, tags=tags, raise_on_error=False)  # type: ignore[list-item]
    assert "2023: failed" in closed(instance, "v")


def test_consumed_years_name_each_years_own_version() -> None:
    consumed = gates.consumed_years({"2024": "b", "2023": "a"})
    assert [(item.partition, item.data_version) for item in consumed] == [("2023", "a"), ("2024", "b")]


def test_a_years_gates_can_be_asked_again_without_making_the_year(instance: dg.DagsterInstance) -> None:
    """As the demonstration does after a threshold was mended."""

    @dg.asset(key=KEY, partitions_def=FISCAL_YEARS)
    def toy() -> dg.MaterializeResult:  # type: ignore[type-arg]
        return dg.MaterializeResult(data_version=dg.DataVersion("v"))

    materialize(instance, "2023", "v", passed=False)
    gate = Gate(GATE, "Enough.", lambda made: Verdict(True, 1, 0, ""), FISCAL_YEARS)
    dg.materialize(
        [toy, build_gate(gate)],  # type: ignore[list-item]
        selection=dg.AssetSelection.checks_for_assets(KEY),
        tags={"dagster/partition": "2023"},
        instance=instance,
    )
    require(instance, "A stage", [Consumed((GATE,), "v", "2023")])
