"""Every mean-field game of one population by every solver: iterations, seconds and exploitability reached.

    OMP_NUM_THREADS=1 python benchmarks/mean_field_solvers.py [--seconds 10] [--tol 1e-3] [--games sis ...]
        [--solvers mirror_prox ...] [--out docs/figures/mean_field_solvers.csv]

Solvers have their default settings, the same for all games. Each ends at the tolerance, after the iteration in which
its seconds run out, or where it refuses the game. Prints the table as Markdown: seconds where solved, else the
exploitability in brackets. Exit code 1 where some game was solved by none.
"""

from __future__ import annotations

import argparse
import csv
import sys
import time
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from envs.mean_field import FiniteMFG, make, names
from mfmarl.solvers import SOLVERS, solve


@dataclass(frozen=True)
class Run:
    """One game by one solver."""

    game: str
    solver: str
    iterations: int
    seconds: float
    exploitability: float
    """The least that was found; NaN where the solver refuses the game."""
    converged: bool
    note: str
    """Why there is nothing to tell."""


def measure(game: FiniteMFG, solver: str, tol: float, seconds: float) -> Run:
    """Solve, for so long."""
    began = time.perf_counter()
    try:
        found = solve(game, solver, tol, max_iterations=10**9, callback=lambda _: time.perf_counter() - began > seconds)
    except ValueError as refused:
        return Run(game.name, solver, 0, 0.0, float("nan"), False, str(refused))
    spent = time.perf_counter() - began
    return Run(game.name, solver, found.iterations, spent, found.exploitability, found.converged, "")


def table(runs: Sequence[Run]) -> str:
    """Games by solvers, as Markdown."""
    solvers = sorted({run.solver for run in runs})
    rows = ["| game | " + " | ".join(solvers) + " |", "|---" * (1 + len(solvers)) + "|"]
    for game in sorted({run.game for run in runs}):
        found = {run.solver: run for run in runs if run.game == game}
        rows.append(f"| {game} | " + " | ".join(cell(found.get(solver)) for solver in solvers) + " |")
    return "\n".join(rows)


def cell(run: Run | None) -> str:
    """Seconds where it was solved, else how near it came, else a dash."""
    if run is None or run.note:
        return "-"
    return f"{run.seconds:.2g} s" if run.converged else f"({run.exploitability:.2g})"


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, write, print."""
    games = [name for name in names() if isinstance(make(name), FiniteMFG)]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--games", nargs="+", default=games, choices=games, metavar="GAME")
    parser.add_argument("--solvers", nargs="+", default=sorted(SOLVERS), choices=sorted(SOLVERS), metavar="SOLVER")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--tol", type=float, default=1e-3)
    parser.add_argument("--out", type=Path, default=Path("docs/figures/mean_field_solvers.csv"))
    args = parser.parse_args(argv)
    runs = []
    for name in args.games:
        game = make(name)
        assert isinstance(game, FiniteMFG)
        for solver in args.solvers:
            runs.append(measure(game, solver, args.tol, args.seconds))
            print(*astuple(runs[-1]), file=sys.stderr, flush=True)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    with args.out.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([field.name for field in fields(Run)])
        writer.writerows(astuple(run) for run in runs)
    print(table(runs))
    return int({run.game for run in runs} != {run.game for run in runs if run.converged})


if __name__ == "__main__":
    raise SystemExit(main())
