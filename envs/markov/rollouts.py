"""Episodes of a game, side by side: as many as were asked for, each as long as the discount makes it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from envs.markov.checks import Array, BadPolicy, check_whole
from envs.markov.game import MarkovGame, Occupancy


@dataclass(frozen=True)
class Rollouts:
    """E episodes one after another, N = sum of their lengths steps in all."""

    states: NDArray[np.int64]
    """[N]"""
    actions: NDArray[np.int64]
    """[N, n]"""
    lengths: NDArray[np.int64]
    """[E]"""

    def first(self, steps: int) -> Rollouts:
        """Exactly `steps` steps, the last episode cut where it must be; raises ValueError if there are fewer."""
        if not 1 <= steps <= len(self.states):
            raise ValueError(f"{steps} steps of {len(self.states)}; want 1 or more, and no more than there are")
        ends = self.lengths.cumsum()
        kept = int(np.searchsorted(ends, steps)) + 1
        lengths = self.lengths[:kept].copy()
        lengths[-1] -= ends[kept - 1] - steps
        return Rollouts(self.states[:steps], self.actions[:steps], lengths)

    def counts(self, game: MarkovGame) -> NDArray[np.int64]:
        """[S, A_1, .., A_n]: steps in each state and joint action."""
        shape = game.transitions.shape[:-1]
        index = np.ravel_multi_index((self.states, *self.actions.T), shape)
        return np.bincount(index, minlength=int(np.prod(shape))).reshape(shape)

    def occupancy(self, game: MarkovGame) -> Occupancy:
        """The share of steps in each state and joint action: an estimate of the game's discounted occupancy."""
        joint = self.counts(game) / len(self.states)
        return Occupancy(joint.reshape(len(joint), -1).sum(1), joint)

    def returns(self, game: MarkovGame) -> Array:
        """[E, n]: undiscounted sums of rewards, whose expectation is the discounted value.

        An episode is still on after t steps with probability discount^t.
        """
        found = game.rewards[(slice(None), self.states, *self.actions.T)]
        return np.asarray(np.add.reduceat(found, self.lengths.cumsum() - self.lengths, axis=1).T)


def play(game: MarkovGame, joint: ArrayLike, episodes: int, rng: np.random.Generator) -> Rollouts:
    """Exactly `episodes` episodes of a joint policy [S, A_1, .., A_n], their lengths Geometric(1 - discount).

    A profile is played by `play(game, game.joint_policy(policies), ...)`. With these lengths the steps are drawn from
    the discounted occupancy; in a game of one step all have length 1.

    Raises:
        BadPolicy: for what is no single joint policy of the game.
        ValueError: for fewer than 1 episode.
    """
    episodes = check_whole(f"{game.name}: episodes", episodes, 1)
    played = game.check_joint(joint)
    S, acts = game.num_states, game.num_actions
    if played.ndim != len(acts) + 1:
        raise BadPolicy(f"{game.name}: the joint policy has shape {played.shape}; want one, {(S, *acts)}")
    lengths = rng.geometric(1 - game.discount, episodes)
    choice, moves = _thresholds(played.reshape(S, -1)), _thresholds(game.transitions.reshape(S, -1, S))
    states, actions = np.empty(lengths.sum(), np.int64), np.empty(lengths.sum(), np.int64)
    # the longest first: those that are still on are then a beginning of the row
    order = np.argsort(-lengths, kind="stable")
    begins, falling = (lengths.cumsum() - lengths)[order], lengths[order]
    now = _drawn(np.broadcast_to(_thresholds(game.start), (episodes, S)), rng)
    for t in range(int(falling[0])):
        on = int(np.searchsorted(-falling, -t))
        now = now[:on]
        chosen = _drawn(choice[now], rng)
        states[begins[:on] + t], actions[begins[:on] + t] = now, chosen
        now = _drawn(moves[now, chosen], rng)
    return Rollouts(states, np.stack(np.unravel_index(actions, acts), -1), lengths)


def _thresholds(rows: Array) -> Array:
    """Cumulative probabilities; the last is then exactly 1, so that what has probability 0 is never drawn."""
    total = rows.cumsum(-1)
    return np.asarray(total / total[..., -1:])


def _drawn(thresholds: Array, rng: np.random.Generator) -> NDArray[np.int64]:
    """An index for each row."""
    return np.asarray((thresholds <= rng.random((len(thresholds), 1))).sum(-1), np.int64)
