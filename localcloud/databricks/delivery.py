"""Delivery of the audit log to S3, as an account's audit log delivery does it: JSON lines by workspace and day.

Source of paths and fields: "Configure audit log delivery" and "Audit log reference" of the Databricks documentation.
What differs from Databricks: delivery takes about a second, not up to an hour, and the answer to a request for a
credential is kept with the credential's access key id, which Databricks does not promise.
"""

import json
import logging
import threading
import urllib.parse
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from sqlite3 import Row
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from localcloud.databricks.store import Store

log = logging.getLogger(__name__)

DELIVERY_SECONDS = 1.0
LONGEST_FILE = 1000
"""Events in one object."""
_NAMED = {
    "generateTemporaryTableCredential": "table_full_name",
    "generateTemporaryPathCredential": "url",
}


def event(row: Row, workspace_id: str) -> dict[str, Any]:
    """A row of the audit log in the shape of the delivered log."""
    result = {"aws_temp_credentials": {"access_key_id": row["credential_id"]}} if row["credential_id"] else None
    return {
        "version": "2.0",
        "auditLevel": "WORKSPACE_LEVEL",
        "timestamp": row["event_time"],
        "workspaceId": workspace_id,
        "sourceIPAddress": "127.0.0.1",
        "userAgent": row["user_agent"],
        "userIdentity": {"email": row["principal"], "subjectName": None},
        "serviceName": "unityCatalog",
        "actionName": row["action"],
        "requestId": f"{workspace_id}-{row['event_id']}",
        "requestParams": {_NAMED.get(row["action"], "full_name_arg"): row["securable"], "operation": row["operation"]},
        "response": {
            "statusCode": row["status"],
            "errorMessage": None if row["decision"] == "ALLOW" else row["decision"],
            "result": json.dumps(result) if result else None,
        },
    }


class Delivery:
    """Brings new events of the audit log to an S3 folder, in order, each at least once."""

    def __init__(self, store: Store, target: str, workspace_id: str, mark: Path, client: Any) -> None:
        parts = urllib.parse.urlsplit(target)
        self._store, self._workspace_id, self._mark, self._s3 = store, workspace_id, mark, client
        self._bucket, self._prefix = parts.netloc, parts.path.strip("/")
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="audit delivery", daemon=True)

    def start(self) -> None:
        """Begin to deliver."""
        self._thread.start()

    def close(self) -> None:
        """Stop; what is not delivered yet is delivered after the next start."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(DELIVERY_SECONDS):
            try:
                while self._deliver() == LONGEST_FILE:
                    pass
            except (BotoCoreError, ClientError) as error:  # tried again with the next turn
                log.warning("the audit log could not be delivered: %s", error)

    def _deliver(self) -> int:
        delivered = int(self._mark.read_text()) if self._mark.exists() else 0
        sql = "SELECT * FROM system_access_audit WHERE event_id > ? ORDER BY event_id LIMIT ?"
        with self._store.transaction() as db:
            rows = db.rows(sql, (delivered, LONGEST_FILE))
        for day, events in groupby(rows, key=_day):
            self._write(day, list(events))
        return len(rows)

    def _write(self, day: str, rows: list[Row]) -> None:
        lines = (json.dumps(event(row, self._workspace_id)) for row in rows)
        # Named by the first event: what a crash left undelivered or unmarked is written to the same object again.
        name = f"workspaceId={self._workspace_id}/date={day}/auditlogs_{rows[0]['event_id']:012d}.json"
        self._s3.put_object(Bucket=self._bucket, Key=f"{self._prefix}/{name}", Body="\n".join(lines).encode())
        part = self._mark.with_suffix(".part")
        part.unlink(missing_ok=True)
        part.touch(mode=0o600)
        part.write_text(str(rows[-1]["event_id"]))
        part.replace(self._mark)


def _day(row: Row) -> str:
    return datetime.fromtimestamp(row["event_time"] / 1000, UTC).date().isoformat()


def s3_client(endpoint: str, region: str, access_key_id: str, secret_access_key: str) -> Any:
    """The client that delivers."""
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name=region,
        aws_access_key_id=access_key_id,
        aws_secret_access_key=secret_access_key,
        config=Config(retries={"mode": "standard", "max_attempts": 3}, s3={"addressing_style": "path"}),
    )
