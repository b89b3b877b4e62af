"""Adds up the results of several pytest runs, so that the last line of `make test` tells of all of them.

Reads the JUnit files that the runs wrote and prints `N passed, N failed, N skipped`; exit code 1 when any test failed
or none ran.
"""

from __future__ import annotations

import argparse
import sys
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Counts:
    """Numbers of tests by outcome; an error in a fixture counts as a failure."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.passed + other.passed, self.failed + other.failed, self.skipped + other.skipped)

    def line(self) -> str:
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def read(report: Path) -> Counts:
    """The counts of one JUnit file as pytest writes it."""
    total = Counts()
    for suite in ET.parse(report).getroot().iter("testsuite"):  # noqa: S314 - written by our own test run
        failed = int(suite.get("failures", "0")) + int(suite.get("errors", "0"))
        skipped = int(suite.get("skipped", "0"))
        total += Counts(int(suite.get("tests", "0")) - failed - skipped, failed, skipped)
    return total


def main() -> int:
    parser = argparse.ArgumentParser(description="Add up the results of pytest runs.")
    parser.add_argument("reports", nargs="+", type=Path, help="JUnit files")
    total = sum(map(read, parser.parse_args().reports), Counts())
    print(total.line())
    return 0 if total.passed and not total.failed else 1


if __name__ == "__main__":
    sys.exit(main())
