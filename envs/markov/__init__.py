"""Small Markov games, exactly: `coordination()`, `zero_sum()`, `bimatrix(a, b)`, `read_game("game.yaml")`, or arrays.

`MarkovGame` has values, best responses, NashConv, exploitability and the gap of coarse correlated equilibria, for a
batch of profiles at once; `play` plays episodes, `identifiability` says what an expert's occupancy leaves open.
"""

from __future__ import annotations

from envs.markov.checks import BadGame, BadPolicy
from envs.markov.described import described
from envs.markov.game import BestResponses, MarkovGame, Occupancy
from envs.markov.game_file import read_game
from envs.markov.games import bimatrix, coordination, one_step, zero_sum, zero_sum_garnet
from envs.markov.identifiability import Identifiability, identifiability
from envs.markov.minimax import minimax_policies
from envs.markov.rollouts import Rollouts, play

__all__ = [
    "BadGame",
    "BadPolicy",
    "BestResponses",
    "Identifiability",
    "MarkovGame",
    "Occupancy",
    "Rollouts",
    "bimatrix",
    "coordination",
    "described",
    "identifiability",
    "minimax_policies",
    "one_step",
    "play",
    "read_game",
    "zero_sum",
    "zero_sum_garnet",
]
