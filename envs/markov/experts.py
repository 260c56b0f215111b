"""Experts of the two named games: what they play, and samples of it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from envs import UnknownName
from envs.markov.checks import Array, check_whole
from envs.markov.game import MarkovGame
from envs.markov.rollouts import Rollouts, play

SHARES = {
    "mixed": ((0.25, 0.25), (0.25, 0.25)),
    "bimodal": ((0.5, 0.0), (0.0, 0.5)),
    "asymmetric": ((0.7, 0.0), (0.0, 0.3)),
    "noisy": ((0.45, 0.05), (0.05, 0.45)),
    "all_AA": ((1.0, 0.0), (0.0, 0.0)),
}
"""How often an expert of the coordination game plays AA, AB; BA, BB. Only `mixed` and `all_AA` are independent."""
LAST = 2
"""What both experts of the zero-sum game always play."""


def coordination_joint(expert: str) -> Array:
    """The joint policy [1, 2, 2] of an expert of the coordination game; raises UnknownName."""
    if expert not in SHARES:
        raise UnknownName("expert of the coordination game", expert, list(SHARES))
    return np.array(SHARES[expert])[None]


def coordination_samples(expert: str, total: int = 1000, expert_seed: int = 0) -> NDArray[np.int64]:
    """Joint actions [total, 2], 0 for A, in random order.

    Players of `mixed` throw their own coins. Of the others AA and BB come exactly as often as their share says, and the
    rest are AB or BA by a coin: 1000 of `noisy` are 450 AA, 450 BB and 100 of those.

    Raises:
        UnknownName: for an expert that there is not.
        ValueError: for a total of which a share is no whole number.
    """
    joint = coordination_joint(expert)[0]
    total = check_whole("samples of the coordination game", total, 1)
    rng = np.random.default_rng(expert_seed)
    if expert == "mixed":
        return rng.integers(0, 2, (total, 2))
    both, rest = np.diag(joint) * total, total * (1 - np.trace(joint))
    counts = np.rint([*both, rest]).astype(int)
    if not np.allclose(counts, [*both, rest]) or counts.sum() != total:
        raise ValueError(f"{total} samples of {expert}, whose shares are {joint.tolist()}: want whole numbers of each")
    kind = rng.permutation(np.repeat([0, 1, 2], counts))
    first = np.where(kind == 2, rng.integers(0, 2, total), kind)
    return np.stack([first, np.where(kind == 2, 1 - first, kind)], -1)


def zero_sum_policies(game: MarkovGame, expert_action: int = LAST) -> list[Array]:
    """Both always play `expert_action`: [S, A] of each agent; raises ValueError for an action that an agent has not."""
    action = check_whole("expert_action", expert_action, 0)
    if action >= min(game.num_actions):
        raise ValueError(f"expert_action is {action}; {game.name} has actions 0 to {min(game.num_actions) - 1}")
    return [np.eye(a)[np.full(game.num_states, action)] for a in game.num_actions]


def zero_sum_samples(game: MarkovGame, total: int = 1000, expert_seed: int = 0, expert_action: int = LAST) -> Rollouts:
    """`total` steps of episodes of that expert with lengths Geometric(1 - discount), the last one cut short.

    Raises:
        ValueError: for an action that there is not, or fewer than 1 step.
    """
    joint = game.joint_policy(zero_sum_policies(game, expert_action))
    total = check_whole(f"{game.name}: samples", total, 1)
    # an episode has a step at least
    return play(game, joint, total, np.random.default_rng(expert_seed)).first(total)
