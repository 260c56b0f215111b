"""Solvers of finite mean-field games: `solve(game, "mirror_prox")`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, overload

from envs import UnknownName
from envs.mean_field.game import FiniteMFG
from envs.mean_field.populations import CoupledMFG
from envs.mean_field.protocol import Game
from envs.mean_field.stacked import StackedMFG
from mfmarl.errors import UserError
from mfmarl.solvers.control import Control
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
from mfmarl.solvers.solution import CoupledSolution, Point, Solution, Solver, run

__all__ = ["SOLVERS", "CoupledSolution", "Point", "Solution", "Solver", "check_takes", "solve"]

SOLVERS: dict[str, Callable[..., Solver]] = {
    "boltzmann_iteration": lambda temperature=1.0: PriorDescent(temperature, 0, "boltzmann_iteration"),
    "control": Control,
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
OF_FINITE_GAMES = frozenset({"control", "forward_sweep", "interior_point", "mf_omo", "mf_psro", "omi", "portfolio"})
"""Solvers that need transitions and rewards themselves: of one population with finitely many decisions."""
OF_FIXED_TRANSITIONS = frozenset({"mf_psro", "omi"})
"""Of these, solvers whose occupancies are a polytope: transitions do not follow the population."""
OF_OPTIMA = frozenset({"control"})
"""Solvers that seek what a population could reach together, which is no equilibrium."""


def check_takes(solver: Solver, game: Game | CoupledMFG) -> None:
    """Refuse a game of a kind that the solver does not take.

    Raises:
        UserError: says what it takes, and names the solvers that take this game.
    """
    finite = isinstance(game, FiniteMFG)
    others = sorted(set(SOLVERS) - OF_OPTIMA - (OF_FIXED_TRANSITIONS if finite else OF_FINITE_GAMES))
    told = "its equilibria are found by" if solver.name in OF_OPTIMA else "these take it"
    others_take = f"{told}: {', '.join(others)}"
    if solver.name in OF_FINITE_GAMES and not finite:
        wanted = "games of one population with a last decision and no common noise"
        raise UserError(f"{solver.name} takes {wanted}, and {game.name} is another kind; {others_take}")
    if solver.name in OF_FIXED_TRANSITIONS and isinstance(game, FiniteMFG) and not game.kernel.fixed:
        wanted = "games whose transitions do not follow the population"
        raise UserError(f"{solver.name} takes {wanted}, and those of {game.name} do; {others_take}")


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

    Iterates until the exploitability is `tol` or less, and keeps the best policy; "control" finds what the population
    could reach together instead, and brings down that optimum's `gap`. `callback` is told every iteration
    and ends it by True; `resume_from` goes on with a solution of the same solver, bit for bit.

    Raises:
        UnknownName: for an unknown solver; suggests the nearest.
        TypeError: for a setting that the solver does not have.
        UserError: for a setting out of its range, a game of a kind that the solver does not take, what is no game, or
            `resume_from` of another game or solver.
    """
    # callers without types may give anything
    given: Any = game
    if not hasattr(given, "uniform_policy"):
        hint = "give" if isinstance(given, str) else "want a game, such as"
        hint += f' envs.mean_field.make("{given if isinstance(given, str) else "crowd-1d"}")'
        raise UserError(f"solve: {given!r} is no game; {hint}")
    if isinstance(solver, str):
        if solver not in SOLVERS:
            raise UnknownName("solver", solver, sorted(SOLVERS))
        solver = SOLVERS[solver](**settings)
    elif settings:
        raise TypeError(f"{solver.name} is given as an object; settings {', '.join(settings)} belong into it")
    check_takes(solver, game)
    resumed = resume_from.stacked if isinstance(resume_from, CoupledSolution) else resume_from
    how: dict[str, Any] = {
        "tol": tol, "max_iterations": max_iterations, "callback": callback, "resume_from": resumed
    }  # fmt: skip
    if isinstance(game, CoupledMFG):
        stacked = StackedMFG(game)
        found = run(stacked, solver, **how)
        return CoupledSolution(stacked.split(found.pi), stacked.split_flow(found.mu), found)
    return run(game, solver, **how)
