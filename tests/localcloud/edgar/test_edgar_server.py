"""The replica over HTTP: what it serves, how it refuses, and the faults it makes when asked."""

from __future__ import annotations

import gzip
import os
import socket
from pathlib import Path
from xml.etree import ElementTree

import httpx
import pytest

from localcloud.edgar.limits import RateLimiter
from tests.localcloud.edgar.replica_lab import DECLARED, DOCUMENT, SUBMISSIONS, TICKERS, Serve


def test_each_area_is_served_at_its_edgar_url(serve: Serve, root: Path) -> None:
    client = serve()
    for url, file, kind in (
        (DOCUMENT, root / f"www{DOCUMENT}", "text/html"),
        (TICKERS, root / f"www{TICKERS}", "application/json"),
        (SUBMISSIONS, root / f"data{SUBMISSIONS}", "application/json"),
    ):
        answer = client.get(url)
        assert answer.status_code == 200
        assert answer.content == file.read_bytes()
        assert answer.headers["content-type"] == kind


def test_gzip_only_when_asked(serve: Serve, root: Path) -> None:
    client = serve()
    content = (root / f"www{DOCUMENT}").read_bytes()
    with client.stream("GET", DOCUMENT, headers={"Accept-Encoding": "gzip"}) as packed:
        raw = b"".join(packed.iter_raw())
        assert packed.headers["content-encoding"] == "gzip"
    assert len(raw) < len(content)
    assert gzip.decompress(raw) == content
    for coding in ("identity", "gzip;q=0"):
        plain = client.get(DOCUMENT, headers={"Accept-Encoding": coding})
        assert "content-encoding" not in plain.headers
        assert int(plain.headers["content-length"]) == len(content)


def test_keep_alive_serves_many_requests_on_one_connection(serve: Serve) -> None:
    client = serve()
    with socket.create_connection((client.base_url.host, client.base_url.port or 0), timeout=10) as connection:
        for _ in range(3):
            connection.sendall(f"GET {TICKERS} HTTP/1.1\r\nHost: edgar\r\nUser-Agent: {DECLARED}\r\n\r\n".encode())
            answer = b""
            while not answer.endswith(b"{}"):
                answer += connection.recv(4096)
            assert answer.startswith(b"HTTP/1.1 200 OK\r\n")


def test_conditional_requests_answer_304_until_the_file_changes(serve: Serve, root: Path) -> None:
    client = serve()
    first = client.get(DOCUMENT)
    by_tag = client.get(DOCUMENT, headers={"If-None-Match": f'"other", {first.headers["etag"]}'})
    by_date = client.get(DOCUMENT, headers={"If-Modified-Since": first.headers["last-modified"]})
    assert (by_tag.status_code, by_date.status_code) == (304, 304)
    assert by_tag.content == b""
    path = root / f"www{DOCUMENT}"
    path.write_text("<html>changed</html>", encoding="utf-8")
    os.utime(path, (path.stat().st_mtime + 5, path.stat().st_mtime + 5))
    assert client.get(DOCUMENT, headers={"If-None-Match": first.headers["etag"]}).status_code == 200
    assert client.get(DOCUMENT, headers={"If-Modified-Since": first.headers["last-modified"]}).status_code == 200
    assert client.get(DOCUMENT, headers={"If-Modified-Since": "no date"}).status_code == 200


def test_head_has_the_headers_of_get_and_no_body(serve: Serve) -> None:
    client = serve()
    head, get = client.head(DOCUMENT), client.get(DOCUMENT)
    assert head.content == b""
    assert head.headers["etag"] == get.headers["etag"]
    assert head.headers["content-length"] == get.headers["content-length"]


def test_missing_objects_are_refused_as_the_sec_does(serve: Serve) -> None:
    client = serve()
    archive = client.get("/Archives/edgar/data/1/2/none.htm")
    submissions = client.get("/submissions/CIK0000000001.json")
    assert (archive.status_code, submissions.status_code) == (403, 404)
    assert ElementTree.fromstring(archive.text).findtext("Code") == "AccessDenied"
    error = ElementTree.fromstring(submissions.text)
    assert error.findtext("Code") == "NoSuchKey"
    assert error.findtext("Key") == "submissions/CIK0000000001.json"


