"""Which client was tried on which area of a server, and how it ended: the rows of docs/catalog-compatibility.md."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest
from contract_subject import Capability

RESULTS_FILE = "GOVTUNE_CONTRACT_RESULTS"
"""The variable that names a file for the results."""
UNSUPPORTED = "unsupported"
"""The property by which a test says that it proved the lack of a capability."""


class Area(StrEnum):
    """Parts of the contract, in the order of the report."""

    SIGN_IN = "OAuth discovery and tokens"
    METASTORE = "metastore and external data access"
    STORAGE = "storage credentials and external locations"
    OBJECTS = "catalogs and schemas"
    TABLES = "tables"
    VOLUMES = "volumes"
    PERMISSIONS = "permissions, inheritance, ownership"
    CREDENTIALS = "temporary credentials"
    MODELS = "models, versions, aliases"
    TAGS = "tags"
    LINEAGE = "external metadata and lineage"
    PAGES = "pagination"
    ERRORS = "error bodies and codes"


class Client(StrEnum):
    """Who asks, in the order of the report."""

    HTTP = "plain HTTP"
    SDK = "databricks-sdk"
    MLFLOW = "mlflow"
    UC_CLIENT = "unitycatalog-client"
    DELTA = "delta-rs"
    SPARK = "unitycatalog-hadoop in Spark"


def contract(area: Area, client: Client, *needs: Capability) -> pytest.MarkDecorator:
    """Mark a test as proof of an area by a client; a server that lacks any of `needs` does not run it."""
    return pytest.mark.contract(area, client, needs)


@dataclass
class Tally:
    """How the tests of one area with one client ended."""

    passed: int = 0
    failed: int = 0
    unsupported: set[str] = field(default_factory=set)

    def __str__(self) -> str:
        parts = [f"{self.passed} passed"] if self.passed else []
        parts += [f"{self.failed} FAILED"] if self.failed else []
        return "; ".join([*parts, *(f"unsupported: {name}" for name in sorted(self.unsupported))])


@dataclass
class Results:
    """The run so far, by area and client."""

    subject: str = ""
    tallies: dict[tuple[Area, Client], Tally] = field(default_factory=dict)

    def tally(self, area: Area, client: Client) -> Tally:
        """The tally of one cell, made when it is new."""
        return self.tallies.setdefault((area, client), Tally())

    def lines(self) -> Iterable[str]:
        """One line for each cell."""
        for area in Area:
            for client in Client:
                if (area, client) in self.tallies:
                    yield f"{area:<45} {client:<30} {self.tallies[area, client]}"

    def cells(self) -> list[dict[str, Any]]:
        """What tools/catalog_compatibility.py reads: one object for each cell, in the order of the report."""
        return [
            {
                "area": str(area),
                "client": str(client),
                "passed": tally.passed,
                "failed": tally.failed,
                "unsupported": sorted(tally.unsupported),
            }
            for (area, client), tally in sorted(self.tallies.items(), key=lambda item: _place(*item[0]))
        ]

    def save(self, path: Path) -> None:
        """Write them as JSON."""
        path.write_text(json.dumps({"subject": self.subject, "cells": self.cells()}, indent=1))


def _place(area: Area, client: Client) -> tuple[int, int]:
    return list(Area).index(area), list(Client).index(client)
