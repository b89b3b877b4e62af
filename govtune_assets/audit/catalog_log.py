"""What the catalog vended, out of the workspace's delivered audit log.

Databricks keeps the same events in the system table `system.access.audit`; the delivered log is read because it needs
no SQL warehouse ("Configure audit log delivery"). Databricks does not promise the access key id of a vended credential
in the event: where it is absent, an access is explained by what materializations recorded (`ledger`).
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from govtune_assets.audit.objects import Folder, LogObjects, days
from unitydoor.transport import RUN_PRODUCT

LATE = "Databricks delivers its audit log within the hour"
_VENDING = re.compile(r"(mlflowG|g)enerateTemporary\w*Credentials?")
_RUN = re.compile(rf"(?:^|\s){re.escape(RUN_PRODUCT)}/([A-Za-z0-9._-]+)")
_SUCCESS = 200


@dataclass(frozen=True)
class Vended:
    """A credential that the catalog gave out. `credential_id` is its access key id, `run_id` that of the run that
    asked; both are "" where the log does not tell."""

    time: datetime
    principal: str
    securable: str
    operation: str
    credential_id: str
    run_id: str


@dataclass(frozen=True)
class CatalogLog:
    """Vended credentials, the time of the newest event of any kind that has been delivered, and how many vending events
    could not be read."""

    vended: tuple[Vended, ...]
    newest: datetime | None
    unreadable: int = 0

    @property
    def names_keys(self) -> bool:
        """Whether the log tells the access key ids of what it vended."""
        return any(vended.credential_id for vended in self.vended)


def read(logs: LogObjects, url: str, since: datetime, until: datetime) -> CatalogLog:
    """The log's events between two times.

    Raises:
        ValueError: the URL is no S3 folder.
        AuditUnreadable: the objects cannot be read, or are no log files.
    """
    vended: list[Vended] = []
    newest, unreadable = None, 0
    for event in _events(logs, Folder.parse(url), since, until):
        moment, vending = _moment(event), _VENDING.fullmatch(str(event.get("actionName", ""))) is not None
        if moment is not None and since <= moment <= until:
            newest = max(newest, moment) if newest else moment
        try:
            if vending and _status(event) == _SUCCESS:
                one = _vended(moment, event)
                vended += [one] if since <= one.time <= until else []
        except (ValueError, TypeError, AttributeError):
            unreadable += 1
    return CatalogLog(tuple(sorted(vended, key=lambda one: one.time)), newest, unreadable)


def _events(logs: LogObjects, folder: Folder, since: datetime, until: datetime) -> Iterator[Mapping[str, Any]]:
    for day in days(since, until):
        yield from logs.records(folder.below(f"date={day.isoformat()}"), since)


def _moment(event: Mapping[str, Any]) -> datetime | None:
    """When an event happened; None where it does not say: events of other services may have any shape."""
    try:
        return datetime.fromtimestamp(int(event["timestamp"]) / 1000, UTC)
    except (KeyError, ValueError, TypeError, OverflowError, OSError):
        return None


def _status(event: Mapping[str, Any]) -> int:
    return int((event.get("response") or {}).get("statusCode") or 0)


def _vended(moment: datetime | None, event: Mapping[str, Any]) -> Vended:
    if moment is None:
        raise ValueError("the event has no time")
    parameters = event.get("requestParams") or {}
    securable = next(
        (parameters[key] for key in ("table_full_name", "url", "full_name_arg") if parameters.get(key)), ""
    )
    run = _RUN.search(str(event.get("userAgent", "")))
    return Vended(
        time=moment,
        principal=str((event.get("userIdentity") or {}).get("email", "")),
        securable=str(securable),
        operation=str(parameters.get("operation", "")),
        credential_id=_credential_id((event.get("response") or {}).get("result")),
        run_id=run[1] if run else "",
    )


def _credential_id(result: object) -> str:
    try:
        answer = json.loads(result) if isinstance(result, str) else {}
        return str(answer["aws_temp_credentials"]["access_key_id"])
    except (ValueError, KeyError, TypeError):
        return ""
