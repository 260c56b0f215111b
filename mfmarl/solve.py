"""Solving a game into a folder: shown while it goes on, saved now and then, and gone on with bit for bit."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from envs.mean_field.protocol import Game
from mfmarl.runs.progress import Progress, duration, short
from mfmarl.solvers import solve
from mfmarl.solvers.problem import Problem
from mfmarl.solvers.saved import Saved, write_solution
from mfmarl.solvers.solution import Point

SECONDS_BETWEEN_SAVES = 30.0
SECONDS_BETWEEN_SHOWN = 0.1
"""A game may take a thousand iterations a second, and a terminal not."""


@dataclass(frozen=True)
class Solved:
    """What came of it."""

    saved: Saved
    game: Game
    paths: list[Path]
    interrupted: bool


class SolveProgress(Progress):
    """A row of the last iteration, redrawn on a terminal, and plain lines elsewhere."""

    def cells(self, line: Mapping[str, Any]) -> dict[str, str]:
        """Heading -> text."""
        return {
            "iteration": f"{line['iteration']:,}",
            "exploitability": short(line["exploitability"]),
            "lowest": short(line["lowest"]),
            "seconds": f"{line['seconds']:.1f}",
        }


def solve_into(
    folder: Path,
    problem: Problem,
    *,
    tol: float,
    max_iterations: int,
    resume_from: Saved | None = None,
    progress: Progress | None = None,
) -> Solved:
    """Solve a problem, or go on with it, and write its solution into `folder` every half a minute and at the end.

    Ctrl-C ends after the iteration under way, and saves.

    Raises:
        UserError: where the problem cannot be built.
        StorageFailed: where the folder takes no file.
    """
    game, solver = problem.build()
    found = None if resume_from is None else resume_from.solution
    shown = SolveProgress() if progress is None else progress
    lowest = float("inf") if found is None else found.exploitability
    saved_at, shown_at = time.monotonic(), float("-inf")
    with closing(shown), _ctrl_c() as interrupted:
        shown.start(max_iterations, f"{problem.game} by {problem.solver}, to {tol:g}")

        def tell(point: Point) -> bool:
            nonlocal lowest, shown_at
            lowest = min(lowest, point.exploitability)
            now = time.monotonic()
            if now - shown_at >= SECONDS_BETWEEN_SHOWN:
                shown_at = now
                shown.update(_line(point, lowest))
            return interrupted() or now - saved_at >= SECONDS_BETWEEN_SAVES

        while True:
            found = solve(game, solver, tol=tol, max_iterations=max_iterations, callback=tell, resume_from=found)
            made = Saved(problem, tol, max_iterations, found)
            paths = write_solution(folder, game, made)
            saved_at = time.monotonic()
            if found.reason != "stopped" or interrupted():
                break
        last = found.history[-1]
        shown.update(_line(last, found.exploitability))
        why = {"tolerance": "within", "iterations": "not within", "stopped": "interrupted before it was within"}
        shown.end(
            f"exploitability {found.exploitability:.4g} after {last.iteration:,} iterations in "
            f"{duration(last.seconds)}: {why[found.reason]} the tolerance {tol:g}"
        )
    return Solved(made, game, paths, found.reason == "stopped")


def _line(point: Point, lowest: float) -> dict[str, Any]:
    return {
        "iteration": point.iteration,
        "exploitability": point.exploitability,
        "lowest": lowest,
        "seconds": point.seconds,
    }


@contextmanager
def _ctrl_c() -> Iterator[Callable[[], bool]]:
    """Whether Ctrl-C was pressed within, instead of an exception; pressed again, it is one."""
    pressed = False
    if threading.current_thread() is not threading.main_thread():
        # only the main thread may say what signals do
        yield lambda: False
        return
    before = signal.getsignal(signal.SIGINT)

    def press(number: int, frame: FrameType | None) -> None:
        nonlocal pressed
        pressed = True
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, press)
    try:
        yield lambda: pressed
    finally:
        signal.signal(signal.SIGINT, before)
