"""Between what returns can be, of environments whose rewards are known: an interval beyond that says nothing."""

from __future__ import annotations

import math

Range = tuple[float, float]

ANY: Range = (-math.inf, math.inf)
SHARE: Range = (0.0, 1.0)
RETURNS: dict[str, Range] = {
    "CartPole-v0": (0, 200),
    "CartPole-v1": (0, 500),
    "Acrobot-v1": (-500, 0),
    "MountainCar-v0": (-200, 0),
    "FrozenLake-v1": (0, 1),
    "FrozenLake8x8-v1": (0, 1),
    "Pendulum-v1": (-200 * (math.pi**2 + 0.1 * 8**2 + 0.001 * 2**2), 0),
}
"""Environment as gymnasium registers it -> least and most of an episode's return."""


def return_range(env: str) -> Range:
    """Least and most of an undiscounted return; infinite where that is not written down."""
    return RETURNS.get(env, ANY)
