"""The contract of the training container: folders, channels, the failure file, interruption.

SageMaker's service mounts everything under /opt/ml; its framework containers add `SM_*` variables, which are
taken where they are set. `SAGEMAKER_BASE_DIR` moves the whole tree.
https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-training-algo-running-container.html
"""

from __future__ import annotations

import json
import signal
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

FAILURE_CHARACTERS = 1024
"""DescribeTrainingJob gives so much of the failure file as FailureReason."""


class JobError(Exception):
    """The job cannot go on; the message is the line that the user reads."""


class Interrupted(Exception):
    """SIGTERM came: the job was stopped, or its spot instance is taken away."""


@dataclass(frozen=True)
class JobFolders:
    """Where a job reads and writes."""

    model: Path
    checkpoints: Path
    output: Path
    inputs: Path
    config: Path
    environment: Mapping[str, str]

    @classmethod
    def of(cls, environment: Mapping[str, str], *, base: Path | None = None) -> JobFolders:
        """The folders of a container, or of a tree under `base` for use by hand."""
        if base is not None:
            return cls(
                base / "model",
                base / "checkpoints",
                base / "output",
                base / "input" / "data",
                base / "input" / "config",
                {},
            )
        root = Path(environment.get("SAGEMAKER_BASE_DIR", "/opt/ml"))
        return cls(
            model=Path(environment.get("SM_MODEL_DIR", root / "model")),
            checkpoints=Path(environment.get("SM_CHECKPOINT_DIR", root / "checkpoints")),
            output=Path(environment.get("SM_OUTPUT_DIR", root / "output")),
            inputs=Path(environment.get("SM_INPUT_DIR", root / "input")) / "data",
            config=Path(environment.get("SM_INPUT_CONFIG_DIR", root / "input" / "config")),
            environment=environment,
        )

    def channel(self, name: str) -> Path:
        """Folder of an input channel.

        Raises:
            JobError: the job has no such channel.
        """
        folder = self._channel(name)
        if not self.has_channel(name):
            raise JobError(
                f"the job has no input channel {name!r} ({folder} does not exist): add it to the job's InputDataConfig"
            )
        return folder

    def hyperparameters(self) -> dict[str, str]:
        """The job's hyperparameters, as they stand in the request: each value a text.

        Raises:
            JobError: the service has left no such file.
        """
        path = self.config / "hyperparameters.json"
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise JobError(f"cannot read the job's hyperparameters: {error}") from error
        return {str(name): str(value) for name, value in values.items()}

    def has_channel(self, name: str) -> bool:
        """Whether the job has an input channel of that name."""
        return self._channel(name).is_dir()

    def _channel(self, name: str) -> Path:
        return Path(self.environment.get(f"SM_CHANNEL_{name.upper()}", self.inputs / name))

    def write_failure(self, error: BaseException) -> None:
        """Leave one readable line where SageMaker looks for the reason of a failure."""
        self.output.mkdir(parents=True, exist_ok=True)
        self._failure.write_text(failure_line(error), encoding="utf-8")

    def write_first_failure(self, error: BaseException) -> None:
        """The same, where no other process of the job has: the first to fail has the cause, the others miss it."""
        self.output.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError), self._failure.open("x", encoding="utf-8") as file:
            file.write(failure_line(error))

    def forget_failure(self) -> None:
        """Remove the line that an earlier run in the same folders has left."""
        self._failure.unlink(missing_ok=True)

    @property
    def _failure(self) -> Path:
        return self.output / "failure"


def failure_line(error: BaseException) -> str:
    """The error as one line. The project's own errors speak for themselves; others are led by their type."""
    text = " ".join(str(error).split())
    if type(error).__module__.partition(".")[0] not in {"train", "unitydoor"}:
        text = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return text[:FAILURE_CHARACTERS]


class InterruptionGuard:
    """SIGTERM as an exception, or as a request that the training loop meets at the end of its step.

    SageMaker sends SIGTERM and two minutes later SIGKILL. While `deferred`, the signal only sets `requested`, so
    that an optimizer step is finished and a checkpoint is saved whole; at any other time it raises Interrupted.
    """

    def __init__(self) -> None:
        self.requested = False
        self.deferred = False

    def install(self) -> None:
        """Take over SIGTERM of this process. Call it from the main thread."""
        signal.signal(signal.SIGTERM, self._on_signal)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self.requested = True
        if not self.deferred:
            raise Interrupted("stopped by SIGTERM before training ended")
