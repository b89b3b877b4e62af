"""What a job read and wrote, column by column, as OpenLineage events to an address or a file, when one is configured.

The events follow version 2-0-2 of the specification (https://openlineage.io/spec/2-0-2/OpenLineage.json). No client
library: a START and a COMPLETE or FAIL are all that there is to send. Events carry names, versions and counts, never
a row's text or a credential. A receiver that cannot be reached does not fail the job, since its tables are written
by then; the report says that it was not reached.
"""

from __future__ import annotations

import http.client
import json
import re
import urllib.error
import urllib.request
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

from spark import column_lineage, extras
from spark.errors import JobError
from spark.report import Report

SPEC = "https://openlineage.io/spec"
EVENT_SCHEMA = f"{SPEC}/2-0-2/OpenLineage.json#/$defs/RunEvent"
NAMESPACE = "govtune_assets"
ENDPOINT = "/api/v1/lineage"
"""Where receivers take events, unless the configured address has a path of its own."""
TIMEOUT_SECONDS = 10
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_SIGNS = re.compile("[!-~]+")
"""What an HTTP address is written in: ASCII without white space and control characters."""


def address(parameters: Mapping[str, Any]) -> str | None:
    """The configured address, checked; None when none is configured.

    Raises JobError on one that is no http(s) or file address, has a user name in it, or would send unencrypted. The
    message does not quote it, since its query may hold a key.
    """
    if not parameters.get("openlineage_url"):
        return None
    url = extras.text(parameters, "openlineage_url")
    if url.startswith("file:///"):
        return url
    parts = _http_parts(url)
    if parts is None:
        raise JobError(
            "job parameter 'openlineage_url' must be https://HOST[:PORT][/PATH], http:// on loopback, or "
            "file:///PATH, without a user name or password; an http address is ASCII without blanks"
        )
    return url if parts.path.strip("/") else f"{parts.scheme}://{parts.netloc}{ENDPOINT}"


def _http_parts(url: str) -> SplitResult | None:
    """The parts of an HTTP address that events may go to; None of any other text."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    plain = parts.scheme == "http" and parts.hostname in _LOOPBACK
    safe = (parts.scheme == "https" or plain) and parts.hostname and "@" not in parts.netloc and port != 0
    return parts if safe and _SIGNS.fullmatch(url) else None


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Leaves a redirect as the answer that it is: followed, a POST becomes a GET without the event."""

    def redirect_request(self, *_: Any) -> None:
        """Make no other request."""


class Events:
    """The events of one job's run."""

    def __init__(self, url: str, parameters: Mapping[str, Any]) -> None:
        self._url = url
        self._parameters = parameters
        self._run = str(uuid.uuid4())
        self._sent = 0
        self._fault = ""

    def started(self) -> None:
        """Send START."""
        self._send("START", outputs=[], facets={})

    def failed(self, message: str) -> None:
        """Send FAIL with the line that says what went wrong."""
        error = {"message": message, "programmingLanguage": "python"}
        self._send("FAIL", outputs=[], facets={"errorMessage": self._facet("1-0-1", "ErrorMessageRunFacet", error)})

    def completed(self, report: Report) -> str:
        """Send COMPLETE with the tables as they were read and written; return what became of the events."""
        source = self._dataset("source", int(report.metadata["source_delta_version"]))
        target = self._dataset("target", int(report.metadata["delta_version"]))
        target["facets"]["columnLineage"] = self._columns()
        statistics = {"rowCount": int(report.metadata["rows"]), "size": int(report.metadata["bytes"])}
        target["outputFacets"] = {
            "outputStatistics": self._facet("1-0-2", "OutputStatisticsOutputDatasetFacet", statistics)
        }
        self._send("COMPLETE", outputs=[target], facets={}, inputs=[source])
        return self._fault or f"{self._sent} events sent to {self._where()}"

    def _columns(self) -> dict[str, Any]:
        made_of, decide = column_lineage.of_job(extras.text(self._parameters, "job"))
        source = {name: self._dataset("source", 0)[name] for name in ("namespace", "name")}

        def fields(names: tuple[str, ...], kind: str, subtype: str) -> list[dict[str, Any]]:
            how = [{"type": kind, "subtype": subtype}]
            return [{**source, "field": name, "transformations": how} for name in names]

        lineage = {
            "fields": {
                column: {"inputFields": fields(names, "DIRECT", "IDENTITY" if names == (column,) else "TRANSFORMATION")}
                for column, names in made_of.items()
                if names
            },
            "dataset": fields(decide, "INDIRECT", "FILTER"),
        }
        return self._facet("1-2-0", "ColumnLineageDatasetFacet", lineage)

    def _dataset(self, side: str, version: int) -> dict[str, Any]:
        """A table by where its files lie (the specification's naming of S3), its name in the catalog beside it."""
        location = urlsplit(extras.text(self._parameters, f"{side}_location"))
        identifier = {
            "namespace": extras.text(self._parameters, "catalog_host"),
            "name": extras.text(self._parameters, f"{side}_table"),
            "type": "TABLE",
        }
        return {
            "namespace": f"{location.scheme}://{location.netloc}" if location.netloc else "file",
            "name": location.path.strip("/"),
            "facets": {
                "symlinks": self._facet("1-0-1", "SymlinksDatasetFacet", {"identifiers": [identifier]}),
                "version": self._facet("1-0-1", "DatasetVersionDatasetFacet", {"datasetVersion": str(version)}),
            },
        }

    def _facet(self, version: str, name: str, values: Mapping[str, Any]) -> dict[str, Any]:
        schema = f"{SPEC}/facets/{version}/{name}.json#/$defs/{name}"
        return {"_producer": self._producer(), "_schemaURL": schema, **values}

    def _producer(self) -> str:
        return f"urn:govtune-assets:spark:{extras.text(self._parameters, 'code_version')}"

    def _send(
        self,
        kind: str,
        *,
        outputs: list[dict[str, Any]],
        facets: Mapping[str, Any],
        inputs: list[dict[str, Any]] | None = None,
    ) -> None:
        parent = {
            "run": {"runId": extras.text(self._parameters, "run_id")},
            "job": {"namespace": NAMESPACE, "name": "dagster"},
        }
        event = {
            "eventType": kind,
            "eventTime": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "producer": self._producer(),
            "schemaURL": EVENT_SCHEMA,
            "run": {
                "runId": self._run,
                "facets": {"parent": self._facet("1-2-0", "ParentRunFacet", parent), **facets},
            },
            "job": {"namespace": NAMESPACE, "name": f"spark.{extras.text(self._parameters, 'job')}"},
            "inputs": inputs or [],
            "outputs": outputs,
        }
        try:
            self._deliver(json.dumps(event))
            self._sent += 1
        except (OSError, ValueError, http.client.HTTPException) as error:
            self._fault = f"{kind} did not reach {self._where()}: {_named(error)}"

    def _deliver(self, event: str) -> None:
        parts = urlsplit(self._url)
        if parts.scheme == "file":
            with Path(unquote(parts.path)).open("a", encoding="utf-8") as file:
                file.write(event + "\n")
            return
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(self._url, event.encode(), headers, method="POST")  # noqa: S310  checked above
        with urllib.request.build_opener(_NoRedirects).open(request, timeout=TIMEOUT_SECONDS):
            pass

    def _where(self) -> str:
        """The address without its query, which may hold a key."""
        parts = urlsplit(self._url)
        return f"{parts.scheme}://{parts.netloc}{parts.path}"


def _named(error: Exception) -> str:
    """A fault of delivery without words of the receiver's, and without the address, which some errors quote."""
    name = type(error).__name__
    if isinstance(error, urllib.error.HTTPError):
        error.close()
        return f"{name}: status {error.code}"
    return f"{name}: {error}" if isinstance(error, OSError) else name
