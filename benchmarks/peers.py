"""The environment of the public tools that benchmarks run beside the project's own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tools import bootstrap

ROOT = Path(__file__).resolve().parent.parent


def peers_interpreter() -> Path:
    """The interpreter of the peers' environment, which is built where it is not current."""
    constraints = ROOT / "constraints" / "benchmarks.txt"
    orchestrator = bootstrap.environments(ROOT)["orchestrator"]
    peers = replace(
        orchestrator,
        name="benchmark",
        folder=ROOT / ".cache" / "benchmark-venv",
        constraints=constraints,
        inputs=(constraints,),
        holds_project=False,
    )
    bootstrap.build(peers, orchestrator, ROOT)
    return peers.python
