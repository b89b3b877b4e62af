"""A coverage-guided fuzzer of the extractor, run by hand.

    uv run --no-project --python 3.11 --with atheris==3.0.0 --with lxml python -m benchmarks.extraction_fuzz CORPUS \\
        [-max_total_time=SECONDS] [-rss_limit_mb=2048] [-max_len=20000]

CORPUS is a folder of documents to start from, to which it adds those that reach new code; a document that breaks what
must hold is written to the working folder. The options are libFuzzer's. Atheris is in no environment of the project,
because it is built for few platforms; 3.0 is the last for Python 3.11.
"""

import sys

import atheris

with atheris.instrument_imports(include=["govtune_assets.extraction"]):
    from benchmarks.extraction_apart import check


def one(data: bytes) -> None:
    """One execution: the first byte chooses the form."""
    check(data[1:], "10-Q" if data[:1] > b"\x7f" else "10-K", twice=False)


def main() -> None:
    """Fuzz until stopped."""
    atheris.Setup(sys.argv, one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
