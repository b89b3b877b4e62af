"""Extraction of recorded filings against their truth, beside the best public tools.

    python benchmarks/extraction.py FOLDER [--part tuned|held-out|all] [--side-by-side] [--verbose]

FOLDER holds filings in EDGAR's layout with `manifest.json`, `truth.json` and `truth/`. A company is held out where the
SHA-256 of its ten-digit CIK is divisible by three; the rules were made without a look at those, and --verbose names no
filing of theirs. With --side-by-side the same filings go to edgartools and edgar-itemize too, each tool in a process of
its own, filing after filing in turn; their environment, `.cache/benchmark-venv`, is built from
`constraints/benchmarks.txt`. The structure is compared with `benchmarks/labels/subcaptions.json`.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.extraction_scoring import Filing, Score, read_filings, score
from benchmarks.peers import peers_interpreter
from benchmarks.subcaptions import compare, read_labels

ROOT = Path(__file__).resolve().parent.parent
TOOL_PROGRAM = ROOT / "benchmarks" / "extraction_tools.py"
LABELS = ROOT / "benchmarks" / "labels" / "subcaptions.json"
OURS, REFERENCE = "govtune", "edgartools"
PEERS = (REFERENCE, "edgar-itemize")


@dataclass(frozen=True)
class Result:
    """One tool's answer for one filing, with its score."""

    filing: Filing
    answer: dict[str, Any]
    score: Score

    @property
    def captioned(self) -> int | None:
        """Characters of a full section that are in a risk factor with a subcaption, the subcaption included."""
        if self.score.furniture is None or not self.answer["text"]:
            return None
        factors = [factor for factor in self.answer["risk_factors"] if factor["subcaption"]]
        characters: int = sum(f["end"] - f["start"] + len(f["subcaption"]) for f in factors)
        return characters

    @property
    def covered(self) -> float | None:
        """`captioned` as a share of the section."""
        return None if self.captioned is None else self.captioned / len(self.answer["text"])


