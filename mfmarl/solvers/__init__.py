"""Solvers of finite mean-field games: `solve(game, "mirror_prox")`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from envs import UnknownName
from envs.mean_field.game import FiniteMFG
from mfmarl.solvers.fictitious_play import FictitiousPlay
from mfmarl.solvers.fixed_point import EntropyContinuation, FixedPoint, PolicyIteration, PriorDescent
from mfmarl.solvers.forward_sweep import ForwardSweep
from mfmarl.solvers.interior_point import InteriorPoint
from mfmarl.solvers.mf_omo import MFOMO
from mfmarl.solvers.mf_psro import MFPSRO
from mfmarl.solvers.mirror_descent import MirrorDescent, Munchausen
from mfmarl.solvers.mirror_prox import MirrorProx
from mfmarl.solvers.omi import OMI
from mfmarl.solvers.portfolio import Portfolio
from mfmarl.solvers.solution import Point, Solution, Solver, run

__all__ = ["SOLVERS", "Point", "Solution", "Solver", "solve"]

SOLVERS: dict[str, Callable[..., Solver]] = {
    "boltzmann_iteration": lambda temperature=1.0: PriorDescent(temperature, 0, "boltzmann_iteration"),
    "entropy_continuation": EntropyContinuation,
    "fictitious_play": FictitiousPlay,
    "fixed_point": FixedPoint,
    "forward_sweep": ForwardSweep,
    "interior_point": InteriorPoint,
    "mf_omo": MFOMO,
    "mf_psro": MFPSRO,
    "mirror_descent": MirrorDescent,
    "mirror_prox": MirrorProx,
    "munchausen": Munchausen,
    "omi": OMI,
    "policy_iteration": PolicyIteration,
    "portfolio": Portfolio,
    "prior_descent": PriorDescent,
}


def solve(
    game: FiniteMFG,
    solver: str | Solver = "mirror_prox",
    tol: float = 1e-3,
    max_iterations: int = 10_000,
    callback: Callable[[Point], bool | None] | None = None,
    resume_from: Solution | None = None,
    **settings: Any,
) -> Solution:
    """An equilibrium of a finite mean-field game.

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
    return run(game, solver, tol=tol, max_iterations=max_iterations, callback=callback, resume_from=resume_from)
