"""Curation on growing generated corpora: the submitted jobs' rows a second, their growth, and public tools beside them.

    .venv/bin/python -m benchmarks.curation
    .venv/bin/python -m benchmarks.curation --sizes 10000,31000,100000,316000,1000000
    .venv/bin/python -m benchmarks.curation --sizes 100000 --parts near,cleaning --beside 3

What the corpora hold is said in `curation_corpus.py`; a row is a risk factor. Parts:

- `examples`: the job `examples` (cleaning, scrubbing, labels, mix, the table and its measures), a year after the other
- `snapshot`: the job `snapshot` (near-duplicates, splits, leaks, the table, its measures and its manifest), all years
- `near`: near-duplicate clusters of the bodies alone, as datatrove finds them
- `cleaning`: cleaning, scrubbing, labels and cutting alone, as a plain pandas program does them

Both jobs are those that are submitted, on Delta tables in a local folder. Each size is a process of its own: local
Spark on two cores, with the given memory for driver and executors together. Generating the corpus is not counted. The
parts run once on 1,000 rows first (compiled plans, workers, Delta logs); that is stated apart, and so is the start of
the session. `near` and `cleaning` run on them a second time: so much Spark's fixed cost is from then on. Seconds are by
the clock; CPU seconds are of all processes, which a busy machine changes less: rows per CPU second are rows a second
per core.

`--beside N` runs the parts `near` and `cleaning` N times on the same rows, each in turn with datatrove's
near-duplicates or the same cleaning in plain pandas, and prints the ratios of the medians. datatrove's environment,
`.cache/benchmark-venv`, is built from `constraints/benchmarks.txt`.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import curation_corpus
from benchmarks.peers import peers_interpreter
from benchmarks.processes import CpuTime, Memory

ROOT = Path(__file__).resolve().parent.parent
CORES = 2
FIRST_ROWS = 1000
FIRST, FIXED = ", first", ", fixed"
JOBS, ALONE = ("examples", "snapshot"), ("near", "cleaning")
RAW, EXAMPLES, SNAPSHOT = "raw.risk_factors", "curated.risk_factor_examples", "curated.training_snapshot"
VERSIONS = "curated.dataset_versions"
RUN_OF = {"run_id": "benchmark", "code_version": "benchmark"}


@dataclass(frozen=True)
class Timed:
    """One measurement: its name, rows, seconds by the clock and of CPU, and what it found."""

    name: str
    rows: int
    seconds: float
    cpu_seconds: float
    found: str

    @property
    def rate(self) -> float:
        """Rows a second of one core."""
        return self.rows / self.cpu_seconds


def main() -> None:
    """Measure each size and print a table, the growth, and the tools beside it."""
    args = arguments()
    if args.one:
        one(args.one, args)
        return
    work = Path(tempfile.mkdtemp(prefix="curation-", dir=args.work))
    try:
        results: list[Timed] = []
        for rows in args.sizes:
            measured = measured_apart(rows, args, work)
            results += measured
            print_ratios(measured)
        print_growth([result for result in results if not result.name.endswith(FIXED)])
    finally:
        shutil.rmtree(work)


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=numbers, default=[10_000, 31_000, 100_000], help="rows, in whole thousands")
    parser.add_argument("--parts", type=parts_of, default=list(JOBS), help=", ".join((*JOBS, *ALONE)))
    parser.add_argument("--words", type=int, default=curation_corpus.WORDS, help="words of a body on average")
    parser.add_argument("--memory", default="4g", help="memory of driver and executors together (4g)")
    parser.add_argument("--beside", type=int, default=0, help="how often to run datatrove and pandas on the same rows")
    parser.add_argument("--work", type=Path, help="folder for corpora and shuffles (the system's temporary one)")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    return parser.parse_args()


def parts_of(text: str) -> list[str]:
    """The parts' names; the snapshot needs the examples."""
    found = text.split(",")
    if wrong := set(found) - {*JOBS, *ALONE}:
        raise argparse.ArgumentTypeError(f"no such part: {', '.join(sorted(wrong))}")
    if "snapshot" in found and "examples" not in found:
        raise argparse.ArgumentTypeError("the snapshot is made of the examples: ask for both")
    return found


