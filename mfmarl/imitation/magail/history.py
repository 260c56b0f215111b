"""What is recorded of MAGAIL while it trains."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mfmarl.imitation.magail.joint import joint_of
from mfmarl.imitation.magail.mixture import mixed_joint
from mfmarl.imitation.magail.settings import Run
from mfmarl.imitation.magail.theory import Array


@dataclass(frozen=True)
class History:
    """K records of R runs."""

    runs: tuple[Run, ...]
    epochs: NDArray[np.int64]
    """[K], counted from 1."""
    policies: tuple[Array, ...]
    """An agent each: pi_i[K, R, S, A_i], after the epoch; the means over signals, where there are any."""
    logits: tuple[Array, ...]
    """A discriminator each: [K, R, S, A_1..A_n], or decentralised [K, R, S, A_i], after the epoch."""
    discriminator_loss: Array
    """[K, R]: in nats, the mean over discriminators, before the epoch's step; 2 ln 2 where nothing is told apart."""
    entropy: Array
    """[K, R, n]: nats, the mean over the steps of the policies' gradient, before the policies' step."""
    played: NDArray[np.int64]
    """[K, R, S, A_1..A_n]: how often in the epoch's rollouts."""
    rollouts: NDArray[np.int64]
    """[K]: played by a run up to and with the epoch."""
    expert_samples: NDArray[np.int64]
    """[K]: drawn from the demonstrations up to and with the epoch."""
    cpu_seconds: float = 0.0
    """Of training, in all calls that it took; what was done after the last checkpoint of a killed one is not known."""
    weights: Array | None = None
    """[K, R, Z]: the signals' probabilities; None where agents are independent."""
    given: tuple[Array, ...] = ()
    """An agent each: pi_i[K, R, Z, S, A_i], given the signal."""

    @property
    def joint(self) -> Array:
        """[K, R, S, A_1..A_n]: the joint law of actions in every state.

        With signals it is that of an episode's first step: later on, the state tells of the signal.
        """
        return joint_of(self.policies) if self.weights is None else mixed_joint(self.weights, self.given)


@dataclass(frozen=True)
class Record:
    """A row of `History`."""

    epoch: int
    policies: list[Array]
    """pi_i[R, Z S, A_i]"""
    weights: Array
    logits: list[Array]
    loss: Array
    entropy: Array
    played: NDArray[np.int64]
