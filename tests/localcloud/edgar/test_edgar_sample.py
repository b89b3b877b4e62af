"""The fictional corpus: deterministic, in EDGAR's shape, and true to its own ground truth."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from localcloud.edgar.sample.__main__ import main
from localcloud.edgar.sample.companies import make_companies
from localcloud.edgar.sample.corpus import CorpusOptions, make_corpus
from localcloud.edgar.sample.writer import DIGEST_FILE, NotOurFolderError, write_corpus

Rows = list[dict[str, Any]]
DEI = "{http://www.xbrl.org/2013/inlineXBRL}nonNumeric"


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def annual(truth: Rows) -> Rows:
    return [row for row in truth if row["form"] == "10-K" and row["defect"] is None]


def sound(truth: Rows) -> Rows:
    return [row for row in truth if row["defect"] is None]


def test_the_same_options_give_the_same_bytes() -> None:
    options = CorpusOptions(companies=3, seed=5)
    first, second = dict(make_corpus(options)), dict(make_corpus(options))
    assert first == second
    assert first != dict(make_corpus(CorpusOptions(companies=3, seed=6)))


def test_writing_again_leaves_files_alone_and_mends_what_was_changed(tmp_path: Path) -> None:
    out, options = tmp_path / "out", CorpusOptions(companies=2)
    first = write_corpus(out, options)
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    assert first.written == first.files
    assert write_corpus(out, options) == (first.files, 0, 0)
    assert before == {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    known = digests(out)
    damaged, missing = sorted(out.rglob("*.htm"))[:2]
    damaged.write_text("damaged", encoding="utf-8")
    missing.unlink()
    assert write_corpus(out, options).written == 2
    assert digests(out) == known


def test_fewer_companies_remove_the_files_of_the_others(tmp_path: Path) -> None:
    write_corpus(tmp_path / "out", CorpusOptions(companies=3))
    changed = write_corpus(tmp_path / "out", CorpusOptions(companies=2))
    write_corpus(tmp_path / "fresh", CorpusOptions(companies=2))
    assert changed.removed > 8
    assert digests(tmp_path / "out") == digests(tmp_path / "fresh")


def test_an_interrupted_run_is_finished_by_the_next(tmp_path: Path) -> None:
    out, options = tmp_path / "out", CorpusOptions(companies=2)
    write_corpus(out, options)
    known = digests(out)
    digest_file = out / DIGEST_FILE
    digest_file.write_text(json.dumps({"inputs": "", "files": {}}), encoding="utf-8")
    (out / "truth.json").unlink()
    assert write_corpus(out, options).written == 1
    assert digests(out) == known


def test_a_folder_of_somebody_else_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "thesis.txt").write_text("precious", encoding="utf-8")
    with pytest.raises(NotOurFolderError, match=r"is not empty and holds no sample\.json"):
        write_corpus(tmp_path, CorpusOptions(companies=1))
    with pytest.raises(SystemExit):
        main(["--out", str(tmp_path)])
    assert "name a new or an empty folder" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_digest_file_cannot_name_files_elsewhere(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    victim = tmp_path / "victim.txt"
    victim.write_text("precious", encoding="utf-8")
    (out / DIGEST_FILE).write_text('{"inputs": "", "files": {"../victim.txt": ""}}', encoding="utf-8")
    with pytest.raises(NotOurFolderError, match="names files outside"):
        write_corpus(out, CorpusOptions(companies=1))
    assert victim.exists()


def test_many_companies_have_names_tickers_and_ciks_of_their_own() -> None:
    companies = make_companies(503, seed=1)
    assert len({company.cik for company in companies}) == 503
    assert len({company.profile.name for company in companies}) == 503
    assert len({ticker for company in companies for ticker in company.tickers}) == 504
    assert all(re.fullmatch(r"99\d{8}", company.cik) for company in companies)
    with pytest.raises(ValueError, match="can be named"):
        make_companies(10_000, seed=1)


def test_every_company_files_each_year(truth: Rows) -> None:
    filed = Counter((row["cik"], row["fiscal_year"], row["fiscal_period"]) for row in sound(truth))
    assert len({row["cik"] for row in sound(truth)}) == 30
    assert set(filed.values()) == {1}
    assert len(filed) == 30 * 2 * 4
    assert len({row["layout"] for row in sound(truth)}) == 8
    assert len({row["industry"] for row in sound(truth)}) == 10


def test_ground_truth_offsets_hold(truth: Rows) -> None:
    for row in truth:
        for factor in row["risk_factors"]:
            assert row["text"][factor["start"] : factor["end"]] == factor["body"]
            assert factor["subcaption"] not in factor["body"]
            assert factor["subcaption"] in row["text"]
        for span in row["pii"]:
            assert row["text"][span["start"] : span["end"]] == span["value"]
            assert span["value"] in row["risk_factors"][span["risk_factor_index"]]["body"]


def test_annual_reports_have_enough_factors_of_fitting_length(truth: Rows) -> None:
    for row in annual(truth):
        assert row["status"] == "full"
        assert 14 <= len(row["risk_factors"]) <= 20
        for factor in row["risk_factors"]:
            assert 110 <= len(factor["body"].split()) <= 350, factor["id"]
            assert not re.search(r"[{}\[\]]|//|  ", factor["body"] + factor["subcaption"]), factor


def test_documents_say_what_the_truth_says(corpus: Path, truth: Rows) -> None:
    for row in sound(truth):
        tree = etree.parse(corpus / row["path"])
        shown = "".join(tree.getroot().itertext())
        for line in (row["text"] or "").splitlines():
            assert line.lstrip("\N{BULLET} ") in shown, (row["path"], line)


def test_inline_xbrl_facts_are_those_of_the_filing(corpus: Path, truth: Rows) -> None:
    nested = 0
    for row in sound(truth):
        facts: dict[str, str] = {}
        for element in etree.parse(corpus / row["path"]).iter(DEI):
            facts[element.get("name")] = "".join(element.itertext())
            nested += element.getparent().tag == DEI
        assert facts["dei:EntityCentralIndexKey"] == row["cik"]
        assert facts["dei:DocumentType"] == row["form"]
        assert facts["dei:DocumentFiscalYearFocus"] == str(row["fiscal_year"])
        assert facts["dei:DocumentFiscalPeriodFocus"] == row["fiscal_period"]
        assert facts["dei:AmendmentFlag"] == "false"
        assert facts["dei:EntityRegistrantName"] == row["entity_name"].upper()
        assert facts["dei:DocumentPeriodEndDate"].endswith(row["period_end"][:4])
    assert nested > 10


def test_fiscal_years_follow_each_companys_own_convention(truth: Rows) -> None:
    ends = {row["ticker"]: row["period_end"] for row in annual(truth) if row["fiscal_year"] == 2023}
    assert ends["HRRO"] == "2024-02-03"
    assert ends["QLLN"] == "2023-01-29"
    assert ends["LMPH"] == "2023-09-30"
    assert ends["ORLH"] == "2023-06-30"
    assert ends["ARDN"] == "2023-12-31"
    quarters = {
        row["fiscal_period"]: row["period_end"]
        for row in truth
        if row["ticker"] == "HRRO" and row["fiscal_year"] == 2024
    }
    assert quarters == {"Q1": "2024-05-04", "Q2": "2024-08-03", "Q3": "2024-11-02", "FY": "2025-02-01"}


def test_years_differ_by_edits_not_by_rewriting(truth: Rows) -> None:
    bodies: dict[str, dict[int, dict[str, str]]] = defaultdict(dict)
    for row in annual(truth):
        bodies[row["cik"]][row["fiscal_year"]] = {factor["id"]: factor["body"] for factor in row["risk_factors"]}
    for years in bodies.values():
        first, second = years[2023], years[2024]
        shared = first.keys() & second.keys()
        changed = [name for name in shared if first[name] != second[name]]
        assert len(first.keys() - second.keys()) == 1
        assert len(second.keys() - first.keys()) == 1
        assert len(changed) >= 3
        assert len(shared) >= 12


def test_companies_share_boilerplate_and_nothing_else_word_for_word(truth: Rows) -> None:
    owners: dict[str, set[str]] = defaultdict(set)
    names: dict[str, set[str]] = defaultdict(set)
    for row in annual(truth):
        for factor in row["risk_factors"]:
            owners[factor["body"]].add(row["cik"])
            names[factor["id"]].add(row["cik"])
    shared = {body for body, ciks in owners.items() if len(ciks) > 1}
    total = sum(len(row["risk_factors"]) for row in annual(truth))
    repeated = sum(factor["body"] in shared for row in annual(truth) for factor in row["risk_factors"])
    assert 0.05 < repeated / total < 0.3
    assert len(names) >= 110


def test_the_forms_of_a_quarterly_section_are_all_there(truth: Rows) -> None:
    statuses = Counter(row["status"] for row in sound(truth) if row["form"] == "10-Q")
    assert statuses.keys() == {"full", "pointer_or_no_change", "not_required", "absent"}
    assert statuses["pointer_or_no_change"] > sum(statuses.values()) / 2


def test_submissions_list_every_filing_in_the_secs_shape(corpus: Path, truth: Rows) -> None:
    listed: dict[str, str] = {}
    paged = set()
    forms: Counter[str] = Counter()
    for path in sorted((corpus / "data/submissions").glob("CIK??????????.json")):
        whole = json.loads(path.read_text(encoding="utf-8"))
        pages = [whole["filings"]["recent"]]
        for page in whole["filings"]["files"]:
            paged.add(whole["cik"])
            older = json.loads((path.parent / page["name"]).read_text(encoding="utf-8"))
            assert len(older["form"]) == page["filingCount"]
            assert page["filingFrom"] <= min(older["filingDate"]) <= max(older["filingDate"]) <= page["filingTo"]
            pages.append(older)
        for columns in pages:
            assert len({len(column) for column in columns.values()}) == 1
            assert columns["filingDate"] == sorted(columns["filingDate"], reverse=True)
            for accession, form, document, size in zip(
                columns["accessionNumber"], columns["form"], columns["primaryDocument"], columns["size"], strict=True
            ):
                forms[form] += 1
                listed[accession] = f"{int(whole['cik'])}/{accession.replace('-', '')}/{document}"
                file = corpus / "www/Archives/edgar/data" / listed[accession]
                assert form == "8-K" or whole["name"].startswith("MISSING") or file.stat().st_size == size
    assert len(paged) == 2
    assert forms["8-K"] > 100
    assert forms["10-K/A"] >= 3
    for row in truth:
        assert row["path"] == f"www/Archives/edgar/data/{listed[row['accession_number']]}"


def test_two_share_classes_are_one_filer(corpus: Path) -> None:
    tickers = json.loads((corpus / "www/files/company_tickers.json").read_text(encoding="utf-8"))
    by_cik: dict[int, list[str]] = defaultdict(list)
    for entry in tickers.values():
        by_cik[entry["cik_str"]].append(entry["ticker"])
    assert [names for names in by_cik.values() if len(names) > 1] == [["MCHT", "MCHT-B"]]


def test_planted_data_is_well_formed_and_belongs_to_nobody(truth: Rows) -> None:
    planted: dict[str, set[str]] = defaultdict(set)
    for row in truth:
        for span in row["pii"]:
            planted[span["kind"]].add(span["value"])
    assert planted.keys() == {"email", "phone", "ssn", "card", "iban"}
    assert all(value.endswith(".example.com") for value in planted["email"])
    assert all(re.search(r"555[ -]01\d\d$", value) for value in planted["phone"])
    assert all(re.fullmatch(r"987-65-432\d", value) for value in planted["ssn"])
    assert all(luhn(value) == 0 for value in planted["card"])
    assert all(iban_remainder(value) == 1 for value in planted["iban"])


def luhn(card: str) -> int:
    digits = [int(character) for character in card if character.isdigit()]
    return sum(sum(divmod(digit * (1 + place % 2), 10)) for place, digit in enumerate(reversed(digits))) % 10


def iban_remainder(iban: str) -> int:
    plain = iban.replace(" ", "")
    return int("".join(str(int(character, 36)) for character in plain[4:] + plain[:4])) % 97


def test_each_defect_is_there_once_a_year(corpus: Path, truth: Rows) -> None:
    broken = {(row["defect"], row["fiscal_year"]): row for row in truth if row["defect"]}
    assert len(broken) == 10
    contents = {
        key: (corpus / row["path"]).read_bytes() for key, row in broken.items() if (corpus / row["path"]).exists()
    }
    assert b"Item&#160;1A." in contents["malformed_html", 2023]
    assert b"Risk Factors</span></div>" not in contents["no_item_1a", 2023]
    assert contents["empty_document", 2023] == b""
    assert ("missing_document", 2023) not in contents
    assert b"FiscalYearFocus" not in contents["no_fiscal_year", 2023]
    with pytest.raises(etree.XMLSyntaxError):
        etree.fromstring(contents["malformed_html", 2023])
