"""Progress: what is written where lines stay, and the one live line of a terminal."""

import io

import pytest

from govtune_assets.edgar import Progress
from govtune_assets.fetch import Line, describe, duration
from govtune_assets.progress import EVERY, EVERY_IN_PAUSE, Throttle


class Clock:
    """Seconds that the test moves on."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def progress(done: int = 1, *, message: str = "", paused: float | None = None) -> Progress:
    return Progress(done, 1200, 7.9, 151.0, message, paused)


def test_lines_that_stay_are_far_apart_and_events_are_written_at_once() -> None:
    clock = Clock()
    throttle = Throttle(clock)
    assert not throttle.is_due(progress())
    assert throttle.is_due(progress(message="done"))
    clock.now += EVERY - 0.1
    assert not throttle.is_due(progress())
    clock.now += 0.1
    assert throttle.is_due(progress())


def test_a_pause_of_ten_minutes_writes_a_line_at_its_start_and_each_half_minute() -> None:
    clock = Clock()
    throttle = Throttle(clock)
    written = []
    for second in range(600):
        if throttle.is_due(progress(message="paused", paused=600.0 - second)):
            written.append(second)
        clock.now += 1
    assert written == [int(EVERY_IN_PAUSE) * number for number in range(20)]
    clock.now += EVERY
    assert throttle.is_due(progress())
    assert throttle.is_due(progress(message="paused again", paused=600.0))


def test_a_terminal_has_one_line_that_is_written_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    terminal = Terminal()
    with Line(terminal, "FY2023") as line:
        line(progress(10))
        line(progress(20, paused=9.0))
    written = terminal.getvalue()
    assert written.count("\n") == 1 and written.endswith("\n")
    lines = [part.removesuffix("\x1b[K") for part in written.rstrip("\n").split("\r")[1:]]
    assert lines[1:] == ["FY2023  10 of 1,200 filings, ", "FY2023  paused by the source,"]


def test_a_file_gets_plain_lines() -> None:
    clock, plain = Clock(), io.StringIO()
    with Line(plain, "FY2023", clock) as line:
        for second in range(20):
            line(progress(second))
            clock.now += 1
    assert plain.getvalue().splitlines() == [
        f"FY2023  {done} of 1,200 filings, {1200 - done:,} left, 7.9/s, 2:31 to go" for done in (5, 10, 15)
    ]


def test_the_words_say_what_is_left_and_when_a_pause_ends() -> None:
    assert describe(progress(200)) == "200 of 1,200 filings, 1,000 left, 7.9/s, 2:31 to go"
    assert describe(Progress(1, 2, 3.0, None)) == "1 of 2 filings, 1 left, 3.0/s, still listing"
    paused = describe(progress(200, message="the source asks", paused=599.6))
    assert paused == "paused by the source, goes on in 10:00 | 200 of 1,200 filings, 1,000 left, 7.9/s"
    assert "1,200" not in str(progress()) and "1199 left" in str(progress())
    assert [duration(seconds) for seconds in (-1, 0.4, 59.6, 3661)] == ["0:00", "0:00", "1:00", "1:01:01"]
