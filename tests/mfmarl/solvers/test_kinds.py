"""Stationary games, on graphons, with a common noise, and the market: the solvers of finite games solve them."""

import numpy as np
import pytest

from envs.mean_field import make
from mfmarl.errors import UserError
from mfmarl.solvers import OF_FINITE_GAMES, OF_FIXED_TRANSITIONS, OF_OPTIMA, SOLVERS, solve

KINDS = {
    "beach-bar-closing": {"size": 6, "horizon": 4},
    "beach-bar-graphon": {"places": 3, "size": 6, "horizon": 4},
    "crowd-1d-stationary": {"size": 5},
    "inventory-market": {"demand": 2.0, "horizon": 4},
    "sis-stationary": {},
}

GENERAL = sorted(set(SOLVERS) - OF_FINITE_GAMES)
"""Solvers that ask no more of a game than `envs.mean_field.protocol.Game`."""


@pytest.mark.parametrize("solver", GENERAL)
@pytest.mark.parametrize("name", KINDS)
def test_general_solvers_make_policies_of_every_kind(name: str, solver: str) -> None:
    game = make(name, **KINDS[name])
    found = solve(game, solver, tol=0, max_iterations=3)
    assert found.pi.shape == game.uniform_policy().shape
    np.testing.assert_allclose(found.pi.sum(-1), 1.0, atol=1e-12)
    assert game.exploitability(found.pi) == pytest.approx(found.exploitability, abs=1e-12)
    half = solve(game, solver, tol=0, max_iterations=1)
    rest = solve(game, solver, tol=0, max_iterations=3, resume_from=half)
    assert [p.exploitability for p in rest.history] == [p.exploitability for p in found.history]


@pytest.mark.parametrize("solver", sorted(OF_FINITE_GAMES - OF_OPTIMA))
def test_solvers_of_finite_games_refuse_other_kinds(solver: str) -> None:
    told = f"{solver} takes games of one population with a last decision and no common noise, and"
    for name in ("beach-bar-closing", "crowd-1d-stationary", "predator-prey"):
        with pytest.raises(UserError, match=f"{told} {name} is another kind; these take it: {', '.join(GENERAL)}$"):
            solve(make(name), solver)


@pytest.mark.parametrize("solver", sorted(SOLVERS))
def test_solvers_of_occupancies_refuse_transitions_that_follow_the_population(solver: str) -> None:
    game = make("garnet", pull=1.0, states=4, horizon=2)
    if solver not in OF_FIXED_TRANSITIONS:
        assert solve(game, solver, max_iterations=1).iterations <= 1
        return
    with pytest.raises(UserError, match="those of garnet do; these take it: boltzmann_iteration") as refused:
        solve(game, solver)
    named = str(refused.value).split("these take it: ")[1].split(", ")
    assert named == sorted(set(SOLVERS) - OF_FIXED_TRANSITIONS - OF_OPTIMA)


@pytest.mark.parametrize("name", ["beach-bar-closing", "beach-bar-graphon", "inventory-market"])
def test_mirror_prox_solves_them_untuned(name: str) -> None:
    assert solve(make(name, **KINDS[name]), tol=1e-2, max_iterations=100).converged


def test_left_and_right_for_ever_is_left_and_right() -> None:
    found = solve(make("left-right-stationary"), tol=1e-5)
    assert found.pi[0] == pytest.approx([2 / 3, 1 / 3], abs=1e-4)
    averaged = solve(make("left-right-stationary"), "fictitious_play", tol=0, max_iterations=300)
    assert averaged.pi[0] == pytest.approx([2 / 3, 1 / 3], abs=1e-2)


def test_the_epidemic_rests_where_distance_is_worth_the_risk() -> None:
    found = solve(make("sis-stationary"), "policy_iteration", tol=0, max_iterations=150, damping=0.02)
    # discount (.81 ill + .01) .5 / (1 - .7 discount) = .5
    ill = ((1 - 0.7 * 0.95) / 0.95 - 0.01) / 0.81
    assert found.mu == pytest.approx([1 - ill, ill], abs=0.01)
