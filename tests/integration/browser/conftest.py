"""A Dagster UI on the state of the whole path, and Debian's chromium to look at it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from localcloud.process import kill_with_parent
from tests.conftest import ROOT, free_ports
from tests.integration.conftest import Project

READY_SECONDS = 180
VIEWPORT = {"width": 1600, "height": 1000}
FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
]


@pytest.fixture(scope="module")
def ui(
    project: Project, materialized: subprocess.CompletedProcess[str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Address of `dagster dev` on the state that the whole path left.

    It ends with its module: its daemon would take up the backfills that other tests launch on the same instance.
    """
    assert materialized.returncode == 0, materialized.stdout[-3000:] + materialized.stderr[-3000:]
    port = free_ports(1)[0]
    log = tmp_path_factory.mktemp("ui") / "dagster.log"
    command = [sys.executable, "-m", "dagster", "dev", "-w", "workspace.yaml", "-h", "127.0.0.1", "-p", str(port)]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=project.env,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=kill_with_parent,  # noqa: PLW1509 - the fixture runs in the main thread
        )
    try:
        _wait(f"http://127.0.0.1:{port}/server_info", process, log)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.5)
    raise RuntimeError(f"the Dagster UI did not start:\n{log.read_text(errors='replace')[-4000:]}")


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Chromium. It ends with this folder: while Playwright is there its event loop runs, and no other can."""
    executable = shutil.which("chromium") or shutil.which("chromium-browser")
    assert executable, "chromium is missing: install Debian's package (apt-get install chromium)"
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        yield launched
        launched.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    opened = browser.new_page(viewport=VIEWPORT)  # type: ignore[arg-type]
    opened.set_default_timeout(60_000)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the screenshots: GOVTUNE_SCREENSHOTS where it is set, as `make screenshots` does."""
    chosen = os.environ.get("GOVTUNE_SCREENSHOTS")
    folder = ROOT / chosen if chosen else tmp_path_factory.mktemp("screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder
