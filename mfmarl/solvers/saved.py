"""Solutions as files: `solution.safetensors`, which solving goes on from, and the same in words in `solution.json`."""

from __future__ import annotations

import sys
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from envs.mean_field.game import FiniteMFG
from envs.mean_field.protocol import Game
from envs.mean_field.stacked import StackedMFG
from mfmarl.errors import UserError
from mfmarl.runs.files import storing, to_json, unpacking, write_whole
from mfmarl.runs.sealed import read_sealed, write_sealed
from mfmarl.solvers.control import worth
from mfmarl.solvers.problem import Problem
from mfmarl.solvers.solution import Array, Point, Solution, Solver
from mfmarl.solvers.state_tree import Arrays, put_together, taken_apart

TENSORS, WORDS = "solution.safetensors", "solution.json"
DRAWN = ("convergence.png", "flow.gif", "flow.png", "audit.csv")
"""What `analysis.solution` makes of a solution when solving has ended."""
SCHEMA = 1
LARGEST = 4 << 30
"""Bytes of a file that is read."""
SAME_FLOW = 1e-6
"""By how much flows of one policy may differ between machines."""


@dataclass(frozen=True)
class Saved:
    """A solution, of what, and when solving it was to end."""

    problem: Problem
    tol: float
    max_iterations: int
    solution: Solution


def write_solution(folder: Path, game: Game, saved: Saved) -> list[Path]:
    """Write both files of a solution of `game`, which is what `saved.problem` builds, each whole or not at all.

    The tensors' file has everything in it, and a SHA-256 of it all, so that a killed write leaves the last one good.

    Raises:
        StorageFailed: where the folder cannot be made or takes no file.
    """
    state, arrays = taken_apart(saved.solution.state, "state")
    arrays |= _named(game, saved.solution)
    told = _told(game, saved)
    text = to_json(told | {"state": state})
    paths = [folder / TENSORS, folder / WORDS]
    write_sealed(paths[0], "solution", text, arrays)
    write_whole(paths[1], to_json(told, indent=1).encode() + b"\n")
    return paths


def take_folder(folder: Path) -> None:
    """See that the folder takes a file, and take away what was drawn of a solution that is gone on with.

    Raises:
        StorageFailed: where it does not: before the work and not after it.
    """
    with storing(folder):
        for name in DRAWN:
            (folder / name).unlink(missing_ok=True)
    probe = folder / ".solving"
    write_whole(probe, b"")
    probe.unlink()


def read_solution(folder: Path) -> Saved:
    """What `write_solution` has written.

    Raises:
        UserError: where the folder has no solution.
        DamagedFile: where the file was cut short or changed.
        StorageFailed: where it cannot be read.
    """
    path = folder / TENSORS
    if not path.exists():
        raise UserError(f"{folder} has no {TENSORS}; `mfmarl solve GAME --out {folder}` makes one")
    told, arrays = read_sealed(path, "solution", SCHEMA, LARGEST)
    with unpacking(path, "is damaged, or of another version", passing=()):
        problem = Problem(told["game"], told["solver"], told["parameters"], told["settings"])
        game, solver = problem.build()
        pi, mu = _unnamed(game, arrays)
        # dataclasses of a state stand beside their solver
        module = sys.modules[type(solver).__module__]
        solution = Solution(
            pi=pi,
            mu=mu,
            exploitability=told["exploitability"],
            history=tuple(Point(*point) for point in told["history"]),
            converged=told["converged"],
            reason=told["reason"],
            solver=told["solver"],
            state=put_together(told["state"], arrays, module),
            gap=told.get("gap"),
        )
        _check(game, solver, solution)
        return Saved(problem, _number(told["tol"]), _number(told["max_iterations"], int), solution)


def _check(game: Game, solver: Solver, found: Solution) -> None:
    """Refuse what no solving has ended with; the state's own arrays are the solver's to judge."""
    for point in found.history:
        _number(point.iteration, int)
        for value in (point.exploitability, point.seconds, 0.0 if point.gap is None else point.gap):
            _number(value)
    if not found.history:
        raise ValueError("it has no history")
    _number(found.exploitability)
    _number(0.0 if found.gap is None else found.gap)
    shape = game.uniform_policy().shape
    for policy in (found.pi, solver.policy(game, found.state)):
        if policy.shape != shape or policy.dtype != np.float64:
            raise ValueError(f"a policy is {policy.dtype}{list(policy.shape)}; want float64{list(shape)}")
    # refuses rows that are no distributions
    flow = game.flow(found.pi)
    if found.mu.shape != flow.shape or not np.allclose(found.mu, flow, rtol=0, atol=SAME_FLOW):
        raise ValueError("the flow is not the policy's")


def _number(value: Any, kind: type = float) -> Any:
    if isinstance(value, bool) or not isinstance(value, (int, kind)):
        raise ValueError(f"{value!r:.40} stands where a number is wanted")
    return value


def _named(game: Game, solution: Solution) -> Arrays:
    """Policy and flow as `pi` and `mu`; those of several populations each by its own name, `pi.fox`."""
    if not isinstance(game, StackedMFG):
        return {"pi": np.array(solution.pi, order="C"), "mu": np.array(solution.mu, order="C")}
    parts = {"pi": game.split(solution.pi), "mu": game.split_flow(solution.mu)}
    return {f"{what}.{name}": np.array(part, order="C") for what in parts for name, part in parts[what].items()}


def _unnamed(game: Game, arrays: Arrays) -> tuple[Array, Array]:
    """Policy and flow as solvers take them, bit for bit, from what `_named` gives."""
    if not isinstance(game, StackedMFG):
        return arrays["pi"], arrays["mu"]
    pi, mu = ({name: arrays[f"{what}.{name}"] for name in game.game.populations} for what in ("pi", "mu"))
    return game.joined(pi), game.joined_rows(mu)


def _told(game: Game, saved: Saved) -> dict[str, Any]:
    problem, solution = saved.problem, saved.solution
    told: dict[str, Any] = {
        "schema": SCHEMA,
        "game": problem.game,
        "parameters": dict(problem.parameters),
        "solver": problem.solver,
        "settings": dict(problem.settings),
        "tol": saved.tol,
        "max_iterations": saved.max_iterations,
        "exploitability": solution.exploitability,
        **({} if solution.gap is None else {"gap": solution.gap}),
        "iterations": solution.iterations,
        "converged": solution.converged,
        "reason": solution.reason,
        "history": [[v for v in astuple(p) if v is not None] for p in solution.history],
    }
    if isinstance(game, FiniteMFG):
        told["value"] = worth(game, solution.pi)
    if isinstance(game, StackedMFG):
        gains = game.game.gains(game.split(solution.pi))
        told["per_population"] = {name: float(gain) for name, gain in gains.items()}
    return told
