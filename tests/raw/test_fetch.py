"""`govtune fetch` as a person runs it: in a terminal and in a pipe, against a replica that refuses for a while."""

import io
import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from govtune_assets.edgar import Collection, OnProgress
from govtune_assets.fetch import run_fetch
from tests.conftest import ROOT
from tests.edgar.conftest import AGENT, Folder, Replica, document

Start = Callable[..., Replica]


def fill(folder: Folder, companies: int = 3) -> None:
    """Filers with a 10-K and a 10-Q of fiscal 2023."""
    for number in range(1, companies + 1):
        cik = folder.company(number, f"LMP{number}")
        folder.filing(cik, document())
        text = document(form="10-Q", period="Q1", end="March 31, 2023")
        folder.filing(cik, text, form="10-Q", filed="2023-05-01", reported="2023-03-31")


def environment(running: Replica, cache: Path, **changes: str) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("GOVTUNE_")}
    return {
        **inherited,
        "GOVTUNE_STATE": str(cache / "no-state"),
        "GOVTUNE_EDGAR_WWW_URL": running.url,
        "GOVTUNE_EDGAR_DATA_URL": running.url,
        "GOVTUNE_EDGAR_USER_AGENT": AGENT,
        "GOVTUNE_EDGAR_CACHE": str(cache),
        "GOVTUNE_EDGAR_REQUESTS_PER_SECOND": "100",
        "GOVTUNE_UNIVERSE": "served",
        "COLUMNS": "150",
        **changes,
    }


def command(*years: str) -> list[str]:
    return [sys.executable, "-m", "govtune_assets.cli", "fetch", *years]


def in_terminal(years: list[str], env: dict[str, str]) -> tuple[int, str]:
    """Run in a pseudo-terminal; exit status, and what the terminal was sent on both streams."""
    leader, follower = pty.openpty()
    process = subprocess.Popen(command(*years), cwd=ROOT, env=env, stdin=follower, stdout=follower, stderr=follower)
    os.close(follower)
    seen = b""
    while True:
        try:
            part = os.read(leader, 65536)
        except OSError:  # the last process that held the terminal has ended
            break
        if not part:
            break
        seen += part
    os.close(leader)
    return process.wait(), seen.decode()


class Unasked:
    """A source that must not be asked."""

    def collect(self, fiscal_year: int, on_progress: OnProgress) -> Collection:
        raise AssertionError(f"asked for {fiscal_year}")


def test_a_terminal_counts_the_pause_down_on_one_line(folder: Folder, replica: Start, tmp_path: Path) -> None:
    fill(folder)
    # Ten requests at 8 a second: the sixth is refused, and the rest go after the pause.
    running = replica(folder.root, "--max-per-second", "5", "--block-seconds", "1")
    pauses = {"GOVTUNE_EDGAR_REQUESTS_PER_SECOND": "8", "GOVTUNE_EDGAR_PAUSE_SECONDS": "3"}
    status, seen = in_terminal(["2023"], environment(running, tmp_path / "cache", **pauses))
    assert status == 0, seen
    live, *after = seen.split("\n")
    lines = [line.removesuffix("\x1b[K") for line in live.rstrip("\r").split("\r")]
    countdown = [found[1] for line in lines if (found := re.search(r"goes on in (\d:\d\d) \| \d+ of", line))]
    assert countdown[:3] == ["0:03", "0:02", "0:01"]
    assert lines[-1].startswith("FY2023  6 of 6 filings, 0 left, ")
    header, row = (re.split(r"\s{2,}", line.strip()) for line in after[:2])
    table = dict(zip(header, row, strict=True))
    assert (table["fiscal year"], table["10-K"], table["10-Q"], table["failed downloads"]) == ("2023", "3", "3", "0")
    assert int(table["pauses"]) >= 1


def test_a_pipe_gets_plain_lines_and_a_second_run_downloads_nothing(
    folder: Folder, replica: Start, tmp_path: Path
) -> None:
    fill(folder)
    running = replica(folder.root)
    env = environment(running, tmp_path / "cache")
    first, second = (
        subprocess.run(command("2023", "2022"), cwd=ROOT, env=env, capture_output=True, text=True, check=False)
        for _ in range(2)
    )
    assert first.returncode == second.returncode == 0, first.stderr
    assert "\r" not in first.stderr + first.stdout and "\x1b" not in first.stderr
    assert first.stderr.startswith("FY2023  6 of 6 filings, 0 left, ")
    tables = [[re.split(r"\s{2,}", line.strip()) for line in done.stdout.splitlines()] for done in (first, second)]
    at = tables[0][0].index("downloaded")
    assert [row[at] for row in tables[0][1:]] == ["6", "0"]
    assert [row[at] for row in tables[1][1:]] == ["0", "0"]


def test_failed_downloads_are_counted_and_make_the_command_fail(folder: Folder, replica: Start, tmp_path: Path) -> None:
    fill(folder, 1)
    running = replica(folder.root, "--faults", "error_every=1,only=/Archives")
    done = subprocess.run(
        command("2023"),
        cwd=ROOT,
        env=environment(running, tmp_path / "cache"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "2 downloads failed: run the same command again" in done.stdout


def test_ctrl_c_ends_it_in_words_and_keeps_what_was_fetched(folder: Folder, replica: Start, tmp_path: Path) -> None:
    fill(folder, 30)
    running = replica(folder.root, "--faults", "latency=0.2")
    env = environment(running, tmp_path / "cache", GOVTUNE_EDGAR_REQUESTS_PER_SECOND="1")
    process = subprocess.Popen(command("2023"), cwd=ROOT, env=env, stderr=subprocess.PIPE, text=True)
    while sum(running.statistics().values()) < 5 and process.poll() is None:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors.splitlines()[-1] == "govtune: interrupted; what was fetched is in the cache"
    assert "Traceback" not in errors
    assert list((tmp_path / "cache" / "bodies").rglob("*"))


def test_an_unknown_year_is_refused_before_anything_is_asked() -> None:
    with pytest.raises(ValueError, match="1999: no fiscal years of this project, which knows 2006 to"):
        run_fetch(Unasked(), ["2023", "1999"], io.StringIO(), io.StringIO())