def numbers(text: str) -> list[int]:
    """Row counts, each a whole number of blocks."""
    found = [int(part) for part in text.split(",")]
    if any(number < FIRST_ROWS or number % curation_corpus.BLOCK for number in found):
        raise argparse.ArgumentTypeError(f"sizes are whole multiples of {curation_corpus.BLOCK}, not {text}")
    return found


def measured_apart(rows: int, args: argparse.Namespace, work: Path) -> list[Timed]:
    """Measure one size in a process of its own; print and return what it says."""
    options = {
        "spark.driver.memory": args.memory,
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.local.dir": str(work),
        "spark.sql.warehouse.dir": str(work / "warehouse"),
        "spark.jars": ",".join(map(str, sorted((ROOT / ".cache" / "jars").glob("*.jar")))),
        "spark.log.level": "ERROR",
    }
    submit = [f"--master local[{CORES}]", *(f"--conf {name}={value}" for name, value in options.items())]
    environment = os.environ | {
        "PYSPARK_PYTHON": sys.executable,
        "PYTHONPATH": str(ROOT),
        "PYSPARK_SUBMIT_ARGS": " ".join([*submit, "pyspark-shell"]),
    }
    command = [sys.executable, "-m", "benchmarks.curation", "--one", str(rows), "--parts", ",".join(args.parts)]
    command += ["--words", str(args.words), "--beside", str(args.beside), "--work", str(work)]
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
    results = []
    with Memory(process.pid) as memory:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("{"):
                results.append(Timed(**json.loads(line)))
                show(results[-1])
    if process.wait():
        raise RuntimeError(f"the measurement of {rows} rows ended with status {process.returncode}")
    print(f"peak memory of all processes at {rows:,} rows: {memory.peak / 2**20:,.0f} MiB", flush=True)
    return [result for result in results if result.rows == rows or result.name.endswith(FIXED)]


def one(rows: int, args: argparse.Namespace) -> None:
    """Measure one size in this process: first 1,000 rows, then all. Prints a JSON line for each measurement."""
    with CpuTime(os.getpid()) as cpu:
        _one(rows, args, Clock(cpu))


def _one(rows: int, args: argparse.Namespace, clock: Clock) -> None:
    with clock.timed("session", 0) as session:
        from spark.session import open_session

        spark = open_session("curation")
        session.found = "started"
    for count in (FIRST_ROWS, rows):
        folder = args.work / f"corpus-{count}"
        raw = str(folder / RAW)
        corpus = curation_corpus.raw(spark, count, args.words)
        corpus.write.format("delta").mode("overwrite").partitionBy("fiscal_year").save(raw)
        parts = RunJobs(spark, folder)
        run: Mapping[str, Callable[[], str]] = {
            "examples": parts.examples,
            "snapshot": parts.snapshot,
            "near": parts.near,
            "cleaning": parts.cleaning,
        }
        for part in [part for part in args.parts if part in JOBS]:
            with clock.timed(part, count, FIRST if count == FIRST_ROWS else "") as measurement:
                measurement.found = run[part]()
        alone = [part for part in args.parts if part in ALONE]
        if count == FIRST_ROWS:
            measure_fixed(alone, run, clock)
            continue
        for part in [part for _ in range(args.beside or 1) for part in alone]:
            with clock.timed(part, count) as measurement:
                measurement.found = run[part]()
            if args.beside:
                print(json.dumps(asdict(PEERS[part](folder / RAW, args.work))), flush=True)
    spark.stop()


def measure_fixed(parts: list[str], run: Mapping[str, Callable[[], str]], clock: Clock) -> None:
    """Run the parts on the first rows, and again: what so few rows cost once plans and workers are there."""
    for part, kind in [(part, kind) for part in parts for kind in (FIRST, FIXED)]:
        with clock.timed(part, FIRST_ROWS, kind) as measurement:
            measurement.found = run[part]()


@dataclass
class _Open:
    found: str = ""


class Clock:
    """Times parts by the clock and by the CPU time of this process and those below it."""

    def __init__(self, cpu: CpuTime) -> None:
        self._cpu = cpu

    @contextmanager
    def timed(self, name: str, rows: int, kind: str = "") -> Iterator[_Open]:
        """Time what happens inside and print it as one JSON line; `kind` is added to the name."""
        told = _Open()
        start, cpu = time.perf_counter(), self._cpu.seconds()
        yield told
        spent = self._cpu.seconds() - cpu
        result = Timed(name + kind, rows, time.perf_counter() - start, spent, told.found)
        print(json.dumps(asdict(result)), flush=True)


