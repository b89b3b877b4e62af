"""Curation on growing generated corpora: rows a second, growth, and public tools on the same rows.

    .venv/bin/python -m benchmarks.curation
    .venv/bin/python -m benchmarks.curation --sizes 10000,30000,100000,300000,1000000
    .venv/bin/python -m benchmarks.curation --parts near --beside

What the corpora hold is said in `curation_corpus.py`. Parts: `near` (near-duplicate clusters of the bodies),
`snapshot` (all that the job does between reading and writing, the Merkle root, and the leaks of what was written) and
`cleaning` (`examples.refined`). Each size is a process of its own: local Spark on two cores, with the given memory for
driver and executor together. It first runs the parts once on 1,000 rows; that is the fixed cost (JVM, workers,
compiled plans), and it is stated apart. Seconds are by the clock; CPU seconds are of all processes, which a busy
machine changes less: rows per CPU second are rows a second per core. `--beside` adds datatrove's near-duplicates and a
plain pandas cleaning on the same rows; datatrove's environment, `.cache/benchmark-venv`, is built from
`constraints/benchmarks.txt`.
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
from typing import Any

from benchmarks import curation_corpus
from benchmarks.peers import peers_interpreter

ROOT = Path(__file__).resolve().parent.parent
CORES = 2
FIRST_ROWS = 1000
PARTS = ("near", "snapshot", "cleaning")
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Timed:
    """One measurement: its name, rows, seconds by the clock and of CPU, and what it found."""

    name: str
    rows: int
    seconds: float
    cpu_seconds: float
    found: str


def main() -> None:
    """Measure each size and print a table, the growth, and the tools beside it."""
    args = arguments()
    if args.one:
        one(args.one, args.parts, args.work)
        return
    work = Path(tempfile.mkdtemp(prefix="curation-", dir=args.work))
    try:
        results: list[Timed] = []
        for rows in args.sizes:
            results += measured_apart(rows, args.parts, args.memory, work)
            if args.beside:
                results += beside(rows, args.parts, work)
        print_growth(results)
    finally:
        shutil.rmtree(work)


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=numbers, default=[10_000, 30_000, 100_000], help="rows, in whole thousands")
    parser.add_argument(
        "--parts", type=lambda text: text.split(","), default=["near", "snapshot"], help=", ".join(PARTS)
    )
    parser.add_argument("--memory", default="4g", help="memory of driver and executor together (4g)")
    parser.add_argument("--beside", action="store_true", help="run datatrove and pandas on the same rows")
    parser.add_argument("--work", type=Path, help="folder for corpora and shuffles (the system's temporary one)")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    return parser.parse_args()


def numbers(text: str) -> list[int]:
    """Row counts, each a whole number of blocks."""
    found = [int(part) for part in text.split(",")]
    if any(number < FIRST_ROWS or number % curation_corpus.BLOCK for number in found):
        raise argparse.ArgumentTypeError(f"sizes are whole multiples of {curation_corpus.BLOCK}, not {text}")
    return found


def measured_apart(rows: int, parts: list[str], memory: str, work: Path) -> list[Timed]:
    """Measure one size in a process of its own; print and return what it says."""
    options = {
        "spark.driver.memory": memory,
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.local.dir": str(work),
        "spark.sql.shuffle.partitions": str(max(8, rows // 10_000)),
        "spark.log.level": "ERROR",
    }
    submit = [f"--master local[{CORES}]", *(f"--conf {name}={value}" for name, value in options.items())]
    environment = os.environ | {
        "PYSPARK_PYTHON": sys.executable,
        "PYTHONPATH": str(ROOT),
        "PYSPARK_SUBMIT_ARGS": " ".join([*submit, "pyspark-shell"]),
    }
    command = [sys.executable, "-m", "benchmarks.curation", "--one", str(rows), "--parts", ",".join(parts)]
    done = subprocess.run(
        [*command, "--work", str(work)], cwd=ROOT, env=environment, stdout=subprocess.PIPE, check=True, text=True
    )
    results = [Timed(**json.loads(line)) for line in done.stdout.splitlines() if line.startswith("{")]
    for result in results:
        show(result)
    return [result for result in results if result.rows == rows]


def one(rows: int, parts: list[str], work: Path) -> None:
    """Measure one size in this process: first 1,000 rows, then all. Prints a JSON line for each measurement."""
    with timed("session", 0) as session:
        from pyspark.sql import SparkSession

        spark = SparkSession.builder.appName("curation").config("spark.sql.ansi.enabled", "true").getOrCreate()
        session.found = "started"
    for count in (FIRST_ROWS, rows):
        corpus = str(work / f"corpus-{count}")
        curation_corpus.examples(spark, count).write.mode("overwrite").parquet(corpus)
        for part in parts:
            with timed(part, count) as measurement:
                measurement.found = RUN[part](spark.read.parquet(corpus), work)
    spark.stop()


@dataclass
class _Open:
    found: str = ""


@contextmanager
def timed(name: str, rows: int) -> Iterator[_Open]:
    """Time what happens inside and print it as one JSON line."""
    told = _Open()
    start, cpu = time.perf_counter(), cpu_seconds()
    yield told
    label = f"{name}, first" if rows == FIRST_ROWS else name
    result = Timed(label, rows, time.perf_counter() - start, cpu_seconds() - cpu, told.found)
    print(json.dumps(asdict(result)), flush=True)


def near(rows: Any, work: Path) -> str:
    """Cluster the bodies."""
    from pyspark.sql import functions as F  # noqa: N812

    from spark import leakage, near_duplicates

    texts = rows.select(F.col("body_sha256").alias("key"), leakage.body().alias("text"))
    found = near_duplicates.clusters(texts).agg(F.countDistinct("cluster_id")).first()[0]
    return f"{found} clusters, made to have {curation_corpus.clusters_of(rows.count())}"


def freeze(rows: Any, work: Path) -> str:
    """Freeze, write, and measure what was written."""
    from spark import leakage, schemas
    from spark.digests import content_root
    from spark.jobs import snapshot

    target = str(work / "frozen")
    made = snapshot.freeze(rows, leakage.benchmark_filings(), leakage.MOST_SHARED)
    made.rows.write.mode("overwrite").parquet(target)
    written = rows.sparkSession.read.parquet(target)
    root = content_root(written, schemas.SNAPSHOT.names)
    leaks = leakage.measured(written, leakage.benchmark_filings())
    return f"{written.count()} rows stay, root {root[:12]}, {leaks}"


def clean(rows: Any, work: Path) -> str:
    """Clean, scrub and cut the bodies."""
    from pyspark.sql import functions as F  # noqa: N812

    from spark import leakage
    from spark.examples import refined

    raw = rows.select(
        leakage.body().alias("original_body"),
        F.col("completion").alias("subcaption"),
        F.lit(None).cast("string").alias("group"),
        "form_type",
        F.lit("full").alias("status"),
        "risk_factor_index",
    )
    made = refined(raw)
    kept = made.agg(F.sum(F.length("body")), F.sum(F.col("reason").isNull().cast("int"))).first()
    return f"{kept[1]} kept, {kept[0]} characters"


RUN: Mapping[str, Callable[[Any, Path], str]] = {"near": near, "snapshot": freeze, "cleaning": clean}


def beside(rows: int, parts: list[str], work: Path) -> list[Timed]:
    """Run the public tools on the corpus that was measured last."""
    import pyarrow.parquet as pq

    results = []
    table = pq.read_table(work / f"corpus-{rows}", columns=["prompt", "example_id", "completion"])
    from spark.templates import TEMPLATES

    before, after = TEMPLATES["T1"].parts()
    bodies = [prompt[len(before) : len(prompt) - len(after)] for prompt in table.column("prompt").to_pylist()]
    if "near" in parts:
        results.append(datatrove(bodies, work))
    if "cleaning" in parts:
        results.append(pandas_cleaning(bodies, table.column("completion").to_pylist()))
    for result in results:
        show(result)
    return results


def datatrove(bodies: list[str], work: Path) -> Timed:
    """Its four stages, on one core."""
    python, folder = peers_interpreter(), work / "datatrove"
    (folder / "texts").mkdir(parents=True)
    with (folder / "texts" / "0.jsonl").open("w") as file:
        file.writelines(json.dumps({"id": str(number), "text": text}) + "\n" for number, text in enumerate(bodies))
    command = [python, ROOT / "benchmarks" / "curation_peer.py", folder / "texts", folder]
    with (work / "datatrove.log").open("w") as log:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=log, check=False, text=True)
    if done.returncode:
        raise RuntimeError(f"datatrove failed: {(work / 'datatrove.log').read_text()[-2000:]}")
    said = json.loads(done.stdout.splitlines()[-1])
    shutil.rmtree(folder)
    return Timed("datatrove", len(bodies), said["seconds"], said["cpu_seconds"], f"{said['kept']} rows stay")


def pandas_cleaning(bodies: list[str], subcaptions: list[str]) -> Timed:
    """The same cleaning, a row after the other in one process."""
    import pandas as pd

    from spark.examples import refine

    frame = pd.DataFrame({"body": bodies, "subcaption": subcaptions})
    start, cpu = time.perf_counter(), cpu_seconds()
    made = [refine(row.body, row.subcaption, None) for row in frame.itertuples()]
    frame["cleaned"] = [row[0] for row in made]
    seconds = time.perf_counter() - start
    return Timed("pandas", len(bodies), seconds, cpu_seconds() - cpu, f"{frame['cleaned'].str.len().sum()} characters")


def cpu_seconds() -> float:
    """CPU seconds of this process, of those below it, and of their ended children."""
    parents, spent = {}, {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue  # it ended meanwhile, and its parent has its time
            parents[int(entry.name)] = int(fields[1])
            spent[int(entry.name)] = sum(map(int, fields[11:15])) / _TICKS
    mine = {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in mine} - mine:
        mine |= more
    return sum(spent[pid] for pid in mine)


def show(result: Timed) -> None:
    """Print one measurement."""
    rate = f"{result.rows / result.seconds:10,.0f} rows/s {result.rows / result.cpu_seconds:10,.0f} rows/CPU s"
    print(
        f"{result.name:16} {result.rows:>9,} rows {result.seconds:8.1f} s {result.cpu_seconds:8.1f} CPU s "
        f"{rate if result.rows else '':36}  {result.found}",
        flush=True,
    )


def print_growth(results: list[Timed]) -> None:
    """Print each part's growth: the slope of log seconds over log rows, by least squares (1 is linear)."""
    for name in dict.fromkeys(result.name for result in results):
        own = [result for result in results if result.name == name]
        if len(own) > 1:
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
