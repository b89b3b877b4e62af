"""`python -m localcloud`: up, down, status and run."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from localcloud.seed.settings import read_settings, with_user_choices
from localcloud.seed.stacks import POSTURE
from localcloud.supervisor import instance
from localcloud.supervisor.command import run_command
from localcloud.supervisor.errors import LocalCloudError, Stopped
from localcloud.supervisor.instance import Instance
from localcloud.supervisor.layout import PROJECT_ROOT, EdgarSource, Layout, Ports
from localcloud.supervisor.remembered import asked_for, change_of_source, choose
from localcloud.supervisor.services import answers

if TYPE_CHECKING:
    from localcloud.supervisor.cloud import Cloud

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
DOWN_SECONDS = 120.0
READY_SECONDS = 600.0
POLL_SECONDS = 0.2
STAND_INS = "These are local stand-ins for AWS, Databricks and EDGAR; nothing here leaves this machine."
PARTIAL = (
    "A folder holds a part of the filings that its submissions files list: the gate on coverage asks for none of them "
    "(GOVTUNE_MINIMUM_COVERAGE=0), missing ones are named on each year."
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; 0 when it did, 1 on a failure said in one message, 130 when it was stopped."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except LocalCloudError as error:
        sys.stderr.write(f"localcloud: {error}\n")
        return 1
    except (Stopped, KeyboardInterrupt):
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m localcloud", description="AWS, Databricks and EDGAR on this machine, for this project."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    up = commands.add_parser("up", help="start and seed everything, and the Dagster UI")
    _add_cloud_options(up)
    up.add_argument("--no-dagster", action="store_true", help="only the cloud, not the Dagster UI and daemon")
    up.add_argument("--detach", action="store_true", help="return when all is ready; `down` stops it")
    up.set_defaults(run=_up)
    down = commands.add_parser("down", help="stop what `up` started")
    _add_state_option(down)
    down.set_defaults(run=_down)
    status = commands.add_parser("status", help="what runs, where, and whether it answers")
    _add_state_option(status)
    status.set_defaults(run=_status)
    run = commands.add_parser("run", help="run a command against the cloud, started for it if need be")
    _add_cloud_options(run)
    run.add_argument("command", nargs="+", metavar="COMMAND", help="after `--`: the command and its arguments")
    run.set_defaults(run=_run)
    return parser


def _add_state_option(parser: argparse.ArgumentParser) -> None:
    default = os.environ.get("GOVTUNE_STATE") or str(PROJECT_ROOT / ".govtune")
    parser.add_argument("--state", type=Path, default=Path(default), help="state folder (default: .govtune)")


def _add_cloud_options(parser: argparse.ArgumentParser) -> None:
    _add_state_option(parser)
    parser.add_argument(
        "--edgar",
        help="sample, live, or a folder in EDGAR's layout (default: that of the state; sample for a new one)",
    )
    parser.add_argument("--companies", type=int, help="size of the sample corpus (default: all of it)")
    parser.add_argument("--contact", default="", help="name and e-mail address declared to the SEC")


def _layout(options: argparse.Namespace) -> Layout:
    return Layout(options.state.expanduser().resolve())


def _asked_for(options: argparse.Namespace) -> EdgarSource | None:
    return asked_for(options.edgar, companies=options.companies, contact=options.contact)


def _say(line: str) -> None:
    _print(f"localcloud: {line}")


def _print(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


@contextmanager
def _stoppable() -> Iterator[None]:
    """The first stop signal raises Stopped; later ones are ignored, so that stopping is not cut short."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        for number in STOP_SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        raise Stopped

    before = {number: signal.signal(number, stop) for number in STOP_SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _cloud(options: argparse.Namespace) -> Iterator[Cloud]:
    """A cloud that holds its state folder and stops with the block."""
    from localcloud.supervisor.cloud import Cloud  # imports the clients of both clouds

    layout = _layout(options)
    edgar = choose(layout, _asked_for(options), contact=options.contact)
    layout.create()
    with (
        instance.claim(layout, edgar.describe()) as claim,
        Cloud(
            layout=layout,
            ports=Ports.from_environment(os.environ),
            edgar=edgar,
            environment=dict(os.environ),
            claim=claim,
            say=_say,
        ) as cloud,
    ):
        if change := change_of_source(layout, edgar):
            _say(change)
        yield cloud


def _up(options: argparse.Namespace) -> int:
    if options.detach:
        return _up_detached(options)
    try:
        with _stoppable(), _cloud(options) as cloud:
            cloud.start(with_dagster=not options.no_dagster)
            _print_table(instance.read(cloud.layout))
            _say("all is ready; Ctrl-C here, or `make down`, stops it")
            cloud.declare_ready()
            cloud.watch()
    except Stopped:
        _say("stopped")
    return 0


def _up_detached(options: argparse.Namespace) -> int:
    """Starts `up` in a session of its own and returns once it is ready, showing its words meanwhile."""
    layout = _layout(options)
    layout.create()
    holder = instance.running(layout)
    if holder is not None:
        raise LocalCloudError(f"The local cloud of {layout.state} is already running (process {holder.pid}).")
    log = layout.logs / "supervisor.log"
    command = [sys.executable, "-m", "localcloud", "up", "--state", str(layout.state)]
    command += ["--edgar", options.edgar] if options.edgar is not None else []
    command += ["--contact", options.contact] if options.contact else []
    command += ["--companies", str(options.companies)] if options.companies is not None else []
    command += ["--no-dagster"] if options.no_dagster else []
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        return _follow(process, layout, log)
    except BaseException:
        process.terminate()
        process.wait()
        raise


def _follow(process: subprocess.Popen[bytes], layout: Layout, log: Path) -> int:
    """Copies the supervisor's log to our output until it is ready (0) or has ended (1)."""
    with log.open("r", errors="replace") as words:
        while True:
            code = process.poll()
            record = instance.read(layout)
            ready = record is not None and record.ready and record.pid == process.pid
            sys.stdout.write(words.read())
            sys.stdout.flush()
            if ready or code is not None:
                return 0 if ready else 1
            time.sleep(POLL_SECONDS)


def _down(options: argparse.Namespace) -> int:
    layout = _layout(options)
    holder = instance.running(layout)
    if holder is None:
        _say("nothing is running")
        return 0
    os.kill(holder.pid, signal.SIGTERM)
    deadline = time.monotonic() + DOWN_SECONDS
    while holder.is_alive():
        if time.monotonic() > deadline:
            raise LocalCloudError(
                f"Process {holder.pid} did not stop within {DOWN_SECONDS:.0f} s; see {layout.logs}. "
                f"`kill -9 {holder.pid}` ends it and all that it started."
            )
        time.sleep(POLL_SECONDS)
    _say("stopped")
    return 0


def _status(options: argparse.Namespace) -> int:
    layout = _layout(options)
    holder = instance.running(layout)
    if holder is None:
        _say(f"nothing is running on {layout.state}; `make up` starts it")
        return 1
    healthy = _print_table(holder)
    if not holder.ready:
        _say("it is still starting")
    return 0 if healthy and holder.ready else 1


def _print_table(record: Instance | None) -> bool:
    """Prints the services; returns whether all of them answer."""
    if record is None:
        return False
    healthy = {each.name: answers(each.url, each.health) for each in record.services}
    _print(f"{'service':<12}{'address':<26}{'pid':>8}  {'health':<12}what")
    for each in record.services:
        health = "ok" if healthy[each.name] else "no answer"
        _print(f"{each.name:<12}{each.url:<26}{each.pid:>8}  {health:<12}{each.what}")
    _print(f"Filings: {record.edgar}. Supervisor: process {record.pid}. {STAND_INS}")
    if Path(record.edgar).is_dir():
        _print(PARTIAL)
    _print(POSTURE)
    return all(healthy.values())


def _run(options: argparse.Namespace) -> int:
    layout = _layout(options)
    holder = instance.running(layout)
    if holder is not None:
        settings = _settings_of(holder, layout, options)
        return run_command(options.command, settings, os.environ)
    with _stoppable(), _cloud(options) as cloud:
        settings = cloud.start(with_dagster=False)
        cloud.declare_ready()
        return run_command(options.command, settings, os.environ)


def _settings_of(holder: Instance, layout: Layout, options: argparse.Namespace) -> dict[str, str]:
    """The settings of the running cloud, once it is ready, with what the user's environment chooses.

    Raises LocalCloudError when it serves other filings than asked for, or ends before it is ready.
    """
    asked = _asked_for(options)
    if asked is not None and holder.edgar != asked.describe():
        raise LocalCloudError(
            f"The local cloud that is running serves EDGAR={holder.edgar}, not {asked.describe()}; "
            "`make down` stops it."
        )
    deadline = time.monotonic() + READY_SECONDS
    current: Instance | None = holder
    while current is not None and not current.ready:
        if time.monotonic() > deadline:
            raise LocalCloudError(f"Process {holder.pid} has been starting for {READY_SECONDS:.0f} s.")
        time.sleep(POLL_SECONDS)
        current = instance.running(layout)
    if current is None:
        raise LocalCloudError(f"The local cloud ended while it was starting; see {layout.logs}.")
    return with_user_choices(read_settings(layout.settings), os.environ)
