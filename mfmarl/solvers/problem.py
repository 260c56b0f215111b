"""What is solved: a game and a solver by their names, with settings that are checked before anything is built."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from envs import UnknownName
from envs.mean_field import GAMES, CoupledMFG, make, names
from envs.mean_field.protocol import Game
from envs.mean_field.stacked import StackedMFG
from mfmarl.errors import UserError
from mfmarl.registry import suggestion
from mfmarl.solvers import SOLVERS, check_takes
from mfmarl.solvers.solution import Solver


@dataclass(frozen=True)
class Problem:
    """A game of `envs.mean_field.names()` for a solver of SOLVERS; settings are those that differ from the defaults.

    Raises:
        UnknownName: for a game or solver that there is not; suggests the nearest.
        UserError: for a setting that it does not have, or a value of another kind.
    """

    game: str
    solver: str = "mirror_prox"
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """Of the game."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Of the solver."""

    def __post_init__(self) -> None:
        """Check names and settings."""
        if self.game not in GAMES:
            raise UnknownName("mean-field game", self.game, names())
        if self.solver not in SOLVERS:
            raise UnknownName("solver", self.solver, sorted(SOLVERS))
        _check(GAMES[self.game], self.parameters, self.game)
        _check(SOLVERS[self.solver], self.settings, self.solver)

    def build(self) -> tuple[Game, Solver]:
        """The game, several populations stacked, and the solver.

        Raises:
            UserError: where values are out of range, or the solver does not take a game of this kind.
        """
        solver = SOLVERS[self.solver](**self.settings)
        try:
            made = make(self.game, **self.parameters)
        except (ValueError, TypeError, ArithmeticError, LookupError, MemoryError) as error:
            given = " ".join(f"{key}={value}" for key, value in self.parameters.items())
            raise UserError(f"{self.game} cannot be made with {given or 'its defaults'}: {error}") from error
        game = StackedMFG(made) if isinstance(made, CoupledMFG) else made
        check_takes(solver, game)
        return game, solver


def problem_of(game: str, solver: str, given: Mapping[str, Any]) -> Problem:
    """From settings as they are given: `key` is the game's, `solver.key` with the solver's name, or that word, its own.

    Raises:
        UnknownName, UserError: as `Problem`.
    """
    settings, parameters = {}, {}
    for key, value in given.items():
        section, dot, name = key.rpartition(".")
        if not dot:
            parameters[key] = value
        elif section in (solver, "solver"):
            settings[name] = value
        else:
            raise UserError(f"--set {key}: there is no {section!r} here; the solver's own are {solver}.KEY")
    return Problem(game, solver, parameters, settings)


def _check(make_it: Callable[..., Any], given: Mapping[str, Any], what: str) -> None:
    """Refuse settings that `make_it` does not have, and values of another kind than its defaults."""
    known = {k: p for k, p in inspect.signature(make_it).parameters.items() if k != "name"}
    for key, value in given.items():
        if key not in known:
            there = f"there are {', '.join(known)}" if known else "it has none"
            raise UserError(f"{what} has no setting {key!r}{suggestion(key, known)}; {there}")
        default = known[key].default
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if isinstance(default, float) and not number:
            raise UserError(f"{what}: {key} is {value!r}; want a number, such as {default}")
        whole = isinstance(default, int) and not isinstance(default, bool)
        if whole and (not number or isinstance(value, float)):
            raise UserError(f"{what}: {key} is {value!r}; want a whole number, such as {default}")
