"""Lineage events of a job: their shape, where they go, and what happens when nobody takes them."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast

import pytest

from govtune_assets.raw_table import COLUMNS as RAW_COLUMNS
from spark import column_lineage, columns, manifest, schemas
from spark.entry import with_events
from spark.errors import JobError
from spark.report import Report
from spark.tables import GovernedTables

RUN = "11111111-1111-4111-8111-111111111111"
PARAMETERS = {
    "job": "snapshot",
    "run_id": RUN,
    "code_version": "abc",
    "catalog_host": "https://workspace.example",
    "source_table": "govtune.curated.risk_factor_examples",
    "source_location": "s3://lake/curated/delta/risk_factor_examples",
    "target_table": "govtune.curated.training_snapshot",
    "target_location": "s3://lake/curated/delta/training_snapshot",
}
REPORT = Report({"source_delta_version": 3, "delta_version": 7, "rows": 5, "bytes": 90}, "root")
TABLES = cast(GovernedTables, None)


class Receiver(ThreadingHTTPServer):
    """Takes events as a lineage server does."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.got: list[tuple[str, dict[str, Any]]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    """Keeps what is posted. Refuses under /closed, sends elsewhere under /moved, speaks no HTTP under /other."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        cast(Receiver, self.server).got.append((self.path, json.loads(body)))
        if self.path.startswith("/other"):
            self.wfile.write(b"SSH-2.0-canary\r\n")
            return
        self.send_response({"/closed": 503, "/moved": 302}.get(self.path.split("?")[0], 201))
        self.send_header("Location", "/api/v1/lineage")
        self.end_headers()

    def do_GET(self) -> None:
        cast(Receiver, self.server).got.append((self.path, {}))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def finish(_: GovernedTables, __: Mapping[str, Any]) -> Report:
    return REPORT


def fail(_: GovernedTables, __: Mapping[str, Any]) -> Report:
    raise JobError("too few companies")


def run(url: str, **changed: Any) -> Report:
    return with_events(finish, TABLES, {**PARAMETERS, "openlineage_url": url, **changed})


def test_nothing_is_sent_unless_an_address_is_configured() -> None:
    assert with_events(finish, TABLES, PARAMETERS) is REPORT
    assert "openlineage" not in run("").metadata


def test_start_and_complete_reach_the_receiver(receiver: Receiver) -> None:
    made = run(receiver.url)
    assert made.data_version == REPORT.data_version
    assert made.metadata["openlineage"] == f"2 events sent to {receiver.url}/api/v1/lineage"
    assert [(path, event["eventType"]) for path, event in receiver.got] == [
        ("/api/v1/lineage", "START"),
        ("/api/v1/lineage", "COMPLETE"),
    ]
    start, complete = (event for _, event in receiver.got)
    assert start["run"]["runId"] == complete["run"]["runId"] != RUN
    assert complete["run"]["facets"]["parent"]["run"]["runId"] == RUN
    assert complete["job"] == {"namespace": "govtune_assets", "name": "spark.snapshot"}
    (source,), (target,) = complete["inputs"], complete["outputs"]
    assert (source["namespace"], source["name"]) == ("s3://lake", "curated/delta/risk_factor_examples")
    assert source["facets"]["version"]["datasetVersion"] == "3"
    assert target["facets"]["symlinks"]["identifiers"][0]["name"] == "govtune.curated.training_snapshot"
    assert target["outputFacets"]["outputStatistics"]["rowCount"] == 5
    cluster = target["facets"]["columnLineage"]["fields"]["cluster_id"]["inputFields"]
    assert cluster == [
        {
            "namespace": "s3://lake",
            "name": "curated/delta/risk_factor_examples",
            "field": "prompt",
            "transformations": [{"type": "DIRECT", "subtype": "TRANSFORMATION"}],
        }
    ]


def test_events_go_to_a_file(tmp_path: Path) -> None:
    file = tmp_path / "lineage events.jsonl"
    for _ in range(2):
        run(f"file://{tmp_path}/lineage%20events.jsonl", job="examples")
    events = [json.loads(line) for line in file.read_text().splitlines()]
    assert [event["eventType"] for event in events] == ["START", "COMPLETE"] * 2
    fields = events[1]["outputs"][0]["facets"]["columnLineage"]["fields"]
    assert [item["field"] for item in fields["completion"]["inputFields"]] == ["risk_factors", "summary"]


