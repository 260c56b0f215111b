"""What solving a mean-field game gives, and the loop that all solvers share."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from envs.mean_field.protocol import Game
from mfmarl.errors import UserError
from mfmarl.solvers.ranges import check_number, check_whole

Array = NDArray[np.float64]
Reason = Literal["tolerance", "iterations", "stopped"]
SAME = 1e-8
"""By how much exploitabilities of one policy may differ between machines, relative to the largest met, if above 1."""


@dataclass(frozen=True)
class Point:
    """One iteration of a solver."""

    iteration: int
    exploitability: float
    seconds: float
    """Since the solver began, the exploitability's own computation included."""
    gap: float | None = None
    """What V(pi, mu^pi) would still gain to first order, of a solver that seeks an optimum; None of all others."""

    @property
    def measure(self) -> float:
        """What the solver brings down: the gap where there is one, else the exploitability."""
        return self.exploitability if self.gap is None else self.gap


@dataclass(frozen=True)
class Solution:
    """The best policy that a solver found, the one with the least measure, and how it went."""

    pi: Array
    """[..., S, A], by the kind of game."""
    mu: Array
    """[..., S], its flow."""
    exploitability: float
    history: tuple[Point, ...]
    converged: bool
    """Whether the measure came down to the tolerance."""
    reason: Reason
    solver: str
    """Its name."""
    state: Any = field(repr=False)
    """The solver's last state: `resume_from` goes on with it, bit for bit."""
    gap: float | None = None
    """As of a `Point`."""

    @property
    def measure(self) -> float:
        """As of a `Point`."""
        return self.exploitability if self.gap is None else self.gap

    @property
    def iterations(self) -> int:
        """Of the solver."""
        return self.history[-1].iteration


@dataclass(frozen=True)
class CoupledSolution:
    """The best policies of several populations, by name; how they were found is told of their stacked form."""

    pi: Mapping[str, Array]
    """[T, S, A] each."""
    mu: Mapping[str, Array]
    """[T+1, S] each, their flows."""
    stacked: Solution
    """The same as one array; `resume_from` goes on with it."""

    @property
    def exploitability(self) -> float:
        """The sum over populations."""
        return self.stacked.exploitability

    @property
    def history(self) -> tuple[Point, ...]:
        """Every iteration."""
        return self.stacked.history

    @property
    def converged(self) -> bool:
        """Whether the exploitability came down to the tolerance."""
        return self.stacked.converged

    @property
    def reason(self) -> Reason:
        """Why it ended."""
        return self.stacked.reason

    @property
    def iterations(self) -> int:
        """Of the solver."""
        return self.stacked.iterations


class Solver(Protocol):
    """A rule that makes policies: `init(game) -> State`, `step(game, state) -> State`, `policy(game, state) -> pi`.

    The game is a `Game`, or, of solvers that need more, the kind of game that they say.
    """

    @property
    def name(self) -> str:
        """As in `mfmarl.solvers.SOLVERS`."""
        ...

    def init(self, game: Any) -> Any:
        """The state before the first iteration."""
        ...

    def step(self, game: Any, state: Any) -> Any:
        """One iteration; the state given is not changed."""
        ...

    def policy(self, game: Any, state: Any) -> Array:
        """The policy of a state: [..., S, A]."""
        ...


@runtime_checkable
class Measured(Protocol):
    """A solver that brings down a measure of its own; the exploitability is only told then."""

    def gap(self, game: Any, state: Any) -> float:
        """Of a state; 0 where there is nothing left to do."""
        ...


def run(
    game: Game,
    solver: Solver,
    *,
    tol: float,
    max_iterations: int,
    callback: Callable[[Point], bool | None] | None = None,
    resume_from: Solution | None = None,
) -> Solution:
    """Iterate until the exploitability is `tol` or less, or the solver's own measure where it has one.

    Only the best policy and the last state are kept. `callback` is told every iteration, and ends it by True.

    Raises:
        UserError: for a tolerance or number of iterations out of range, or a solution of another game or solver.
        ValueError: for an exploitability that is not finite.
    """
    check_number("solve", "tol", tol, least=0)
    check_whole("solve", "max_iterations", max_iterations, least=0)
    began = time.perf_counter()

    def point(state: Any, pi: Array, iteration: int) -> Point:
        gap = float(solver.gap(game, state)) if isinstance(solver, Measured) else None
        found = Point(iteration, float(game.exploitability(pi)), time.perf_counter() - began, gap)
        for what, value in (("exploitability", found.exploitability), ("gap", found.measure)):
            if not math.isfinite(value):
                raise ValueError(f"{solver.name} on {game.name}: {what} is {value} at iteration {iteration}")
        return found

    best: Point | Solution
    if resume_from is None:
        state = solver.init(game)
        pi = solver.policy(game, state)
        best = point(state, pi, 0)
        history = [best]
    else:
        _check_resumed(game, solver, resume_from)
        state, pi, best = resume_from.state, resume_from.pi, resume_from
        history = list(resume_from.history)
        began -= history[-1].seconds
    kept = pi
    reason: Reason = "iterations"
    while best.measure > tol and history[-1].iteration < max_iterations:
        state = solver.step(game, state)
        pi = solver.policy(game, state)
        history.append(point(state, pi, history[-1].iteration + 1))
        if history[-1].measure < best.measure:
            kept, best = pi, history[-1]
        if callback is not None and callback(history[-1]):
            reason = "stopped"
            break
    converged = best.measure <= tol
    return Solution(
        pi=kept,
        mu=game.flow(kept),
        exploitability=best.exploitability,
        history=tuple(history),
        converged=converged,
        reason="tolerance" if converged else reason,
        solver=solver.name,
        state=state,
        gap=best.gap,
    )


def _check_resumed(game: Game, solver: Solver, before: Solution) -> None:
    """Refuse a solution that another solver found, or of another game, by what its policy is worth in this one."""
    if not isinstance(before, Solution):
        raise UserError(f"{game.name}: resume_from is a {type(before).__name__}; want a solution")
    if before.solver != solver.name:
        raise UserError(
            f"{game.name}: resume_from is a solution by {before.solver}; {solver.name} goes on with its own"
        )
    wanted = game.uniform_policy().shape
    if before.pi.shape != wanted:
        raise UserError(
            f"{game.name}: resume_from is of another game: its policy has shape {before.pi.shape}; want {wanted}"
        )
    here = float(game.exploitability(before.pi))
    largest = max(point.exploitability for point in before.history)
    # the same to the last bit on one machine, and not on two
    if not abs(here - before.exploitability) <= SAME * max(1.0, largest):
        raise UserError(
            f"{game.name}: resume_from is of another game: it says exploitability {before.exploitability:.6g}, and its "
            f"policy has {here:.6g} here"
        )
