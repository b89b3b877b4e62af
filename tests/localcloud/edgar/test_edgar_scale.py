"""The corpus of real size: what it holds, and that the replica puts its documents together."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path

import httpx
import pytest

from localcloud.edgar.access_log import AccessLog
from localcloud.edgar.limits import RateLimiter
from localcloud.edgar.scale.__main__ import main
from localcloud.edgar.scale.corpus import ScaleOptions, write_corpus
from localcloud.edgar.server import ReplicaServer
from tests.localcloud.edgar.replica_lab import DECLARED, running


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("scale") / "corpus"
    write_corpus(out, ScaleOptions(companies=30))
    return out


def test_it_has_the_companies_and_the_filings_of_two_years(corpus: Path) -> None:
    tickers = json.loads((corpus / "www/files/company_tickers.json").read_bytes())
    assert (len(tickers), len({row["cik_str"] for row in tickers.values()})) == (33, 30)
    forms: Counter[str] = Counter()
    sizes = []
    for path in (corpus / "data/submissions").glob("CIK*.json"):
        page = json.loads(path.read_bytes())
        recent = page["filings"]["recent"] if "filings" in page else page
        for form, size in zip(recent["form"], recent["size"], strict=True):
            forms[form] += 1
            if form in ("10-K", "10-Q"):
                sizes.append(size)
    assert (forms["10-K"], forms["10-Q"]) == (60, 180)
    assert 300_000 < min(sizes) < 1_000_000 < sum(sizes) / len(sizes) < max(sizes) < 4_200_000


def test_documents_are_served_whole_with_and_without_gzip(corpus: Path, tmp_path: Path) -> None:
    document = max((corpus / "www").rglob("*.htm"), key=lambda path: path.stat().st_size)
    url = "/" + document.relative_to(corpus / "www").as_posix()
    log = tmp_path / "access.jsonl"
    server = ReplicaServer(corpus, 0, RateLimiter(max_per_second=1000), access_log=AccessLog(log))
    with running(server) as base, httpx.Client(base_url=base, headers={"User-Agent": DECLARED}) as client:
        plain = client.get(url, headers={"Accept-Encoding": "identity"}).content
        with client.stream("GET", url, headers={"Accept-Encoding": "gzip"}) as answer:
            packed = b"".join(answer.iter_raw())
    assert gzip.decompress(packed) == plain
    assert len(plain) > 5 * document.stat().st_size
    assert b"<!--filler" not in plain
    assert plain.count(b"<html") == plain.count(b"</html>") == 1
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [(line["path"], line["kind"]) for line in lines] == [(url, "archives")] * 2
    assert lines[0]["at"] <= lines[1]["at"]


def test_a_piece_that_is_not_there_makes_its_document_missing(corpus: Path) -> None:
    document = corpus / "www/Archives/edgar/data/1/2/a.htm"
    document.parent.mkdir(parents=True)
    document.write_text("<html><!--filler 9999--></html>")
    server = ReplicaServer(corpus, 0)
    with running(server) as base, httpx.Client(base_url=base, headers={"User-Agent": DECLARED}) as client:
        assert client.get("/Archives/edgar/data/1/2/a.htm").status_code == 403


def test_the_same_seed_writes_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        assert main(["--out", str(tmp_path / name), "--companies", "2", "--size", "0.1"]) == 0
    files = {path.relative_to(tmp_path / "one"): path.read_bytes() for path in _files(tmp_path / "one")}
    assert {path.relative_to(tmp_path / "two"): path.read_bytes() for path in _files(tmp_path / "two")} == files


def test_a_folder_with_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("keep")
    with pytest.raises(SystemExit, match="2"):
        main(["--out", str(tmp_path)])
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())
