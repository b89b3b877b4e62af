"""Write docs/catalog-compatibility.md from runs of the catalog's contract suite (tests/contract).

What belongs here: running that suite on the local workspace, and turning its results into tables. Results of other
servers are files that the suite wrote with GOVTUNE_CONTRACT_RESULTS; give them as arguments.

    python -m tools.catalog_compatibility [RESULTS.json ...]
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parent.parent
DOCUMENT = PROJECT / "docs" / "catalog-compatibility.md"
SUITE = PROJECT / "tests" / "contract"
OF_THE_DOCUMENT = "tests/contract/test_contract_reporting.py::test_the_document_shows_every_area_and_client"
RESULTS_FILE = "GOVTUNE_CONTRACT_RESULTS"
NOTHING = "-"
INTRODUCTION = """# What the catalog's clients were tried on

Made by `.venv/bin/python -m tools.catalog_compatibility` from a run of the contract suite in `tests/contract`; do not
edit it. A number is how many tests passed. What a server does not offer is named, never left out in silence.

The same suite takes the URL of any server:

    GOVTUNE_CONTRACT_HOST=https://… GOVTUNE_CONTRACT_ADMIN=admin.json \\
    GOVTUNE_CONTRACT_STORAGE=s3://bucket/prefix GOVTUNE_CONTRACT_ROLE=arn:aws:iam::…:role/… \\
    GOVTUNE_CONTRACT_NAME='a workspace' GOVTUNE_CONTRACT_RESULTS=workspace.json \\
        .venv/bin/python -m pytest tests/contract
    .venv/bin/python -m tools.catalog_compatibility workspace.json

`admin.json` holds `client_id` and `client_secret` (or `token`) of a metastore administrator. The suite makes a
catalog, a storage credential, external locations and service principals of its own and removes them after.
"""
NOT_RUN = """
## Not run

- **A Databricks workspace**: none was at hand.
- **The open-source Unity Catalog server**: its jars (`io.unitycatalog:unitycatalog-server`) could not be had from the
  Maven repository in use. By its documentation it has no client credentials, aliases, external metadata or external
  lineage; the suite would name each of them as unsupported. The same holds for `unitycatalog-spark`: in Spark the
  suite drives `unitycatalog-hadoop` by its own entry point, which signs in, asks for credentials and renews them.
"""


class SuiteError(Exception):
    """The suite failed or left no results."""


def run_suite() -> dict[str, Any]:
    """Run the suite on the local workspace.

    Raises:
        SuiteError: a test failed; its output is the message.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "results.json"
        environment = {name: value for name, value in os.environ.items() if not name.startswith("GOVTUNE_CONTRACT_")}
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", str(SUITE), "--deselect", OF_THE_DOCUMENT],
            cwd=PROJECT,
            env={**environment, RESULTS_FILE: str(path)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode != 0 or not path.is_file():
            raise SuiteError(done.stdout)
        return dict(json.loads(path.read_text()))


def table(results: dict[str, Any]) -> str:
    """The section of one server: a row for each area, a column for each client, then what it does not offer."""
    cells = results["cells"]
    areas = list(dict.fromkeys(cell["area"] for cell in cells))
    clients = list(dict.fromkeys(cell["client"] for cell in cells))
    told = {(cell["area"], cell["client"]): _told(cell) for cell in cells}
    subject = str(results["subject"])
    lines = [f"## {subject[0].upper()}{subject[1:]}", "", _row(["area", *clients]), _row(["---"] * (len(clients) + 1))]
    lines += [_row([area, *(told.get((area, client), NOTHING) for client in clients)]) for area in areas]
    missing = sorted({(name, cell["client"]) for cell in cells for name in cell["unsupported"]})
    lines += ["", *(f"- Unsupported, for {client}: {name}." for name, client in missing)]
    return "\n".join(lines).rstrip() + "\n"


def _row(values: Sequence[str]) -> str:
    return f"| {' | '.join(values)} |"


def _told(cell: dict[str, Any]) -> str:
    parts = [str(cell["passed"])] if cell["passed"] else []
    parts += [f"{cell['failed']} failed"] if cell["failed"] else []
    parts += ["unsupported"] if cell["unsupported"] else []
    return ", ".join(parts)


def document(runs: Sequence[dict[str, Any]]) -> str:
    """The whole document."""
    return "\n".join([INTRODUCTION, *(table(run) for run in runs)]) + NOT_RUN


def main(arguments: Sequence[str]) -> int:
    """Run the suite, add the results that were given, write the document."""
    try:
        runs = [run_suite(), *(json.loads(Path(path).read_text()) for path in arguments)]
    except (SuiteError, OSError, ValueError) as error:
        print(f"catalog_compatibility: {error}", file=sys.stderr)
        return 1
    DOCUMENT.write_text(document(runs))
    print(f"{DOCUMENT}: {len(runs)} servers")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
