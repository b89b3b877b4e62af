"""What the check concludes: a log that is not there proves nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from govtune_assets.audit.catalog_log import Vended
from govtune_assets.audit.judgement import Findings, Judged, Verdict
from govtune_assets.audit.ledger import RunAudit
from govtune_assets.audit.trail import Access
from govtune_assets.checks.audit import conclude
from govtune_assets.keys import SNAPSHOT
from govtune_assets.provenance import Materialized

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DELAY = timedelta(hours=2)
GRANT = Vended(NOW, "someone", "c.s.t", "READ", "ASIA1", "r")
READ = Access(NOW, "GetObject", "lake", "s/delta/t/x", 0, 9, "ASIA1", "arn", "")
SEEN = Findings((Judged(READ, Verdict.GRANTED),), (), delivered=True, unreadable=0)
OWN = RunAudit("r", (GRANT,), (READ,), delivered=True)
SILENT = RunAudit("r", (GRANT,), (), delivered=False)
PASSED, WARNED, FAILED = "passed", "warned", "failed"


def concluded(found: Findings, own: RunAudit, hours_ago: float) -> tuple[str, str]:
    made = Materialized(SNAPSHOT, None, "r", (NOW - timedelta(hours=hours_ago)).timestamp(), "v1", None, {})
    result = conclude(made, found, own, own.without_record(lambda name: ""), NOW, DELAY)
    severe = result.severity is dg.AssetCheckSeverity.ERROR
    return PASSED if result.passed else FAILED if severe else WARNED, str(result.description)


def of(verdict: Verdict, hours_ago: float = 0) -> Findings:
    at = replace(READ, time=NOW - timedelta(hours=hours_ago))
    return replace(SEEN, judged=(*SEEN.judged, Judged(at, verdict)))


@pytest.mark.parametrize(
    ("found", "own", "early", "late", "said"),
    [
        (SEEN, OWN, PASSED, PASSED, "0 of 1 accesses of table data had no grant."),
        (of(Verdict.UNGRANTED), OWN, FAILED, FAILED, "1 of 2 accesses"),
        (of(Verdict.PENDING), OWN, PASSED, PASSED, "1 wait for the catalog's log"),
        # A read past the catalog must not wait for ever.
        (of(Verdict.PENDING, hours_ago=3), OWN, FAILED, FAILED, "1 wait longer than 2:00:00"),
        # Nothing of the trail: another folder, or it was stopped.
        (replace(SEEN, judged=()), replace(OWN, accesses=()), WARNED, FAILED, "GOVTUNE_AUDIT_TRAIL has no access"),
        # Nothing of the catalog's log.
        (replace(SEEN, delivered=False), replace(OWN, delivered=False), WARNED, FAILED, "CATALOG has no event"),
        # Others' accesses, and none of the run's own.
        (SEEN, SILENT, WARNED, FAILED, "S3 has no record of what the run did with c.s.t"),
        (SEEN, replace(OWN, grants=(), accesses=()), WARNED, FAILED, "The run has no grant"),
        # An old run, in whose stretch of time all is there, and nothing since.
        (replace(SEEN, judged=(), delivered=False), OWN, PASSED, PASSED, "0 of 0"),
        (replace(SEEN, unreadable=3), OWN, PASSED, PASSED, "3 vending events of the catalog's log could not be read"),
        (replace(SEEN, unplaced=("c.s.gone",)), OWN, PASSED, PASSED, "where the files of c.s.gone lie"),
    ],
)
def test_what_is_absent_warns_first_and_fails_after_the_delay(
    found: Findings, own: RunAudit, early: str, late: str, said: str
) -> None:
    for hours_ago, expected in ((0.1, early), (2.1, late)):
        came, sentence = concluded(found, own, hours_ago)
        assert came == expected and said in sentence, (hours_ago, sentence)
    assert ("evaluate the check again after" in concluded(found, own, 0.1)[1]) == (early == WARNED)


def test_one_grant_of_the_same_files_may_stay_unused() -> None:
    made = replace(GRANT, securable="s3://lake/s/delta/t", operation="PATH_CREATE_TABLE", credential_id="ASIA2")
    own = replace(OWN, grants=(GRANT, made))
    assert own.without_record(lambda name: "s3://lake/s/delta/t") == ()
    assert own.without_record(lambda name: name) == ("s3://lake/s/delta/t",)
