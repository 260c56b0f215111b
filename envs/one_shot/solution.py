"""Known answers of a game, and whether play is one of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from envs.population import PopulationEnv, Step

Profile = NDArray[np.float64]
"""[K, S, A]: how often each type plays each action where it sees each signal; rows sum to 1."""


@dataclass(frozen=True)
class Solution:
    """The answers by name, and the distance from one of them up to which play counts as that answer."""

    answers: Mapping[str, Profile]
    tolerance: float
    """In shares of play, or in units of `scale`."""
    scale: NDArray[np.float64] | None = None
    """[A]: the quantity that each action stands for, where it is the mean quantity that is known."""
    unit: str = "share of play"
    """Of distances."""

    def distances(self, profile: Profile) -> dict[str, float]:
        """How far play is from each answer, for the type that is farthest from it.

        Total variation, averaged over signals: the share of play that would have to change. With `scale`, the
        difference of the mean quantities.

        Raises:
            ValueError: for a profile of another shape, or with a row that does not sum to 1.
        """
        shape = next(iter(self.answers.values())).shape
        if profile.shape != shape:
            raise ValueError(f"the profile has shape {profile.shape}; want {shape}, types x signals x actions")
        if (profile < 0).any() or np.abs(profile.sum(-1) - 1).max() > 1e-6:
            raise ValueError(f"every row of a profile is a law over actions; got sums {profile.sum(-1).tolist()}")
        return {name: self._apart(profile - answer) for name, answer in self.answers.items()}

    def nearest(self, profile: Profile) -> tuple[str, float]:
        """The answer that play is nearest to, and its distance."""
        found = self.distances(profile)
        name = min(found, key=lambda one: found[one])
        return name, found[name]

    def solved_by(self, profile: Profile) -> bool:
        """Whether play is within the tolerance of an answer."""
        # the slack is of rounding: shares such as .05 have no exact binary form
        return self.nearest(profile)[1] <= self.tolerance * (1 + 1e-9)

    def _apart(self, difference: Profile) -> float:
        by_signal = 0.5 * np.abs(difference).sum(-1) if self.scale is None else np.abs(difference @ self.scale)
        return float(by_signal.mean(-1).max())


def profile_of(
    env: PopulationEnv, act: Callable[[Step], NDArray[np.int64]], steps: int, seed: int | None = None
) -> Profile:
    """Play `steps` steps of all copies, and count what each type plays where it sees each signal.

    Args:
        env: a game whose observations are one-hot signals.
        act: a step -> actions [B, N].
        seed: of the reset; without one the copies go on with their streams.

    Raises:
        ValueError: where a type did not see one of the signals in so many steps.
    """
    types, signals = np.asarray(env.agent_types), int(env.observation_space.shape[0])
    actions = int(env.mean_action_space.shape[0])
    counted = np.zeros((int(types[-1]) + 1, signals, actions))
    step = env.reset(seed)
    for _ in range(steps):
        seen, played = step.obs.argmax(-1), act(step)
        np.add.at(counted, (np.broadcast_to(types, seen.shape), seen, played), 1.0)
        step = env.step(played)
    total = counted.sum(-1, keepdims=True)
    if not total.all():
        k, s = (int(i) for i in np.argwhere(total[..., 0] == 0)[0])
        raise ValueError(f"type {env.type_names[k]} never saw signal {s} in {steps} steps: play more of them")
    out: Profile = counted / total
    return out


def certain(actions: NDArray[np.int64], num_actions: int) -> Profile:
    """The profile [K, S, A] of actions [K, S] that are played always."""
    return np.eye(num_actions)[actions]
