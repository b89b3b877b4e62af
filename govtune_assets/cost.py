"""What a training job will cost and did cost: the price table, the estimate before the start, the bill after the end.

The estimate comes from the configuration (instances, spot, longest run), the tokens to be trained on, and what an
earlier run of the same configuration measured. Without such a run it is an upper bound: the longest run allowed.

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
    """What an earlier run of the same configuration on the same instance type showed.

    `overhead_seconds` is what it was billed beside the training itself: download, evaluation, upload. `tokens_per_row`
    counts a row once for each pass. `spot_share` is the share of its running time that was billed.
    """

    tokens_per_second: float
    overhead_seconds: float
    tokens_per_row: float
    spot_share: float

    @classmethod
    def read(cls, metadata: Mapping[str, Any], configuration: TrainingConfiguration) -> "Measured | None":
        """From an adapter's materialization; None where it was of another instance type, or measured nothing."""
        names = ("tokens_per_second", "train_seconds", "training_seconds", "billable_seconds", "rows_train", "steps")
        if metadata.get("instance_type") != configuration.compute.instance_type:
            return None
        try:
            speed, trained, ran, billed, rows, steps = (float(metadata[name]) for name in names)
            resumed_from = float(metadata.get("resumed_from") or 0)
        except (KeyError, TypeError, ValueError):
            return None
        per_step = _rows_per_step(configuration)
        # What an earlier job had trained on already is not in this one's seconds.
        passed = min(rows * configuration.optimization.epochs, steps * per_step) - resumed_from * per_step
        if min(speed, trained, ran, billed, passed) <= 0:
            return None
        return cls(speed, max(ran - trained, 0.0), speed * trained / passed, min(billed / ran, 1.0))


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
    options, limit = configuration.optimization, configuration.data.max_train_rows
    passed = min(rows, limit or rows) * options.epochs
    if options.max_steps is not None:
        passed = min(passed, options.max_steps * _rows_per_step(configuration))
    return round(passed * measured.tokens_per_row)


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


def _rows_per_step(configuration: TrainingConfiguration) -> int:
    options = configuration.optimization
    processes = configuration.compute.instance_count * configuration.processes
    return processes * options.batch_size * options.gradient_accumulation
