"""Solvers of finite mean-field games: `solve(game, "mirror_prox")`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, overload

from envs import UnknownName
from envs.mean_field.populations import CoupledMFG
from envs.mean_field.protocol import Game
from envs.mean_field.stacked import StackedMFG
from mfmarl.solvers.fictitious_play import FictitiousPlay
from mfmarl.solvers.fixed_point import EntropyContinuation, FixedPoint, PolicyIteration, PriorDescent
from mfmarl.solvers.mirror_descent import MirrorDescent, Munchausen
from mfmarl.solvers.mirror_prox import MirrorProx
from mfmarl.solvers.solution import CoupledSolution, Point, Solution, Solver, run

__all__ = ["SOLVERS", "CoupledSolution", "Point", "Solution", "Solver", "solve"]

SOLVERS: dict[str, Callable[..., Solver]] = {
    "boltzmann_iteration": lambda temperature=1.0: PriorDescent(temperature, 0, "boltzmann_iteration"),
    "entropy_continuation": EntropyContinuation,
    "fictitious_play": FictitiousPlay,
    "fixed_point": FixedPoint,
    "mirror_descent": MirrorDescent,
    "mirror_prox": MirrorProx,
    "munchausen": Munchausen,
    "policy_iteration": PolicyIteration,
    "prior_descent": PriorDescent,
}


@overload
def solve(
    game: Game,
    solver: str | Solver = "mirror_prox",
    tol: float = 1e-3,
    max_iterations: int = 10_000,
    callback: Callable[[Point], bool | None] | None = None,
    resume_from: Solution | None = None,
    **settings: Any,
) -> Solution: ...


@overload
def solve(
    game: CoupledMFG,
    solver: str | Solver = "mirror_prox",
    tol: float = 1e-3,
    max_iterations: int = 10_000,
    callback: Callable[[Point], bool | None] | None = None,
    resume_from: CoupledSolution | None = None,
    **settings: Any,
) -> CoupledSolution: ...


def solve(
    game: Game | CoupledMFG,
    solver: str | Solver = "mirror_prox",
    tol: float = 1e-3,
    max_iterations: int = 10_000,
    callback: Callable[[Point], bool | None] | None = None,
    resume_from: Solution | CoupledSolution | None = None,
    **settings: Any,
) -> Solution | CoupledSolution:
    """An equilibrium of a mean-field game; of one with several populations, policies by their names.

    Iterates until the exploitability is `tol` or less, and keeps the best policy. `callback` is told every iteration
    and ends it by True; `resume_from` goes on with a solution of the same solver, bit for bit.

    Raises:
        UnknownName: for an unknown solver; suggests the nearest.
        TypeError: for a setting that the solver does not have.
    """
    if isinstance(solver, str):
        if solver not in SOLVERS:
            raise UnknownName("solver", solver, sorted(SOLVERS))
        solver = SOLVERS[solver](**settings)
    elif settings:
        raise TypeError(f"{solver.name} is given as an object; settings {', '.join(settings)} belong into it")
    resumed = resume_from.stacked if isinstance(resume_from, CoupledSolution) else resume_from
    how: dict[str, Any] = {
        "tol": tol, "max_iterations": max_iterations, "callback": callback, "resume_from": resumed
    }  # fmt: skip
    if isinstance(game, CoupledMFG):
        stacked = StackedMFG(game)
        found = run(stacked, solver, **how)
        return CoupledSolution(stacked.split(found.pi), stacked.split_flow(found.mu), found)
    return run(game, solver, **how)
