"""The closing line of `make test` adds up all runs."""

import subprocess
import sys
from pathlib import Path

import pytest

from tools import test_counts
from tools.test_counts import Counts

REPORT = """<?xml version="1.0"?><testsuites>
<testsuite name="pytest" errors="{errors}" failures="{failures}" skipped="{skipped}" tests="{tests}"/>
</testsuites>"""


def report(path: Path, tests: int, failures: int = 0, errors: int = 0, skipped: int = 0) -> Path:
    path.write_text(REPORT.format(tests=tests, failures=failures, errors=errors, skipped=skipped))
    return path


def run(*reports: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tools.test_counts", *map(str, reports)]
    root = Path(test_counts.__file__).parent.parent
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=root)


def test_runs_are_added(tmp_path: Path) -> None:
    done = run(report(tmp_path / "a.xml", 10, skipped=2), report(tmp_path / "b.xml", 5))
    assert (done.stdout, done.returncode) == ("13 passed, 0 failed, 2 skipped\n", 0)


@pytest.mark.parametrize("kind", ["failures", "errors"])
def test_a_failure_anywhere_fails(kind: str, tmp_path: Path) -> None:
    done = run(report(tmp_path / "a.xml", 10), report(tmp_path / "b.xml", 5, **{kind: 1}))
    assert (done.stdout, done.returncode) == ("14 passed, 1 failed, 0 skipped\n", 1)


def test_no_test_at_all_fails(tmp_path: Path) -> None:
    assert run(report(tmp_path / "a.xml", 0)).returncode == 1


def test_pytests_own_report_is_read(tmp_path: Path) -> None:
    (tmp_path / "test_sample.py").write_text(
        "import pytest\ndef test_a(): pass\ndef test_b(): pytest.skip('no')\ndef test_c(): 1 / 0\n"
    )
    written = tmp_path / "written.xml"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={written}"]
    subprocess.run([*command, "test_sample.py"], cwd=tmp_path, check=False, capture_output=True)
    assert test_counts.read(written) == Counts(passed=1, failed=1, skipped=1)
