"""Where the local cloud keeps its state, on which ports it listens, and which filings it serves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from localcloud.supervisor.errors import LocalCloudError

ACCOUNT = "123456789012"
REGION = "us-east-1"
LOOPBACK = "127.0.0.1"
HIGHEST_PORT = 65535
PROJECT_ROOT = Path(__file__).resolve().parent.parent.parent
PORT_VARIABLES = {
    "aws": ("GOVTUNE_AWS_PORT", 4570),
    "databricks": ("GOVTUNE_DATABRICKS_PORT", 4571),
    "edgar": ("GOVTUNE_EDGAR_PORT", 4572),
    "mlflow": ("GOVTUNE_MLFLOW_PORT", 4573),
    "dagster": ("GOVTUNE_DAGSTER_PORT", 3000),
}


@dataclass(frozen=True)
class Ports:
    """One TCP port of 127.0.0.1 for each service."""

    aws: int
    databricks: int
    edgar: int
    mlflow: int
    dagster: int

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Ports:
        """The `GOVTUNE_*_PORT` variables, or their defaults.

        Raises LocalCloudError on what is no port, and on two services that share one.
        """
        ports = {name: _port(environment, *choice) for name, choice in PORT_VARIABLES.items()}
        if len(set(ports.values())) < len(ports):
            chosen = ", ".join(f"{PORT_VARIABLES[name][0]}={port}" for name, port in ports.items())
            raise LocalCloudError(f"Two services share a port: {chosen}. Give each its own.")
        return cls(**ports)

    def url(self, service: str) -> str:
        return f"http://{LOOPBACK}:{getattr(self, service)}"


def _port(environment: Mapping[str, str], variable: str, default: int) -> int:
    text = environment.get(variable) or str(default)
    if not (text.isascii() and text.isdecimal()) or not 0 < int(text) <= HIGHEST_PORT:
        raise LocalCloudError(f"{variable}={text} is not a port; set a number from 1 to {HIGHEST_PORT}.")
    return int(text)


@dataclass(frozen=True)
class Layout:
    """The files and folders of one state folder."""

    state: Path

    @property
    def credentials(self) -> Path:
        """Folder of secrets, each file readable by its owner alone."""
        return self.state / "credentials"

    @property
    def logs(self) -> Path:
        return self.state / "logs"

    @property
    def dagster_home(self) -> Path:
        return self.state / "dagster"

    @property
    def settings(self) -> Path:
        """`KEY=VALUE` lines that point the product at this local cloud."""
        return self.state / "settings.env"

    @property
    def edgar_source(self) -> Path:
        """The source of filings that this state was made from."""
        return self.state / "edgar-source.json"

    @property
    def lock(self) -> Path:
        return self.state / "lock"

    @property
    def instance(self) -> Path:
        return self.state / "instance.json"

    def service(self, name: str) -> Path:
        return self.state / name

    def create(self) -> None:
        """Makes the folders, private to their owner."""
        folders = (self.state, self.credentials, self.logs, self.dagster_home)
        for folder in (*folders, *(self.service(name) for name in ("aws", "databricks", "edgar", "mlflow"))):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.state.chmod(0o700)


@dataclass(frozen=True)
class EdgarSource:
    """Where filings come from: the sample corpus, a folder in EDGAR's layout, or the SEC itself."""

    kind: Literal["sample", "live", "folder"]
    folder: Path | None = None
    companies: int | None = None
    contact: str = ""

    @classmethod
    def parse(cls, text: str, *, companies: int | None, contact: str) -> EdgarSource:
        """Reads `sample`, `live` or a folder.

        Raises LocalCloudError on a folder that is not there, and on `live` without a contact address: the SEC
        requires automated clients to declare a name and an e-mail address (sec.gov, "Accessing EDGAR Data").
        """
        if any(not character.isprintable() for character in contact):
            raise LocalCloudError("The contact address holds characters that cannot be printed.")
        if text == "sample":
            return cls("sample", companies=companies, contact=contact)
        if text == "live":
            if "@" not in contact:
                raise LocalCloudError(
                    "EDGAR=live asks the SEC itself, which requires a contact: add CONTACT='Your Name you@example.com'."
                )
            return cls("live", contact=contact)
        folder = Path(text).expanduser().resolve()
        if not folder.is_dir():
            raise LocalCloudError(
                f"EDGAR={text} is neither `sample` nor `live`, and there is no such folder; "
                "name a folder in EDGAR's layout (www/, data/)."
            )
        return cls("folder", folder=folder, contact=contact)

    def describe(self) -> str:
        """One word or path, as the user would write it."""
        if self.kind == "sample" and self.companies is not None:
            return f"sample ({self.companies} companies)"
        return str(self.folder) if self.folder else self.kind
