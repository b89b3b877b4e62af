"""The suite's own honesty: what a server lacks is found and named, and the document shows every proof."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from contract_report import Area, Client, Results, Tally
from contract_subject import LOCAL, UC, Capability, Subject, probed

from tools.catalog_compatibility import DOCUMENT, table

pytestmark = pytest.mark.integration

OFFERED = ("catalogs", "schemas", "tables", "volumes", "models", "temporary-", "metastore_summary", "permissions/")


class _Lesser(BaseHTTPRequestHandler):
    """A server with a part of the interface, as the open-source one has it: the rest is 404 without a JSON body."""

    def _answer(self) -> None:
        known = self.path.startswith(tuple(f"{UC}/{part}" for part in OFFERED)) and "aliases" not in self.path
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b'{"error_code": "INVALID_ARGUMENT", "message": "no"}' if known else b"Not Found"
        self.send_response(400 if known else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = _answer  # noqa: N815 - names that http.server looks for

    def log_message(self, *_: object) -> None:
        """Nothing on the terminal."""


@pytest.fixture
def lesser() -> Iterator[str]:
    """The address of such a server."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Lesser)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_what_a_server_lacks_is_found_by_asking(lesser: str) -> None:
    found = probed(Subject("a lesser server", lesser, None))
    lacking = {Capability.SIGN_IN, Capability.PRINCIPALS, Capability.ALIASES, Capability.METADATA, Capability.TAGS}
    lacking |= {Capability.EXTERNAL_LINEAGE, Capability.EFFECTIVE, Capability.MLFLOW, Capability.STORAGE}
    assert lacking <= found.missing
    assert not found.missing & {Capability.VOLUMES, Capability.MODELS, Capability.TABLE_CREDENTIALS}


def test_what_is_unsupported_is_named_in_the_table() -> None:
    results = Results("a lesser server")
    results.tally(Area.LINEAGE, Client.SDK).unsupported.add(Capability.EXTERNAL_LINEAGE)
    results.tally(Area.TABLES, Client.SDK).passed = 3
    assert str(Tally(1, 1, {"tags"})) == "1 passed; 1 FAILED; unsupported: tags"
    shown = table({"subject": results.subject, "cells": results.cells()})
    assert "| external metadata and lineage | unsupported |" in shown
    assert "| tables | 3 |" in shown
    assert "- Unsupported, for databricks-sdk: external lineage." in shown


def test_the_local_workspace_offers_all_that_databricks_does(subject: Subject) -> None:
    if subject.name == LOCAL:
        assert subject.missing == {Capability.SPACED}


def test_the_document_shows_every_area_and_client(request: pytest.FixtureRequest) -> None:
    lines = DOCUMENT.read_text().splitlines()
    header = next(line for line in lines if line.startswith("| area |")).split(" | ")
    for item in request.session.items:
        mark = item.get_closest_marker("contract")
        if mark is None:
            continue
        row = next(line for line in lines if line.startswith(f"| {mark.args[0]} |")).split(" | ")
        shown = row[[name.strip(" |") for name in header].index(mark.args[1])].strip(" |")
        assert shown != "-", f"{mark.args[0]}, {mark.args[1]}: make the document anew with tools.catalog_compatibility"