class RunJobs:
    """The two jobs, and their costliest steps alone, on the tables of one folder."""

    def __init__(self, spark: Any, folder: Path) -> None:
        from benchmarks.folder_tables import FolderTables

        self._tables = FolderTables(spark, folder)
        self._roots: dict[str, str] = {}

    def near(self) -> str:
        """Cluster the bodies."""
        return near(bodies(self._raw()))

    def cleaning(self) -> str:
        """Clean, scrub, label and cut the risk factors."""
        return cleaning(self._raw())

    def _raw(self) -> Any:
        return self._tables.read(RAW, version=0)

    def examples(self) -> str:
        """Make the examples, a year after the other."""
        from spark.digests import raw_root
        from spark.jobs import examples

        own = {"source_table": RAW, "target_table": EXAMPLES, "target_location": self._tables.location(EXAMPLES)}
        made = 0
        for year in curation_corpus.YEARS:
            content = raw_root(self._raw().where(f"fiscal_year = {year}"))
            report = examples.run(self._tables, {**RUN_OF, **own, "fiscal_year": year, "source_content": content})
            self._roots[str(year)] = report.data_version
            made += sum(report.metadata["rows_by_task"].values())
        return f"{made} examples"

    def snapshot(self) -> str:
        """Freeze all years."""
        from spark.jobs import snapshot

        own = {
            "source_table": EXAMPLES,
            "target_table": SNAPSHOT,
            "target_location": self._tables.location(SNAPSHOT),
            "versions_table": VERSIONS,
            "versions_location": self._tables.location(VERSIONS),
            "raw_table": RAW,
            "raw_versions": dict.fromkeys(self._roots, "0"),
            "description": "Generated.",
            "fiscal_years": list(curation_corpus.YEARS),
            "source_versions": self._roots,
        }
        found = snapshot.run(self._tables, {**RUN_OF, **own}).metadata
        leaks = {name: found[name] for name in ("clusters_in_two_splits", "companies_in_two_splits")}
        return (
            f"{found['rows']} rows stay, {found['clusters']} clusters, the largest of {found['largest_cluster']} rows, "
            f"root {found['merkle_root'][:12]}, {leaks}, worst share of 13-grams {found['worst_13gram_share']:.2f}"
        )


def bodies(filings: Any) -> Any:
    """The risk factors' bodies with the digests that name them."""
    from pyspark.sql import functions as F  # noqa: N812

    texts = filings.select(F.explode("risk_factors.body").alias("text"))
    return texts.select(F.sha2("text", 256).alias("key"), "text")


def near(texts: Any) -> str:
    """Cluster the bodies."""
    from pyspark.sql import functions as F  # noqa: N812

    from spark import near_duplicates

    found = near_duplicates.clusters(texts).agg(F.countDistinct("cluster_id")).first()[0]
    return f"{found} clusters, made to have {curation_corpus.clusters_of(texts.count())}"


def cleaning(filings: Any) -> str:
    """Clean, scrub, label and cut the risk factors."""
    from pyspark.sql import functions as F  # noqa: N812

    from spark.examples import candidates, refined

    made = refined(candidates(filings))
    # Every column is asked for, so that none is left out of the plan.
    kept = made.agg(F.sum(F.length("body")), F.count_if(F.col("reason").isNull()), F.bit_xor(F.xxhash64(*made.columns)))
    found = kept.first()
    return f"{found[1]} kept, {found[0]} characters"


def datatrove(raw: Path, work: Path) -> Timed:
    """Its four stages, on one core."""
    import pyarrow.parquet as pq

    python, folder = peers_interpreter(), work / "datatrove"
    (folder / "texts").mkdir(parents=True)
    count = 0
    with (folder / "texts" / "0.jsonl").open("w") as file:
        for part in sorted(raw.glob("*/*.parquet")):
            filings = pq.ParquetFile(part).read(columns=["risk_factors"]).column("risk_factors").to_pylist()
            for factor in (factor for factors in filings for factor in factors):
                file.write(json.dumps({"id": str(count), "text": factor["body"]}) + "\n")
                count += 1
    command = [python, ROOT / "benchmarks" / "curation_peer.py", folder / "texts", folder]
    with (work / "datatrove.log").open("w") as log:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=log, check=False, text=True)
    if done.returncode:
        raise RuntimeError(f"datatrove failed: {(work / 'datatrove.log').read_text()[-2000:]}")
    said = json.loads(done.stdout.splitlines()[-1])
    shutil.rmtree(folder)
    return Timed("datatrove", count, said["seconds"], said["cpu_seconds"], f"{said['kept']} rows stay")


