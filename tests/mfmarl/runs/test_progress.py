"""Progress: plain lines at most every 5 s and the last one, a table on a terminal, nothing when quiet."""

from __future__ import annotations

import io
from typing import Any

from mfmarl.runs.progress import Progress


class Terminal(io.StringIO):
    """Text that says it is a terminal."""

    def isatty(self) -> bool:
        """It is."""
        return True


class Clock:
    """Seconds that a test sets."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def line(iteration: int, **metrics: Any) -> dict[str, Any]:
    return {"iteration": iteration, "env_steps": 100 * iteration, "agent_steps": 5000 * iteration, "metrics": metrics}


def play(progress: Progress, clock: Clock, iterations: int) -> None:
    progress.start(1000, "mfq is\x1b[2J")
    for i in range(1, iterations + 1):
        progress.update(line(i, loss=0.5, return_mean=1234.5 if i == 1 else None))
        clock.now += 1.0
    progress.end("done")


def test_plain_lines() -> None:
    out, clock = io.StringIO(), Clock()
    play(Progress(out=out, clock=clock), clock, 9)
    lines = out.getvalue().splitlines()
    assert lines[0] == "mfq is?[2J"
    assert [text.split()[1] for text in lines[1:-1]] == ["1", "6", "9"]
    assert lines[-1] == "done"
    # at iteration 6, 5 s after the first line: 25,000 agent steps in 5 s, and 400 of 1000 steps left at 100 a second
    assert lines[2] == (
        "iteration 6  env steps 600 (60%)  agent steps/s 5000  return 1234  loss 0.5  ESS -  drift -  temperature -  "
        "time left 0:04"
    )


def test_verbose_prints_every_line_and_quiet_none() -> None:
    out, clock = io.StringIO(), Clock()
    play(Progress(out=out, clock=clock, verbose=True), clock, 9)
    assert len(out.getvalue().splitlines()) == 11
    out = io.StringIO()
    play(Progress(out=out, clock=clock, quiet=True), clock, 9)
    assert out.getvalue() == ""


def test_a_table_on_a_terminal() -> None:
    out, clock = Terminal(), Clock()
    play(Progress(out=out, clock=clock), clock, 3)
    text = out.getvalue()
    for part in ("return", "temp", "left", "300 (30%)", "1234", "done"):
        assert part in text
    assert "\x1b[2J" not in text


def test_a_failed_run_gives_the_terminal_back() -> None:
    out, clock = Terminal(), Clock()
    progress = Progress(out=out, clock=clock)
    progress.start(1000, "x")
    progress.update(line(1))
    progress.close()
    progress.close()
    assert out.getvalue().rstrip().endswith("\x1b[?25h")
    plain = io.StringIO()
    progress = Progress(out=plain, clock=clock)
    progress.start(1000, "x")
    for i in (1, 2):
        progress.update(line(i))
    progress.close()
    assert "iteration 2" in plain.getvalue()


def test_cells_of_a_resumed_run_count_speed_from_where_it_goes_on() -> None:
    clock = Clock()
    progress = Progress(quiet=True, clock=clock)
    progress.start(1000, "x")
    assert progress.cells(line(5))["time left"] == "-"
    clock.now += 2.0
    cells = progress.cells(line(6, ess=0.5, drift_tv=float("nan"), loss=123456.0))
    assert cells["agent steps/s"] == "2500"
    assert cells["time left"] == "0:08"
    assert (cells["ESS"], cells["drift"], cells["loss"]) == ("0.5", "-", "123k")


def test_hours_are_shown() -> None:
    clock = Clock()
    progress = Progress(quiet=True, clock=clock)
    progress.start(1_000_000, "x")
    progress.cells(line(1))
    clock.now += 100
    assert progress.cells(line(2))["time left"] == "277:43:20"