@pytest.mark.parametrize(
    "path",
    [
        "/truth.json",
        "/files/../../truth.json",
        "/files/%2e%2e/%2e%2e/truth.json",
        "/files/..%2f..%2ftruth.json",
        "/files/..%5c..%5ctruth.json",
        "/files//company_tickers.json",
        "/files/company_tickers.json%00.htm",
        "/submissions/%2fetc%2fpasswd",
        "/www/files/company_tickers.json",
        "/Archives",
        "//etc/passwd",
        "/files/outside.json",
        "/files/folder/inside.txt",
    ],
)
def test_nothing_outside_the_served_areas_has_a_url(serve: Serve, root: Path, tmp_path: Path, path: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "inside.txt").write_text("secret", encoding="utf-8")
    (root / "www/files/outside.json").symlink_to(outside / "inside.txt")
    (root / "www/files/folder").symlink_to(outside, target_is_directory=True)
    client = serve()
    with socket.create_connection((client.base_url.host, client.base_url.port or 0), timeout=10) as connection:
        request = f"GET {path} HTTP/1.1\r\nHost: edgar\r\nUser-Agent: {DECLARED}\r\nConnection: close\r\n\r\n"
        connection.sendall(request.encode())
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer.split(b" ", 2)[1] in {b"403", b"404"}
    assert b"secret" not in answer


@pytest.mark.parametrize("agent", ["", "python-httpx/0.28", "data-desk@example.com", "Example Research", "x@y z"])
def test_a_client_that_does_not_say_who_it_is_gets_the_undeclared_page(serve: Serve, agent: str) -> None:
    answer = serve(headers={"User-Agent": agent}).get(DOCUMENT)
    assert answer.status_code == 403
    assert "<title>SEC.gov | Your Request Originates from an Undeclared Automated Tool</title>" in answer.text


def test_a_fast_client_is_refused_until_it_has_been_quiet_for_the_block_time(serve: Serve) -> None:
    clock = FakeClock()
    client = serve(limiter=RateLimiter(max_per_second=3, block_seconds=60, clock=clock))
    assert [client.get(TICKERS).status_code for _ in range(4)] == [200, 200, 200, 403]
    clock.now += 59
    refused = client.get(TICKERS)
    assert "Request Rate Threshold Exceeded" in refused.text
    clock.now += 59
    assert client.get(TICKERS).status_code == 403, "asking during the block extends it"
    clock.now += 61
    assert client.get(TICKERS).status_code == 200


def test_health_and_statistics_are_not_limited(serve: Serve) -> None:
    client = serve(limiter=RateLimiter(max_per_second=1, block_seconds=60), headers={})
    for _ in range(5):
        assert client.get("/_localcloud/health").json() == {"service": "edgar", "status": "ok"}
    client.get(DOCUMENT, headers={"User-Agent": DECLARED})
    client.get(DOCUMENT, headers={"User-Agent": DECLARED})
    assert client.get("/_localcloud/statistics").json() == {"archives": 1, "rate_exceeded": 1}


def test_faults_hit_every_nth_response_of_the_chosen_area(serve: Serve) -> None:
    client = serve(faults="error_every=3,only=/Archives/")
    assert [client.get(DOCUMENT).status_code for _ in range(6)] == [200, 200, 503, 200, 200, 503]
    assert [client.get(TICKERS).status_code for _ in range(3)] == [200, 200, 200]


def test_a_reset_breaks_the_connection(serve: Serve) -> None:
    client = serve(faults="reset_every=1")
    with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
        client.get(DOCUMENT)


def test_a_truncated_body_is_shorter_than_announced(serve: Serve) -> None:
    client = serve(faults="truncate_every=1")
    with pytest.raises(httpx.RemoteProtocolError, match="without sending complete message body"):
        client.get(DOCUMENT)


def test_wrong_gzip_cannot_be_decoded(serve: Serve) -> None:
    client = serve(faults="bad_gzip_every=1")
    with pytest.raises(httpx.DecodingError):
        client.get(DOCUMENT)


def test_a_short_gzip_stream_has_its_announced_length_but_no_end(serve: Serve) -> None:
    client = serve(faults="short_gzip_every=1")
    with client.stream("GET", DOCUMENT) as answer:
        raw = b"".join(answer.iter_raw())
        assert len(raw) == int(answer.headers["content-length"])
    with pytest.raises(EOFError):
        gzip.decompress(raw)


class FakeClock:
    """A clock that tests move by hand, so that a block of minutes takes no time."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now
