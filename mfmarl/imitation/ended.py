"""Episodes that ended while learning, and whether their lengths or ends alone give an imitator away."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mfmarl.imitation.demonstrations import Demonstrations
from mfmarl.imitation.rollout import Rollout

REMEMBERED = 50
"""Episodes that count as the policy's of now."""
ENOUGH = 10
"""Episodes of the policy from which on their lengths are spoken of."""


class Ended:
    """Lengths, ends and the environment's own returns of the last episodes, which no learner sees."""

    def __init__(self, num_envs: int) -> None:
        self.running = np.zeros((2, num_envs))
        """Length and return so far of each environment's episode."""
        self.last: deque[tuple[float, float, float]] = deque(maxlen=REMEMBERED)
        """(length, return, whether it terminated), oldest first."""

    def take(self, rollout: Rollout) -> dict[str, float]:
        """Go on through a rollout; mean return and length of the episodes that ended in it, if any did."""
        ended: list[tuple[float, float, float]] = []
        over = rollout.terminated | rollout.truncated
        for t in range(len(over)):
            self.running[0] += 1
            self.running[1] += rollout.rewards[t]
            for b in np.flatnonzero(over[t]):
                ended.append((*self.running[:, b].tolist(), float(rollout.terminated[t, b])))
                self.running[:, b] = 0
        self.last.extend(ended)
        if not ended:
            return {}
        length, gained, _ = np.mean(ended, 0).tolist()
        return {"return": gained, "length": length}

    def apart(self, expert: Demonstrations) -> dict[str, float]:
        """How far lengths, and ends, of demonstrations and of the policy's episodes are apart, both from 0 to 1."""
        if not self.last:
            return {}
        lengths, _, terminated = np.array(self.last).T
        return {
            "lengths_apart": lengths_apart(expert.lengths, lengths),
            "ends_apart": abs(float(expert.terminated.mean() - terminated.mean())),
        }

    def state(self) -> dict[str, Any]:
        """Plain data."""
        return {"running": self.running.tolist(), "last": [list(one) for one in self.last]}

    def restore(self, state: dict[str, Any]) -> None:
        """As `state` gave it."""
        self.running = np.array(state["running"])
        self.last = deque([(one[0], one[1], one[2]) for one in state["last"]], maxlen=REMEMBERED)


def lengths_apart(one: ArrayLike, other: ArrayLike) -> float:
    """The Kolmogorov-Smirnov distance of two samples: 0 where they are alike, 1 where each is told from its length."""
    a, b = np.sort(np.asarray(one, float)), np.sort(np.asarray(other, float))
    at: NDArray[np.float64] = np.concatenate([a, b])
    below_a, below_b = (np.searchsorted(x, at, side="right") / len(x) for x in (a, b))
    return float(np.abs(below_a - below_b).max())


def leak_of(expert: Demonstrations) -> str | None:
    """What in the ends of demonstrations alone pays an imitator that is not told of the absorbing state."""
    if not (expert.terminated.all() or expert.truncated.all()):
        return None
    how, pays = ("terminated", "an early end") if expert.terminated.all() else ("were cut by time", "survival")
    return (
        f"all {len(expert)} demonstrations {how}: with absorbing=False a reward of one sign may pay for {pays} alone; "
        "set absorbing=True, or see the survival probe"
    )


def lengths_warning(apart: float, episodes: int) -> str | None:
    """Where lengths of episodes alone tell expert and policy apart."""
    if episodes < ENOUGH or apart < 1.0:
        return None
    return (
        f"lengths of episodes alone tell the demonstrations from the policy's last {episodes} episodes: with "
        "absorbing=False their reward may be for length; set absorbing=True"
    )
