"""Estimate, budget and bill of a training job."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest

from govtune_assets import cost
from govtune_assets.settings import PRICES, Settings
from train.config import CONFIGS, TrainingConfiguration, load, load_all, parse

TABLE = """
source: a test
spot_share: 0.5
regions:
  us-east-1:
    ml.g6e.2xlarge: {usd_per_hour: 3.6, date: 2026-01-02}
"""


@pytest.fixture
def prices(tmp_path: Path) -> cost.Prices:
    return written(tmp_path, TABLE)


def written(folder: Path, text: str) -> cost.Prices:
    path = folder / "prices.yaml"
    path.write_text(text)
    return cost.load_prices(path, "us-east-1")


def configuration(
    *, instances: int = 1, spot: bool = False, runtime: int = 7200, **data: object
) -> TrainingConfiguration:
    values = load(CONFIGS / "ministral-3-3b.yaml").as_parameters()
    values["compute"] |= {
        "instance_type": "ml.g6e.2xlarge",
        "instance_count": instances,
        "spot": spot,
        "max_runtime_seconds": runtime,
        "max_wait_seconds": 2 * runtime if spot else None,
    }
    values["distribution"] = {"strategy": "ddp"} if instances > 1 else {}
    values["optimization"] |= {"epochs": 2.0, "max_steps": None, "batch_size": 4, "gradient_accumulation": 2}
    values["data"] |= {"max_train_rows": None, **data}
    return parse(values, source="test")


def earlier(of: TrainingConfiguration | None = None, rows: int | None = 100, **changes: object) -> dict[str, object]:
    """An adapter's metadata: 100 rows twice, 200,000 tokens in 100 s, 160 s on the instance, 80 s billed.

    `of` is what was trained, `rows` the snapshot's rows in the train split at that time.
    """
    return {
        **cost.basis(of or configuration(), rows),
        "instance_type": "ml.g6e.2xlarge",
        "tokens_per_second": 2000.0,
        "train_seconds": 100.0,
        "training_seconds": 160,
        "billable_seconds": 80,
        "rows_train": 100,
        "steps": 25,
    } | changes


def test_without_an_earlier_run_the_longest_run_is_the_bound(prices: cost.Prices) -> None:
    expected = cost.estimate(configuration(instances=2), None, prices)
    assert expected.usd == pytest.approx(2 * 2 * 3.6)
    assert expected.basis.startswith("upper bound: compute.max_runtime_seconds, 7200 s")
    assert "3.6 USD an hour for ml.g6e.2xlarge in us-east-1 on 2026-01-02 (a test)" in expected.basis


def test_spot_takes_the_tables_share_off_until_a_run_has_shown_its_own(prices: cost.Prices) -> None:
    spot = configuration(spot=True)
    assert cost.estimate(spot, None, prices).usd == pytest.approx(0.5 * 2 * 3.6)
    measured = cost.Measured.read(earlier(spot, billable_seconds=40), spot)
    assert measured is not None
    assert cost.estimate(spot, None, prices, measured=measured).usd == pytest.approx(0.25 * 2 * 3.6)


def test_an_earlier_run_gives_speed_length_of_rows_and_what_comes_beside(prices: cost.Prices) -> None:
    wanted = configuration()
    measured = cost.Measured.read(earlier(), wanted)
    assert measured == cost.Measured(2000.0, 60.0, 1000.0, 0.5, 1.0)
    assert cost.Measured.read(earlier(resumed_from=5), wanted) == cost.Measured(2000.0, 60.0, 1250.0, 0.5, 1.0)
    tokens = cost.training_tokens(wanted, 300, measured)
    assert tokens == 300 * 2 * 1000
    expected = cost.estimate(wanted, tokens, prices, measured=measured)
    assert expected.seconds == pytest.approx(60 + 300)
    assert expected.usd == pytest.approx(0.36)
    assert cost.training_tokens(configuration(max_train_rows=50), 300, measured) == 50 * 2 * 1000


@pytest.mark.parametrize(
    ("section", "changed"),
    [
        ("base_model", {"name": "someone/larger"}),
        ("compute", {"threads": 2}),
        ("data", {"max_length": 8192}),
        ("lora", {"rank": 128}),
        ("optimization", {"batch_size": 16}),
        ("evaluation", {"max_new_tokens": 512}),
    ],
)
def test_a_run_with_other_settings_tells_nothing_of_this_one(section: str, changed: dict[str, object]) -> None:
    """Otherwise a budget would be held against the cost of another training."""
    values = configuration().as_parameters()
    values[section] |= changed
    assert cost.Measured.read(earlier(), parse(values, source="test")) is None


def test_what_only_makes_a_run_longer_is_reckoned(prices: cost.Prices) -> None:
    """An earlier run of one epoch, for one of four: its rows were passed once."""
    values = configuration(runtime=600).as_parameters()
    values |= {"description": "Another."}
    values["optimization"] |= {"epochs": 4.0, "learning_rate": 1e-3}
    longer = parse(values, source="test")
    values["optimization"] |= {"epochs": 1.0}
    measured = cost.Measured.read(earlier(parse(values, source="test")), longer)
    assert measured is not None
    assert measured.tokens_per_row == 2000.0
    assert cost.training_tokens(longer, 100, measured) == 4 * 100 * 2000


def test_packed_rows_are_counted_as_the_snapshots_rows(prices: cost.Prices) -> None:
    """25 steps of 8 packed rows held 200 examples four times over: a step is no measure of them."""
    packed = configuration(packing=True)
    measured = cost.Measured.read(earlier(packed, steps=6, rows_train=100), packed)
    assert measured is not None
    assert measured.tokens_per_row == 200_000 / (100 * 2)
    assert cost.training_tokens(packed, 100, measured) == 200_000
    halfway = cost.Measured.read(earlier(packed, steps=6, resumed_from=3), packed)
    assert halfway is not None and halfway.tokens_per_row == 200_000 / (100 * 2 / 2)


def test_of_packed_rows_that_were_stopped_nobody_knows_the_number() -> None:
    values = configuration(packing=True).as_parameters()
    values["optimization"] |= {"max_steps": 6}
    stopped = parse(values, source="test")
    assert cost.Measured.read(earlier(stopped, steps=6), stopped) is None
    measured = cost.Measured.read(earlier(configuration(packing=True), steps=60), stopped)
    assert measured is not None
    most = 6 * 8 * stopped.data.max_length
    assert cost.training_tokens(stopped, 10**9, measured) == most


def test_the_share_of_the_snapshot_that_trained_is_taken_again() -> None:
    """Of 400 rows 100 are of the configuration's tasks; and a cut says nothing of how many there were."""
    some = configuration()
    measured = cost.Measured.read(earlier(some, rows=400), some)
    assert measured is not None and measured.rows_share == 0.25
    assert cost.training_tokens(some, 800, measured) == 200 * 2 * 1000
    cut = configuration(max_train_rows=100)
    bounded = cost.Measured.read(earlier(cut, rows=400), cut)
    assert bounded is not None and bounded.rows_share == 1.0
    unknown = cost.Measured.read(earlier(some, rows=None), some)
    assert unknown is not None and unknown.rows_share == 1.0


