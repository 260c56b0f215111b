"""Solving a game into a folder: shown while it goes on, saved now and then, and gone on with bit for bit."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from envs.mean_field.protocol import Game
from mfmarl.runs.files import storing
from mfmarl.runs.interrupt import ctrl_c
from mfmarl.runs.lock import hold
from mfmarl.runs.progress import Progress, duration, short
from mfmarl.solvers import solve
from mfmarl.solvers.control import worth
from mfmarl.solvers.problem import Problem
from mfmarl.solvers.saved import Saved, take_folder, write_solution
from mfmarl.solvers.solution import Point, Solution

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
        own = {} if line["gap"] is None else {"first-order gap": short(line["gap"]), "lowest": short(line["lowest"])}
        exploitability = {"exploitability": short(line["exploitability"])}
        measures = own | exploitability if own else exploitability | {"lowest": short(line["lowest"])}
        return {"iteration": f"{line['iteration']:,}"} | measures | {"seconds": f"{line['seconds']:.1f}"}


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
        UserError: where the problem cannot be built, or another process writes to the folder.
        StorageFailed: where the folder takes no file, before anything is solved.
    """
    game, solver = problem.build()
    with storing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    found = None if resume_from is None else resume_from.solution
    shown = SolveProgress() if progress is None else progress
    lowest = float("inf") if found is None else found.measure
    saved_at, shown_at = time.monotonic(), float("-inf")
    with hold(folder), closing(shown), ctrl_c() as interrupted:
        take_folder(folder)
        shown.start(max_iterations, f"{problem.game} by {problem.solver}, to {tol:g}")

        def tell(point: Point) -> bool:
            nonlocal lowest, shown_at
            lowest = min(lowest, point.measure)
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
        shown.update(_line(last, found.measure))
        why = {"tolerance": "within", "iterations": "not within", "stopped": "interrupted before it was within"}
        shown.end(
            f"{'exploitability' if found.gap is None else 'first-order gap'} {found.measure:.4g} after "
            f"{last.iteration:,} iterations in {duration(last.seconds)}: {why[found.reason]} the tolerance {tol:g}"
            + ("" if found.gap is None else f"; {_of_optimum(game, found)}")
        )
    return Solved(made, game, paths, found.reason == "stopped")


def _line(point: Point, lowest: float) -> dict[str, Any]:
    return asdict(point) | {"lowest": lowest}


def _of_optimum(game: Any, found: Solution) -> str:
    """What it is worth, and whether agents would keep to it."""
    return f"value {worth(game, found.pi):.6g}, exploitability {found.exploitability:.4g}"
