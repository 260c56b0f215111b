"""Equilibria of zero-sum Markov games, by games whose solution is known and by NashConv."""

from __future__ import annotations

import numpy as np
import pytest

from envs.markov import BadGame, MarkovGame, bimatrix, coordination, zero_sum, zero_sum_garnet
from envs.markov.minimax import minimax_policies


def test_a_matrix_game_worked_by_hand() -> None:
    # rewards [[2, -1], [-1, 1]]: both play (2/5, 3/5), value 1/5
    pay = np.array([[2.0, -1.0], [-1.0, 1.0]])
    game = bimatrix(pay, -pay)
    for policy in minimax_policies(game):
        np.testing.assert_allclose(policy, [[0.4, 0.6]], atol=1e-9)
    assert game.values(minimax_policies(game))[0] == pytest.approx(0.2)


@pytest.mark.parametrize("seed", range(5))
def test_random_games(seed: int) -> None:
    rng = np.random.default_rng(seed)
    first = rng.normal(size=(6, 3, 2))
    game = MarkovGame(
        transitions=rng.dirichlet(np.full(6, 0.3), (6, 3, 2)),
        rewards=np.stack([first, -first]),
        start=rng.dirichlet(np.ones(6)),
        discount=0.95,
    )
    policies = minimax_policies(game)
    assert game.nash_conv(policies) == pytest.approx(0, abs=1e-7)


def test_the_zero_sum_game_is_worth_nothing() -> None:
    game = zero_sum()
    policies = minimax_policies(game)
    assert game.nash_conv(policies) == pytest.approx(0, abs=1e-8)
    assert game.values(policies) == pytest.approx([0, 0], abs=1e-8)


def test_other_games_are_refused() -> None:
    with pytest.raises(BadGame, match="do not sum to 0"):
        minimax_policies(coordination())
    with pytest.raises(ValueError, match="tol is 0"):
        minimax_policies(zero_sum(), tol=0)


def test_garnets_are_as_asked_for() -> None:
    game = zero_sum_garnet(7, 3, 2, seed=5)
    assert ((game.transitions > 0).sum(-1) == 2).all()
    assert (game.transitions == zero_sum_garnet(7, 3, 2, seed=5).transitions).all()
    assert game.nash_conv(minimax_policies(game)) == pytest.approx(0, abs=1e-7)
    with pytest.raises(ValueError, match="no more successors than states"):
        zero_sum_garnet(3, 2, 4, seed=0)
