"""Every mean-field game by every solver: iterations, seconds and exploitability reached.

    OMP_NUM_THREADS=1 python benchmarks/mean_field_solvers.py [--seconds 10] [--tol 1e-3] [--games sis ...]
        [--solvers mirror_prox ...] [--out docs/figures/mean_field_solvers.csv] [--table]

Games and solvers have their default settings, the same everywhere. Each run ends at the tolerance, after the iteration
in which its seconds run out, or where the solver refuses the game. Rows are appended to the file as they come; a run
that it has with as many seconds, or that came to the tolerance, is not done again. Prints two tables as Markdown: the
fastest solver of each game, and all of them: seconds where solved, else the exploitability in brackets. `--table`
prints them from the file alone. Exit code 1 where some game was solved by none.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd

sys.path.insert(0, str(Path(__file__).parents[1]))

from envs.mean_field import AnyGame, CoupledMFG, make, names
from mfmarl.solvers import OF_OPTIMA, SOLVERS, solve

KEY = ["game", "solver"]


@dataclass(frozen=True)
class Run:
    """One game by one solver."""

    game: str
    solver: str
    shape: str
    """What stands before S, S and A; of several populations, each."""
    limit: float
    """Seconds that it was given."""
    iterations: int
    seconds: float
    exploitability: float
    """The least that was found; NaN where the solver refuses the game."""
    converged: bool
    note: str
    """Why there is nothing to tell."""


def measure(game: AnyGame, solver: str, tol: float, seconds: float) -> Run:
    """Solve, for so long."""
    shape = shape_of(game)
    began = time.perf_counter()
    try:
        found = solve(game, solver, tol, max_iterations=10**9, callback=lambda _: time.perf_counter() - began > seconds)
    except ValueError as refused:
        return Run(game.name, solver, shape, seconds, 0, 0.0, float("nan"), False, str(refused))
    spent = time.perf_counter() - began
    return Run(game.name, solver, shape, seconds, found.iterations, spent, found.exploitability, found.converged, "")


def shape_of(game: AnyGame) -> str:
    """Of one policy."""
    policies = list(game.uniform_policy().values()) if isinstance(game, CoupledMFG) else [game.uniform_policy()]
    return " + ".join(" x ".join(map(str, policy.shape)) for policy in policies)


def fastest(runs: pd.DataFrame) -> str:
    """Who solves each game first, as Markdown; who comes nearest where none does."""
    rows = ["| game | shape | solver | iterations | seconds | exploitability | solved by |", "|---" * 7 + "|"]
    for game, of in runs[runs["note"] == ""].groupby("game"):
        solved = of[of["converged"]].sort_values("seconds")
        best = (solved if len(solved) else of.sort_values("exploitability")).iloc[0]
        rows.append(
            f"| {game} | {best['shape']} | {best['solver']} | {best['iterations']:,} | {best['seconds']:.2g} | "
            f"{best['exploitability']:.3g} | {len(solved)} of {len(of)} |"
        )
    return "\n".join(rows)


def matrix(runs: pd.DataFrame) -> str:
    """Games by solvers, as Markdown."""
    solvers = sorted(runs["solver"].unique())
    rows = ["| game | " + " | ".join(solvers) + " |", "|---" * (1 + len(solvers)) + "|"]
    for game, of in runs.groupby("game"):
        found = {run["solver"]: cell(run) for _, run in of.iterrows()}
        rows.append(f"| {game} | " + " | ".join(found.get(solver, "") for solver in solvers) + " |")
    return "\n".join(rows)


def cell(run: pd.Series) -> str:
    """Seconds where it was solved, else how near it came; a dash where the solver does not take the game."""
    if run["note"]:
        return "-"
    return f"{run['seconds']:.2g} s" if run["converged"] else f"({run['exploitability']:.2g})"


def read(path: Path) -> pd.DataFrame:
    """The last run of each game by each solver."""
    if not path.exists():
        return pd.DataFrame(columns=list(Run.__dataclass_fields__))
    return pd.read_csv(path, keep_default_na=False, na_values={"exploitability": ["nan", ""]}).drop_duplicates(
        KEY, keep="last"
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, write, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--games", nargs="+", default=names(), choices=names(), metavar="GAME")
    solvers = sorted(set(SOLVERS) - OF_OPTIMA)
    parser.add_argument("--solvers", nargs="+", default=solvers, choices=solvers, metavar="SOLVER")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--tol", type=float, default=1e-3)
    parser.add_argument("--out", type=Path, default=Path("docs/figures/mean_field_solvers.csv"))
    parser.add_argument("--table", action="store_true", help="no runs, the tables of the file")
    args = parser.parse_args(argv)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    for name in [] if args.table else args.games:
        for solver in args.solvers:
            before = read(args.out)
            done = before[(before["game"] == name) & (before["solver"] == solver)]
            if len(done) and (
                done.iloc[0]["converged"] or done.iloc[0]["note"] or done.iloc[0]["limit"] >= args.seconds
            ):
                continue
            row = pd.DataFrame([asdict(measure(make(name), solver, args.tol, args.seconds))])
            print(row.to_csv(index=False, header=False), end="", file=sys.stderr, flush=True)
            row.to_csv(args.out, mode="a", header=not args.out.exists(), index=False, lineterminator="\n")
    runs = read(args.out).sort_values(KEY)
    print(fastest(runs), matrix(runs), sep="\n\n")
    return int(set(runs["game"]) != set(runs.loc[runs["converged"].astype(bool), "game"]))


if __name__ == "__main__":
    raise SystemExit(main())
