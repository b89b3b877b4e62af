"""`python -m localcloud.edgar.sample`: write the fictional corpus to a folder."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from localcloud.edgar.sample.corpus import DEFAULT_COMPANIES, DEFAULT_SEED, CorpusOptions
from localcloud.edgar.sample.writer import NotOurFolderError, write_corpus


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the corpus; 0, or 2 where an option or the folder is wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m localcloud.edgar.sample", description="Write a corpus of fictional companies' filings."
    )
    parser.add_argument("--out", type=Path, required=True, help="new or empty folder, or one that this command wrote")
    parser.add_argument("--companies", type=int, default=DEFAULT_COMPANIES, help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=DEFAULT_SEED, help="another corpus for each (default: %(default)s)")
    parser.add_argument("--with-bad-input", action="store_true", help="add companies whose filings are broken")
    options = parser.parse_args(arguments)
    try:
        done = write_corpus(
            options.out, CorpusOptions(options.companies, options.seed, with_bad_input=options.with_bad_input)
        )
    except (NotOurFolderError, ValueError) as error:
        parser.error(str(error))
    sys.stdout.write(f"{options.out}: {done.files} files, {done.written} written, {done.removed} removed\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
