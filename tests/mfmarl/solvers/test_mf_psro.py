"""Mixtures of policies and what one gains by leaving them, by hand and found."""

import numpy as np
import pytest

from envs.mean_field import FiniteMFG, make
from mfmarl.solvers import solve
from mfmarl.solvers.mf_psro import MFPSRO, PSROState, mixture_gaps


def game_of(name: str, **parameters: float) -> FiniteMFG:
    game = make(name, **parameters)
    assert isinstance(game, FiniteMFG)
    return game


def test_gaps_by_hand() -> None:
    # all go left, or all go right, by a coin: left costs 1 and then 0, right 0 and then 2
    pure = np.eye(2)[:, None, None, :]
    state = PSROState(pure, pure, np.eye(2), 0)
    gaps = mixture_gaps(game_of("left-right"), state)
    # -(1 + 2) / 2; always left -1/2; told left go right 0 for -1, told right go left 0 for -2
    assert (gaps.value, gaps.cce, gaps.ce) == pytest.approx((-1.5, 1.0, 1.5))


@pytest.mark.parametrize("meta", ["cce", "ce"])
@pytest.mark.parametrize("name", ["left-right", "rock-paper-scissors", "braess"])
def test_it_finds_correlated_equilibria(name: str, meta: str) -> None:
    game = game_of(name)
    found = solve(game, "mf_psro", tol=0, max_iterations=4, meta=meta, rounds=100)
    gaps = mixture_gaps(game, found.state)
    assert found.exploitability < 1e-3
    assert gaps.cce < 1e-3
    assert gaps.ce < 1e-3
    assert gaps.cce > -1e-12


def test_a_mixture_of_one_is_a_policy() -> None:
    game = game_of("garnet")
    state = MFPSRO().init(game)
    gaps = mixture_gaps(game, state)
    pi = game.uniform_policy()
    assert gaps.cce == pytest.approx(float(game.exploitability(pi)), abs=1e-12)
    assert gaps.ce == pytest.approx(gaps.cce, abs=1e-12)
    assert gaps.value == pytest.approx(float(game.value(pi, game.flow(pi))), abs=1e-12)


def test_rewards_that_come_last_count() -> None:
    game = game_of("linear-quadratic", horizon=3)
    gaps = mixture_gaps(game, MFPSRO().init(game))
    assert gaps.cce == pytest.approx(float(game.exploitability(game.uniform_policy())), abs=1e-10)


def test_transitions_that_follow_the_population_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^mf_psro takes games whose transitions .* those of attractor do; these"):
        solve(game_of("attractor"), "mf_psro")
