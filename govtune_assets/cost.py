"""What a training job will cost and did cost: the price table, the estimate before the start, the bill after the end.

The estimate comes from the configuration (instances, spot, longest run), the tokens to be trained on, and what an
earlier run with the same settings measured. Without such a run it is an upper bound: the longest run allowed.

    seconds  = min(max_runtime_seconds, overhead + tokens / tokens per second)
    cost     = seconds * instances * price per hour / 3600 * share of the price that spot costs

The bill is exact as far as the price is: SageMaker bills BillableTimeInSeconds times the number of instances at the
on-demand price, and what spot saves shows as fewer billable seconds (API reference of DescribeTrainingJob).
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import dagster as dg
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from train.config import TrainingConfiguration

SECONDS_PER_HOUR = 3600

SCALED = frozenset({"data.max_train_rows", "optimization.epochs", "optimization.max_steps"})
"""Settings that change how long a training is, which an estimate reckons."""

IDLE = frozenset(
    {
        "name",
        "description",
        "enabled",
        "experiment",
        "registered_model",
        "base_model.license",
        "base_model.token_secret",
        "compute.max_runtime_seconds",
        "compute.max_wait_seconds",
        "compute.volume_gib",
        "optimization.learning_rate",
        "optimization.schedule",
        "optimization.warmup_fraction",
        "optimization.weight_decay",
        "optimization.max_gradient_norm",
        "optimization.seed",
    }
)
"""Settings that a training's time does not depend on. One that is not named here, such as a new one, makes an earlier
run another: the estimate is then the upper bound."""


class CostError(Exception):
    """The price table cannot be used; the message names the file and what is wrong."""


class Price(BaseModel):
    """What one instance costs on demand, and where that stands."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    usd_per_hour: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    row: str = ""
    """Usage type in the price list."""
    date: dt.date
    """Day of the list, or on which it was read."""


class PriceTable(BaseModel):
    """A price file: `regions` maps a region to its instance types."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: str = Field(min_length=1)
    spot_share: Annotated[float, Field(gt=0, le=1)] = 1.0
    regions: dict[str, dict[str, Price]]


@dataclass(frozen=True)
class Prices:
    """The prices of one region."""

    region: str
    table: PriceTable

    def of(self, instance_type: str) -> Price | None:
        """The price of an instance type, or None where the table has none."""
        return self.table.regions.get(self.region, {}).get(instance_type)

    def say(self, instance_type: str) -> str:
        """The price in words, with its source and day."""
        price = self.of(instance_type)
        if price is None:
            return (
                f"no price for {instance_type} in {self.region}: add it to a price file of your own and name that by "
                "GOVTUNE_PRICES"
            )
        return (
            f"{price.usd_per_hour:g} USD an hour for {instance_type} in {self.region} on {price.date} "
            f"({self.table.source}{f', row {price.row}' if price.row else ''})"
        )


def load_prices(path: Path, region: str) -> Prices:
    """Read a price file.

    Raises:
        CostError: it cannot be read, or has an unknown, missing or impossible value.
    """
    try:
        table = PriceTable.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise CostError(f"price file {path}: {' '.join(str(error).split())}") from error
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, one['loc'])) or 'file'}: {one['msg']}"
            for one in error.errors(include_url=False, include_context=False)
        )
        raise CostError(f"price file {path}: {problems}") from None
    return Prices(region, table)


@dataclass(frozen=True)
class Measured:
    """What an earlier run showed whose settings were the same, but for those of `SCALED` and `IDLE`.

    `overhead_seconds` is what it was billed beside the training itself: download, evaluation, upload. `tokens_per_row`
    counts a row once for each pass. `spot_share` is the share of its running time that was billed. `rows_share` is the
    share of the train split's rows that trained: those of the configuration's tasks that were not too long.
    """

    tokens_per_second: float
    overhead_seconds: float
    tokens_per_row: float
    spot_share: float
    rows_share: float = 1.0

    @classmethod
    def read(cls, metadata: Mapping[str, Any], configuration: TrainingConfiguration) -> "Measured | None":
        """From an adapter's materialization; None where other settings were trained, or nothing was measured."""
        names = ("tokens_per_second", "train_seconds", "training_seconds", "billable_seconds", "rows_train", "steps")
        of = metadata.get("cost_basis") or {}
        if of.get("settings") != _settings(configuration):
            return None
        try:
            speed, trained, ran, billed, rows, steps = (float(metadata[name]) for name in names)
            resumed_from = float(metadata.get("resumed_from") or 0)
        except (KeyError, TypeError, ValueError):
            return None
        passed = _rows_passed(configuration, of["epochs"], of["max_steps"], rows, steps, resumed_from)
        if min(speed, trained, ran, billed, passed) <= 0:
            return None
        # Of rows that max_train_rows has cut, nobody knows how many there were.
        uncut, offered = of["max_train_rows"] is None or rows < of["max_train_rows"], of["rows"]
        share = min(rows / offered, 1.0) if offered and uncut else 1.0
        return cls(speed, max(ran - trained, 0.0), speed * trained / passed, min(billed / ran, 1.0), share)


@dataclass(frozen=True)
class Estimate:
    """What a job may cost. `usd` is None where there is no price; `basis` says what it was reckoned from."""

    usd: float | None
    seconds: float
    spot_share: float
    basis: str


