"""A command of the user's that runs against the local cloud."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from localcloud.supervisor.catalogue import clean_environment
from localcloud.supervisor.services import Guarded


def run_command(command: Sequence[str], settings: Mapping[str, str], environment: Mapping[str, str]) -> int:
    """Runs a command with the product's settings in its environment; returns its exit code.

    The command and all that it started end with this process, however that one ends.
    """
    process = Guarded(command, {**clean_environment(environment), **settings}, output=None)
    try:
        return process.wait()
    finally:
        process.stop()
