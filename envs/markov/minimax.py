"""Equilibria of two-player zero-sum Markov games."""

from __future__ import annotations

import numpy as np

from envs.markov.checks import Array, BadGame
from envs.markov.game import MarkovGame
from envs.markov.matrix_game import matrix_game

MOST_ROUNDS = 1_000


def minimax_policies(game: MarkovGame, tol: float = 1e-9) -> list[Array]:
    """An equilibrium [S, A_1], [S, A_2], each player's own, of NashConv `tol` times (1 + the largest value) or less.

    A round plays the matrix games of all states at the values so far, then takes as values what the second player
    holds the first one's answer down to (Hoffman and Karp 1966, who show that it comes to the game's value).

    Raises:
        BadGame: where there are not two agents, or rewards do not sum to 0.
        ValueError: for a tol that is not above 0.
    """
    if game.num_agents != 2:
        raise BadGame(f"{game.name}: {game.num_agents} agents; minimax is of two")
    if not np.allclose(game.rewards.sum(0), 0.0, atol=1e-12):
        raise BadGame(f"{game.name}: rewards do not sum to 0; minimax is of zero-sum games")
    if not tol > 0:
        raise ValueError(f"tol is {tol}; want more than 0")
    values = np.zeros(game.num_states)
    for _ in range(MOST_ROUNDS):
        q = game.rewards[0] + game.discount * game.transitions @ values
        # each holds the other down to the value
        policies = [np.stack([matrix_game(matrix).columns for matrix in of]) for of in (-np.swapaxes(q, 1, 2), q)]
        if game.nash_conv(policies) <= tol * (1 + np.abs(values).max()):
            return policies
        # the first player's best answers to the second's strategies are worth no less than the game
        values = game.best_responses(policies).values[0]
    raise RuntimeError(f"{game.name}: no equilibrium within {tol} after {MOST_ROUNDS} rounds")
