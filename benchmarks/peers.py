"""The environments of the public tools that benchmarks run beside the project's own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tools import bootstrap

ROOT = Path(__file__).resolve().parent.parent


def peers_interpreter() -> Path:
    """The interpreter of the peers' environment, which is built where it is not current."""
    return _interpreter("benchmark", "benchmarks.txt")


def trl_interpreter() -> Path:
    """The interpreter of the newest TRL's environment, which is built where it is not current."""
    return _interpreter("trl", "trl.txt")


def _interpreter(name: str, resolved: str) -> Path:
    constraints = ROOT / "constraints" / resolved
    orchestrator = bootstrap.environments(ROOT)["orchestrator"]
    peers = replace(
        orchestrator,
        name=name,
        folder=ROOT / ".cache" / f"{name}-venv",
        constraints=constraints,
        inputs=(constraints,),
        holds_project=False,
    )
    bootstrap.build(peers, orchestrator, ROOT)
    return peers.python
