"""A file of settings, for commands that are typed by hand: the one that `make up` and `make demo` write.

All or nothing: a shell that already points at a workspace is left as it is, so that two clouds never mix.
"""

import re
from collections.abc import Mapping, MutableMapping
from pathlib import Path

VARIABLE = "GOVTUNE_SETTINGS_FILE"
DEFAULT = ".govtune/settings.env"
POINTS_AT_A_WORKSPACE = "GOVTUNE_DATABRICKS_HOST"
KNOWN = re.compile(r"(GOVTUNE|AWS)_[A-Z0-9_]+|DAGSTER_HOME")


class SettingsFileRefused(ValueError):
    """The file holds something that is no setting of this project."""


def read(path: Path) -> dict[str, str]:
    """The `NAME=value` lines of a settings file.

    Raises:
        SettingsFileRefused: a line is of another form, or names a variable that is none of the project's.
    """
    settings = {}
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        if not line or line.startswith("#"):
            continue
        name, separator, value = line.partition("=")
        if not separator or not KNOWN.fullmatch(name):
            raise SettingsFileRefused(f"{path}, line {number}: {name[:40]!r} is no setting of this project")
        settings[name] = value
    return settings


def adopt(environment: MutableMapping[str, str]) -> Path | None:
    """Take the settings file into the environment, unless that points at a workspace already.

    AWS variables are replaced, the project's own that are set already stay.

    Returns:
        The file that was taken, if any.

    Raises:
        SettingsFileRefused: the file is malformed.
        OSError: the file that `GOVTUNE_SETTINGS_FILE` names cannot be read.
    """
    if environment.get(POINTS_AT_A_WORKSPACE):
        return None
    path = Path(environment.get(VARIABLE, DEFAULT))
    if VARIABLE not in environment and not path.is_file():
        return None
    environment.update(_merged(read(path), environment))
    return path


def _merged(settings: Mapping[str, str], environment: Mapping[str, str]) -> dict[str, str]:
    return {
        name: environment[name] if name.startswith("GOVTUNE_") and environment.get(name) else value
        for name, value in settings.items()
    }