def test_no_job_is_reckoned_longer_than_it_may_run(prices: cost.Prices) -> None:
    wanted = configuration(runtime=600)
    measured = cost.Measured.read(earlier(), wanted)
    assert measured is not None
    assert cost.estimate(wanted, 10**9, prices, measured=measured).seconds == 600


@pytest.mark.parametrize(
    "changes",
    [
        {"cost_basis": None},
        {"cost_basis": {}},
        {"tokens_per_second": 0.0},
        {"billable_seconds": None},
        {"steps": "many"},
    ],
)
def test_a_run_that_tells_nothing_of_this_one_is_passed_over(changes: dict[str, object]) -> None:
    assert cost.Measured.read(earlier(**changes), configuration()) is None


def test_the_bill_is_billable_seconds_times_instances(prices: cost.Prices) -> None:
    assert cost.billed(configuration(instances=3), 100, prices) == pytest.approx(3 * 100 * 3.6 / 3600)
    job = {"BillableTimeInSeconds": 100, "TrainingTimeInSeconds": 400}
    assert cost.billed_metadata(configuration(spot=True), job, prices) == {
        "Billed cost (USD)": 0.1,
        "Spot saving (%)": 75.0,
    }
    assert cost.billed_metadata(configuration(), {}, prices) == {}


def test_a_budget_refuses_what_is_above_it_and_what_nobody_knows(prices: cost.Prices) -> None:
    known = cost.estimate(configuration(), None, prices)
    cost.require_budget(known, 7.2, "Training x")
    cost.require_budget(known, None, "Training x")
    with pytest.raises(
        dg.Failure, match=r"may cost 7\.20 USD, the budget is 7\.19 USD .*nothing was started"
    ) as refused:
        cost.require_budget(known, 7.19, "Training x")
    assert refused.value.allow_retries is False
    unknown = cost.estimate(configuration(), None, cost.Prices("eu-west-9", prices.table))
    assert unknown.usd is None
    cost.require_budget(unknown, None, "Training x")
    with pytest.raises(dg.Failure, match="GOVTUNE_PRICES"):
        cost.require_budget(unknown, 1000.0, "Training x")


def test_the_shipped_table_is_dated_and_names_its_rows() -> None:
    table = cost.load_prices(PRICES, "us-east-1").table
    rows = [(name, price) for region in table.regions.values() for name, price in region.items()]
    assert rows
    assert all(price.row.endswith(f":{name}") for name, price in rows)
    assert cost.load_prices(PRICES, "us-east-1").of("ml.g5.2xlarge") is not None


def test_every_configuration_has_an_estimate_or_says_what_is_missing() -> None:
    prices = cost.load_prices(Settings().prices, "us-east-1")
    for one in load_all().values():
        expected = cost.estimate(one, None, prices)
        assert (expected.usd is None) == ("no price for" in expected.basis)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "source: x\nregions: {us-east-1: {ml.a: {usd_per_hour: -1, date: 2026-01-01}}}",
            r"usd_per_hour.*greater than 0",
        ),
        ("source: x\nregions: {us-east-1: {ml.a: {usd_per_hour: .nan, date: 2026-01-01}}}", "finite number"),
        ("source: x\nregions: {us-east-1: {ml.a: {usd_per_hour: 1}}}", r"ml\.a\.date: Field required"),
        ("source: x\nspot_share: 2\nregions: {}", "spot_share"),
        ("regions: {}", "source: Field required"),
        ("- 1", "valid dictionary"),
        ("{", "prices.yaml: while parsing"),
    ],
)
def test_a_price_file_with_an_impossible_value_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(cost.CostError, match=problem):
        written(tmp_path, text)
    with pytest.raises(cost.CostError, match="No such file"):
        cost.load_prices(tmp_path / "nowhere.yaml", "us-east-1")