class Tool:
    """An extractor in a process of its own."""

    def __init__(self, name: str, interpreter: Path) -> None:
        self.name = name
        self._process = subprocess.Popen(
            [str(interpreter), str(TOOL_PROGRAM), name],
            cwd=ROOT,
            env=os.environ | {"EDGAR_IDENTITY": "Benchmark benchmark@example.com"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def extract(self, filing: Filing) -> Result:
        """The answer for one filing; RuntimeError where the process ended instead."""
        row = {"path": str(filing.path), "form": filing.form, "cik": filing.cik, "filed": filing.filed}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(row) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name} ended at {filing.id} with exit code {self._process.wait()}")
        answer = json.loads(line)
        return Result(filing, answer, score(answer["text"] or "", filing))

    def close(self) -> None:
        """Let the process end."""
        self._process.communicate()


def main() -> None:
    """Score and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--part", choices=("tuned", "held-out", "all"), default="all")
    parser.add_argument("--side-by-side", action="store_true", help="run edgartools and edgar-itemize too")
    parser.add_argument("--verbose", action="store_true", help="a line for each filing that was tuned on")
    arguments = parser.parse_args()
    filings = [f for f in read_filings(arguments.folder) if arguments.part in ("all", part_of(f))]
    results = run(filings, PEERS if arguments.side_by_side else ())
    for part in ("tuned", "held-out"):
        if of_part := [result for result in results[OURS] if part_of(result.filing) == part]:
            report(part, of_part, verbose=arguments.verbose)
    report_structure(arguments.folder / "truth", results[OURS], verbose=arguments.verbose)
    if arguments.side_by_side:
        print_table(results)


def part_of(filing: Filing) -> str:
    """The part of the corpus to which a filing belongs."""
    return "held-out" if filing.held_out else "tuned"


def run(filings: Sequence[Filing], peers: Sequence[str]) -> dict[str, list[Result]]:
    """Each filing by each tool in turn, so that what else the machine does falls on all alike."""
    tools = [Tool(OURS, Path(sys.executable))]
    if peers:
        interpreter = peers_interpreter()
        tools += [Tool(name, interpreter) for name in peers]
    try:
        results: dict[str, list[Result]] = {tool.name: [] for tool in tools}
        for filing in filings:
            for tool in tools:
                results[tool.name].append(tool.extract(filing))
        return results
    finally:
        for tool in tools:
            tool.close()


def report(part: str, results: Sequence[Result], *, verbose: bool) -> None:
    """Print the line of one part, and one for each filing that was tuned on where it is wrong or all are asked for."""
    right_status = 0
    for result in results:
        filing, status = result.filing, result.answer["status"]
        right_status += status == filing.status
        wrong = not result.score.right or status != filing.status
        if not filing.held_out and (verbose or wrong):
            verdict = "right" if result.score.right else "WRONG"
            share = f", under subcaptions {result.covered:.3f}" if result.covered is not None else ""
            print(
                f"  {verdict} {filing.id} {filing.form} {status} ({filing.status}) F1 {result.score.f1:.3f}{share}, "
                f"CPU {result.answer['cpu_s']:.3f} s"
            )
    furniture = [result.score.furniture for result in results if result.score.furniture is not None]
    covered = [result.covered for result in results if result.covered is not None]
    all_captioned = sum(result.captioned or 0 for result in results)
    characters = sum(len(result.answer["text"]) for result in results if result.captioned is not None)
    cpu = [result.answer["cpu_s"] for result in results]
    print(
        f"{part}: {sum(r.score.right for r in results)} right of {len(results)}, "
        f"mean F1 {statistics.mean(r.score.f1 for r in results):.4f}, status right {right_status}, "
        f"furniture lines {sum(furniture)} in {len(furniture)} sections, "
        f"characters under a subcaption {all_captioned / max(1, characters):.3f} "
        f"(mean of filings {statistics.mean(covered or [0]):.3f}), "
        f"CPU median {statistics.median(cpu):.3f} s, longest {max(cpu):.3f} s"
    )


def report_structure(truth: Path, results: Sequence[Result], *, verbose: bool) -> None:
    """Print how the sections' structure agrees with the labels, for each part and for all."""
    answers = {result.filing.id: result.answer for result in results}
    for part, agreement in compare(read_labels(LABELS), truth, answers).items():
        if not agreement.filings:
            continue
        if verbose and part == "tuned":
            print("".join(f"  {note}\n" for note in agreement.notes), end="")
        print(f"structure, {part}: {agreement.filings} filings")
        print("".join(f"    {line}\n" for line in agreement.lines()), end="")


def print_table(results: dict[str, list[Result]]) -> None:
    """Print the side-by-side, a row for each tool."""
    medians = {tool: statistics.median(r.answer["cpu_s"] for r in rows) for tool, rows in results.items()}
    print(
        "\n| tool | filings right | mean F1 | furniture lines a section | errors | CPU median | to edgartools "
        "| slowest to median | peak memory |\n|---|---|---|---|---|---|---|---|---|"
    )
    for tool, rows in results.items():
        furniture = [row.score.furniture for row in rows if row.score.furniture is not None]
        cpu = [row.answer["cpu_s"] for row in rows]
        print(
            f"| {tool} | {sum(row.score.right for row in rows)} of {len(rows)} "
            f"| {statistics.mean(row.score.f1 for row in rows):.4f} | {statistics.mean(furniture or [0]):.2f} "
            f"| {sum(row.answer['error'] is not None for row in rows)} | {medians[tool]:.3f} s "
            f"| {medians[tool] / medians[REFERENCE]:.3f} | {max(cpu) / medians[tool]:.1f} "
            f"| {max(row.answer['peak_kib'] for row in rows) / 1024:.0f} MiB |"
        )


if __name__ == "__main__":
    main()