def training_tokens(configuration: TrainingConfiguration, rows: int, measured: Measured | None) -> int | None:
    """Tokens that the configuration will be trained on, of `rows` rows in the train split; None before any run."""
    if measured is None:
        return None
    options, data = configuration.optimization, configuration.data
    expected = rows * measured.rows_share
    tokens = min(expected, data.max_train_rows or expected) * options.epochs * measured.tokens_per_row
    if options.max_steps is not None:
        # A packed row holds no more than data.max_length tokens.
        longest = data.max_length if data.packing else measured.tokens_per_row
        tokens = min(tokens, options.max_steps * _rows_per_step(configuration) * longest)
    return round(tokens)


def basis(configuration: TrainingConfiguration, rows: int | None) -> dict[str, Any]:
    """What the next estimate must know of this training, as metadata; `rows` are those of the train split."""
    options = configuration.optimization
    scaled = {"epochs": options.epochs, "max_steps": options.max_steps}
    limit = {"max_train_rows": configuration.data.max_train_rows}
    return {"cost_basis": {"settings": _settings(configuration), **scaled, **limit, "rows": rows}}


def estimate(
    configuration: TrainingConfiguration, tokens: int | None, prices: Prices, *, measured: Measured | None = None
) -> Estimate:
    """The cost of a job before its start.

    Args:
        configuration: what is to be trained, and on which instances.
        tokens: tokens to be trained on, all passes together; None where nobody knows.
        prices: prices of the region.
        measured: what an earlier run showed; without it or without `tokens` the longest run allowed is reckoned.
    """
    compute = configuration.compute
    longest = float(compute.max_runtime_seconds)
    if measured is None or tokens is None:
        seconds, basis = longest, f"upper bound: compute.max_runtime_seconds, {longest:.0f} s"
    else:
        seconds = min(longest, measured.overhead_seconds + tokens / measured.tokens_per_second)
        basis = (
            f"{tokens} tokens at {measured.tokens_per_second:.0f} tokens/s and {measured.overhead_seconds:.0f} s "
            "beside them, as an earlier run measured"
        )
    share = 1.0
    if compute.spot:
        share = measured.spot_share if measured else prices.table.spot_share
        basis += f"; spot at {share:.0%} of the on-demand price"
    price = prices.of(compute.instance_type)
    usd = None if price is None else _usd(compute.instance_count, seconds * share, price)
    basis += f"; {compute.instance_count} x {prices.say(compute.instance_type)}"
    return Estimate(usd, seconds, share, basis)


def billed(configuration: TrainingConfiguration, billable_seconds: int, prices: Prices) -> float | None:
    """What SageMaker bills for a job's instances, USD; None where there is no price."""
    price = prices.of(configuration.compute.instance_type)
    return None if price is None else _usd(configuration.compute.instance_count, billable_seconds, price)


def require_budget(expected: Estimate, budget_usd: float | None, what: str) -> None:
    """Refuse a launch that may cost more than the budget, or whose cost nobody knows.

    Raises:
        dagster.Failure: with the figures; it is not tried again.
    """
    if budget_usd is None or (expected.usd is not None and expected.usd <= budget_usd):
        return
    cost = "an unknown amount" if expected.usd is None else f"{expected.usd:.2f} USD"
    raise dg.Failure(
        f"{what} may cost {cost}, the budget is {budget_usd:.2f} USD (GOVTUNE_TRAINING_BUDGET_USD): nothing was "
        f"started. The estimate: {expected.basis}.",
        metadata={**estimate_metadata(expected), "Budget (USD)": budget_usd},
        allow_retries=False,
    )


def estimate_metadata(expected: Estimate) -> dict[str, Any]:
    """The estimate as it stands in the UI."""
    known = {} if expected.usd is None else {"Estimated cost (USD)": round(expected.usd, 4)}
    return {**known, "Cost estimate": expected.basis}


def billed_metadata(configuration: TrainingConfiguration, job: Mapping[str, Any], prices: Prices) -> dict[str, float]:
    """The bill as it stands in the UI, from DescribeTrainingJob's answer; empty for a job that never ran."""
    if "BillableTimeInSeconds" not in job:
        return {}
    seconds, running = int(job["BillableTimeInSeconds"]), int(job.get("TrainingTimeInSeconds", 0))
    metadata: dict[str, float] = {}
    if (usd := billed(configuration, seconds, prices)) is not None:
        metadata["Billed cost (USD)"] = round(usd, 4)
    if configuration.compute.spot and running:
        metadata["Spot saving (%)"] = round(100 * (1 - seconds / running), 1)
    return metadata


def _usd(instances: int, seconds: float, price: Price) -> float:
    return instances * seconds * price.usd_per_hour / SECONDS_PER_HOUR


def _settings(configuration: TrainingConfiguration) -> dict[str, Any]:
    """The settings on which speed, tokens a row and the time beside the training depend."""
    return {
        name: {field: inner for field, inner in value.items() if f"{name}.{field}" not in SCALED | IDLE}
        if isinstance(value, dict)
        else value
        for name, value in configuration.as_parameters().items()
        if name not in IDLE
    }


def _rows_passed(
    configuration: TrainingConfiguration,
    epochs: float,
    max_steps: int | None,
    rows: float,
    steps: float,
    resumed_from: float,
) -> float:
    """Rows that an earlier job has trained on, each pass counted; 0 where nobody can tell.

    What a job before it had trained on already is not in its seconds.
    """
    if not configuration.data.packing:
        per_step = _rows_per_step(configuration)
        return min(rows * epochs, steps * per_step) - resumed_from * per_step
    if steps <= 0 or (max_steps is not None and steps >= max_steps):
        return 0.0
    return rows * epochs * (1 - resumed_from / steps)


def _rows_per_step(configuration: TrainingConfiguration) -> int:
    options = configuration.optimization
    processes = configuration.compute.instance_count * configuration.processes
    return processes * options.batch_size * options.gradient_accumulation
