"""`train.py` as a process of its own, by hand, followed by its log."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

import yaml
from tiny import tiny_configuration

ROOT = Path(__file__).parents[2]


class Job:
    """A running training. Leaving it kills what still runs."""

    def __init__(self, out: Path, *, model: Path, rows: Path, **sections: Any) -> None:
        self.out = out
        out.mkdir(parents=True, exist_ok=True)
        configuration = out / "tiny.yaml"
        configuration.write_text(yaml.safe_dump(tiny_configuration(**sections)))
        options = {"--configuration": configuration, "--rows": rows, "--model": model, "--out": out}
        inherited = {name: value for name, value in os.environ.items() if name != "DAGSTER_PIPES_CONTEXT"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "train.train", *(str(part) for option in options.items() for part in option)],
            cwd=ROOT,
            env={**inherited, "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.lines: list[str] = []

    def until(self, start: str) -> str:
        """Read the log to the first line that starts so, and return it."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))
            if line.startswith(start):
                return self.lines[-1]
        raise AssertionError(f"no line starts with {start!r}:\n" + self.log)

    def end(self) -> int:
        """Read the log to its end; the exit status."""
        assert self.process.stdout is not None
        self.lines += [line.rstrip("\n") for line in self.process.stdout]
        return self.process.wait()

    @property
    def log(self) -> str:
        return "\n".join(self.lines)

    @property
    def metrics(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.out / "model" / "metrics.json").read_text())
        return found

    @property
    def adapter(self) -> Path:
        return self.out / "model" / "adapter"

    def checkpoints(self) -> list[Path]:
        """The folders of checkpoints, the newest last."""
        found = self.out.glob("checkpoints/*/checkpoint-*")
        return sorted(found, key=lambda path: int(path.name.rpartition("-")[2]))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()
