"""Experts written by hand, for tests and benchmarks; any callable states -> actions will do in their place."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

States = NDArray[np.float32]


def cartpole(states: States) -> NDArray[np.int64]:
    """CartPole-v1: push to the side where the pole falls, and lean against the cart's drift; returns 500."""
    position, speed, angle, turn = states.T
    return np.asarray(angle + 0.5 * turn + 0.05 * position + 0.1 * speed > 0, np.int64)


def acrobot(states: States) -> NDArray[np.int64]:
    """Acrobot-v1: torque along the difference of the joints' speeds; about -77."""
    return np.where(states[:, 5] > states[:, 4], 2, 0).astype(np.int64)


def pendulum(states: States) -> NDArray[np.float32]:
    """Pendulum-v1: pump energy until it is near the top, then hold it there (Astrom and Furuta 2000); about -146.

    Energy is turn^2 / 6 + 5 cos(angle), 5 at rest on top; gains are the best of 700 drawn at random.
    """
    cosine, sine, turn = states.T.astype(float)
    angle = np.arctan2(sine, cosine)
    missing = 4.66 - (turn**2 / 6 + 5 * cosine)
    swing = np.clip(1.25 * missing, -2.0, 2.0) * np.tanh(turn / 0.45)
    hold = np.clip(-(8.72 * angle + 2.2 * turn), -2.0, 2.0)
    near = 1 / (1 + np.exp(np.clip((np.abs(angle + 0.52 * turn) - 1.1) / 0.1, -30.0, 30.0)))
    return np.asarray((near * hold + (1 - near) * swing)[:, None], np.float32)


def cartpole_margin(states: States) -> NDArray[np.float64]:
    """How far CartPole-v1 is from falling, as a share of what it may lean or drift: [n], below 0 where it fell."""
    position, _, angle, _ = states.T.astype(float)
    return np.asarray(np.minimum(1 - np.abs(position) / 2.4, 1 - np.abs(angle) / 0.2095), float)


RULES: dict[str, tuple[str, Any]] = {
    "cartpole": ("CartPole-v1", cartpole),
    "acrobot": ("Acrobot-v1", acrobot),
    "pendulum": ("Pendulum-v1", pendulum),
}
"""Name -> (the environment that it is written for, states -> actions)."""
