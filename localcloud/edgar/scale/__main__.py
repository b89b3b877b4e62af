"""`python -m localcloud.edgar.scale`: write a corpus of real size to a folder."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from localcloud.edgar.scale.corpus import DEFAULT_COMPANIES, DEFAULT_SEED, ScaleOptions, write_corpus


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the corpus; 0, or 2 where an option or the folder is wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m localcloud.edgar.scale",
        description="Write fictional companies' filings of real size; each files eight over two fiscal years.",
    )
    parser.add_argument("--out", type=Path, required=True, help="a new or empty folder")
    parser.add_argument("--companies", type=int, default=DEFAULT_COMPANIES, help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=DEFAULT_SEED, help="another corpus for each (default: %(default)s)")
    parser.add_argument(
        "--size", type=float, default=1.0, help="share of a real document's size (default: %(default)s)"
    )
    options = parser.parse_args(arguments)
    try:
        done = write_corpus(options.out, ScaleOptions(options.companies, options.seed, options.size))
    except ValueError as error:
        parser.error(str(error))
    sys.stdout.write(
        f"{options.out}: {done.symbols} symbols of {done.companies} companies, {done.filings} filings, "
        f"{done.bytes_served / 1e9:.2f} GB as served\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