def test_a_failed_job_sends_fail_and_still_fails(receiver: Receiver) -> None:
    with pytest.raises(JobError, match="too few companies"):
        with_events(fail, TABLES, {**PARAMETERS, "openlineage_url": receiver.url})
    event = receiver.got[-1][1]
    assert event["eventType"] == "FAIL"
    assert event["run"]["facets"]["errorMessage"]["message"] == "too few companies"


@pytest.mark.parametrize(
    ("path", "fault"),
    [("/closed", "HTTPError: status 503"), ("/moved", "HTTPError: status 302"), ("/other", "BadStatusLine")],
)
def test_a_receiver_that_takes_nothing_is_reported_and_fails_no_job(receiver: Receiver, path: str, fault: str) -> None:
    said = run(f"{receiver.url}{path}?key=canary").metadata["openlineage"]
    assert said == f"COMPLETE did not reach {receiver.url}{path}: {fault}"
    assert [event["eventType"] for _, event in receiver.got] == ["START", "COMPLETE"]


def test_a_fault_of_the_receiver_does_not_hide_why_the_job_failed(receiver: Receiver) -> None:
    with pytest.raises(JobError, match="too few companies"):
        with_events(fail, TABLES, {**PARAMETERS, "openlineage_url": f"{receiver.url}/other"})


@pytest.mark.parametrize(
    "url",
    [
        "http://lineage.example",
        "https://user:secret@lineage.example",
        "ftp://lineage.example",
        "file:events",
        "https://",
        "https://lineage.example:abc/?key=secret",
        "https://lineage.example:99999",
        "https://lineage.example/a path?key=secret",
        "https://lineage.example/a\x00path?key=secret",
        "https://[::1?key=secret",
        "https://lineage.example\u2100secret",
    ],
)
def test_an_address_that_is_unsafe_is_refused_before_the_job(url: str) -> None:
    with pytest.raises(JobError, match="openlineage_url") as caught:
        with_events(fail, TABLES, {**PARAMETERS, "openlineage_url": url})
    assert "secret" not in str(caught.value)


def test_column_lineage_names_the_tables_own_columns() -> None:
    raw = {name for name, _, _ in RAW_COLUMNS}
    assert set(column_lineage.EXAMPLES_FROM_RAW) == set(schemas.EXAMPLES.names)
    assert {name for names in column_lineage.EXAMPLES_FROM_RAW.values() for name in names} <= raw
    assert set(column_lineage.RAW_DECIDE) <= raw
    assert set(column_lineage.SNAPSHOT_FROM_EXAMPLES) == set(schemas.SNAPSHOT.names)
    examples = set(schemas.EXAMPLES.names)
    assert {name for names in column_lineage.SNAPSHOT_FROM_EXAMPLES.values() for name in names} <= examples
    assert set(column_lineage.EXAMPLES_DECIDE) <= examples


def test_column_lineage_names_all_that_decides_which_rows_there_are() -> None:
    taken, labelled = ("fiscal_year", "status", "form_type", "risk_factors"), ("summary",)
    earlier = ("filing_date", "accession_number")
    assert sorted(column_lineage.RAW_DECIDE) == sorted((*taken, *labelled, *earlier))
    placed, alike = ("fiscal_year", "cik"), ("prompt", "body_sha256", "task")
    earlier = ("fiscal_year", "fiscal_quarter", "accession_number", "risk_factor_index", "example_id")
    assert set(column_lineage.EXAMPLES_DECIDE) == {*placed, *alike, *earlier}


def test_tables_have_the_columns_that_the_ui_shows() -> None:
    shown = ((columns.EXAMPLES, schemas.EXAMPLES), (columns.SNAPSHOT, schemas.SNAPSHOT))
    for described, schema in (*shown, (columns.VERSIONS, manifest.VERSIONS)):
        assert described == tuple(
            (field.name, field.dataType.simpleString(), field.metadata["comment"]) for field in schema
        )
