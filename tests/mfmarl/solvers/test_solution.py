"""What `solve` refuses: what is no game, numbers that are none, and solutions of other games and solvers."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from envs.mean_field import FiniteMFG, make
from envs.mean_field.kernel import dense
from mfmarl.errors import UserError
from mfmarl.solvers import SOLVERS, solve
from mfmarl.solvers.problem import Problem
from mfmarl.solvers.saved import Saved, read_solution, write_solution


def test_what_is_no_game() -> None:
    with pytest.raises(UserError, match=r'^solve: \'crowd-1d\' is no game; give envs\.mean_field\.make\("crowd-1d"\)$'):
        solve("crowd-1d")  # type: ignore[call-overload]
    with pytest.raises(UserError, match=r"^solve: 3 is no game; want a game, such as envs\.mean_field\.make"):
        solve(3)  # type: ignore[call-overload]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"max_iterations": -3}, "max_iterations is -3; want a whole number, 0 or more"),
        ({"max_iterations": 2.5}, r"max_iterations is 2\.5; want a whole number"),
        ({"tol": -1}, "tol is -1; want a number 0 or more"),
        ({"tol": np.nan}, "tol is nan; want a number 0 or more"),
        ({"resume_from": "solutions/left-right"}, "resume_from is a str; want a solution"),
    ],
)
def test_numbers_that_are_none(given: dict[str, Any], told: str) -> None:
    with pytest.raises(UserError, match=told):
        solve(make("left-right"), **given)
    assert solve(make("left-right"), max_iterations=0).iterations == 0


def test_a_game_that_is_not_finite_at_once() -> None:
    game = FiniteMFG(
        name="g",
        horizon=2,
        initial=np.array([1.0, 0.0]),
        kernel=dense(np.array([[[1.0, 0.0], [0.0, 1.0]]] * 2)),
        reward=lambda t, mu: (
            np.where(mu < 0.9, np.nan, 0.0)[..., None] * np.array([[1.0, 1.0], [0.0, 0.0]])
            if mu[..., 1].any()
            else np.zeros((*mu.shape, 2))
        ),
    )
    with pytest.raises(ValueError, match=r"^g: the reward of t=\d, s=\d, a=\d is nan against this flow"):
        solve(game)

    class Broken(FiniteMFG):
        def exploitability(self, pi: Any) -> Any:
            return np.float64(np.nan)

    broken = Broken(**{key: getattr(make("left-right"), key) for key in ("name", "horizon", "initial", "kernel")},
                    reward=make("left-right").reward, sees_actions=True)  # fmt: skip
    with pytest.raises(ValueError, match="mirror_prox on left-right: exploitability is nan at iteration 0"):
        solve(broken)


def test_a_solution_of_another_game_is_not_believed() -> None:
    other = solve(make("garnet", seed=0), tol=1e-3)
    assert other.converged
    game = make("garnet", seed=1)
    with pytest.raises(
        UserError,
        match=rf"^garnet: resume_from is of another game: it says exploitability "
        rf"{other.exploitability:.6g}, and its policy has {game.exploitability(other.pi):.6g} here$",
    ):
        solve(game, tol=1e-3, resume_from=other)  # fmt: skip
    with pytest.raises(UserError, match=r"its policy has shape \(10, 10, 3\); want \(4, 10, 3\)"):
        solve(make("garnet", horizon=4), resume_from=other)
    coupled = solve(make("predator-prey", size=2, horizon=2), max_iterations=2, tol=0)
    with pytest.raises(UserError, match="resume_from is of another game: it says"):
        solve(make("predator-prey", size=2, horizon=2, noise=0.5), resume_from=coupled)


@pytest.mark.parametrize("solver", sorted(SOLVERS))
def test_a_solution_by_another_solver_is_refused(solver: str, tmp_path: Path) -> None:
    game = make("left-right")
    found = solve(game, solver, tol=0, max_iterations=2)
    assert found.solver == solver
    told = rf"^left-right: resume_from is a solution by nobody; {solver} goes on with its own$"
    with pytest.raises(UserError, match=told):
        solve(game, solver, resume_from=replace(found, solver="nobody"))
    # and in its file
    write_solution(tmp_path, game, Saved(Problem("left-right", solver), 0.0, 2, found))
    assert read_solution(tmp_path).solution.solver == solver