def pandas_cleaning(raw: Path, work: Path) -> Timed:
    """The same cleaning and labels of the same files by pandas, in one process."""
    import pandas as pd
    import pyarrow.parquet as pq

    from spark.cleaning import clean, clean_line
    from spark.examples import CleanTexts, label_columns, refine

    start, cpu = time.perf_counter(), time.process_time()
    files = [pq.ParquetFile(file) for file in sorted(raw.glob("*/*.parquet"))]
    filings = pd.concat([file.read(columns=["risk_factors", "summary"]).to_pandas() for file in files])
    groups, captions = (
        filings["risk_factors"].map(lambda factors, name=name: [factor[name] for factor in factors])
        for name in ("group", "subcaption")
    )
    summaries = (None if pd.isna(summary) else summary for summary in filings["summary"])
    filings["labels"] = list(map(label_columns, groups, captions, summaries))
    frame = filings.explode(["risk_factors", "labels"], ignore_index=True)
    frame = frame.join(pd.DataFrame(frame.pop("risk_factors").tolist()))
    # Row by row: nothing is remembered of the rows before.
    texts = zip(frame["body"], frame["subcaption"], frame["group"], strict=True)
    made = pd.DataFrame([refine(*row, CleanTexts(clean), CleanTexts(clean_line)) for row in texts])
    frame["cleaned"], frame["reason"] = made[0], made[3]
    found = f"{frame['reason'].isna().sum()} kept, {frame['cleaned'].str.len().sum()} characters"
    return Timed("pandas", len(frame), time.perf_counter() - start, time.process_time() - cpu, found)


PEERS: Mapping[str, Callable[[Path, Path], Timed]] = {"near": datatrove, "cleaning": pandas_cleaning}


def show(result: Timed) -> None:
    """Print one measurement."""
    rate = f"{result.rows / result.seconds:10,.0f} rows/s {result.rows / result.cpu_seconds:10,.0f} rows/CPU s"
    print(
        f"{result.name:16} {result.rows:>9,} rows {result.seconds:8.1f} s {result.cpu_seconds:8.1f} CPU s "
        f"{rate if result.rows else '':36}  {result.found}",
        flush=True,
    )


def print_ratios(results: list[Timed]) -> None:
    """Print how the medians of rows a second of one core compare: more than 1 where the project is faster."""
    spent = {name: median(r.cpu_seconds for r in results if r.name == name) for name in {r.name for r in results}}
    for own, other in (("near", "datatrove"), ("cleaning", "pandas")):
        if own in spent and other in spent:
            less = spent[own] - spent[own + FIXED]
            print(
                f"{own} to {other}: {spent[other] / spent[own]:.2f} of its rows a second of one core, "
                f"{spent[other] / less:.2f} without Spark's fixed cost of {spent[own + FIXED]:.1f} CPU s",
                flush=True,
            )


def print_growth(results: list[Timed]) -> None:
    """Print each part's growth: the slope of log seconds over log rows, by least squares (1 is linear)."""
    for name in dict.fromkeys(result.name for result in results):
        own = [result for result in results if result.name == name]
        if len({result.rows for result in own}) > 1:
            clock, cpu = (
                slope([(r.rows, value(r)) for r in own]) for value in (lambda r: r.seconds, lambda r: r.cpu_seconds)
            )
            print(f"growth of {name}: log-log slope {clock:.2f} by the clock, {cpu:.2f} of CPU")


def slope(points: list[tuple[int, float]]) -> float:
    """The slope of the line through the logarithms."""
    xs, ys = [math.log(x) for x, _ in points], [math.log(y) for _, y in points]
    x0, y0 = sum(xs) / len(xs), sum(ys) / len(ys)
    return sum((x - x0) * (y - y0) for x, y in zip(xs, ys, strict=True)) / sum((x - x0) ** 2 for x in xs)


if __name__ == "__main__":
    main()
