"""Agents on a line who stay near their mean and pay for moving (Perrin et al. 2020, section 4.1, on whole cells)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.mean_field.game import FiniteMFG
from envs.mean_field.kernel import Array, sparse_kernel
from envs.mean_field.loops import Loops
from envs.mean_field.ranges import check_number, check_whole


def linear_quadratic(
    reach: int = 10,
    push: int = 2,
    horizon: int = 10,
    q: float = 0.01,
    kappa: float = 0.5,
    cost: float = 0.5,
    end: float = 1.0,
) -> FiniteMFG:
    """x' = x + a + noise, x in -reach..reach, a in -push..push; m is the population's mean place.

    r = -cost a^2 + q a (m - x) - kappa / 2 (m - x)^2, in the end -end / 2 (m - x)^2. Noise is -1, 0, 1 with probability
    1/4, 1/2, 1/4; the ends of the line stop.

    Raises:
        ValueError: for a setting out of its range.
    """
    check_whole("linear-quadratic", "reach", reach, least=1)
    check_whole("linear-quadratic", "push", push, least=0)
    for setting, value in {"q": q, "kappa": kappa, "cost": cost, "end": end}.items():
        check_number("linear-quadratic", setting, value)
    places = np.arange(-reach, reach + 1)
    actions = np.arange(-push, push + 1)
    noise = np.array([-1, 0, 1])
    successors = np.clip(places[:, None, None] + actions[:, None] + noise, -reach, reach) + reach
    prob = np.broadcast_to(np.array([0.25, 0.5, 0.25]), successors.shape).copy()
    # places, actions, q, kappa, cost, end
    numbers = (places.astype(float), actions.astype(float), float(q), float(kappa), float(cost), float(end))
    start = np.exp(-0.5 * ((places - reach / 2) / (reach / 4)) ** 2)

    def away(mu: Array) -> Array:
        return (mu @ places)[..., None] - places

    def reward(t: NDArray[np.int64], mu: Array) -> Array:
        m = away(mu)[..., None]
        return -cost * actions**2 + q * actions * m - kappa / 2 * m**2

    return FiniteMFG(
        name="linear-quadratic",
        horizon=horizon,
        initial=start / start.sum(),
        kernel=sparse_kernel(successors, prob),
        reward=reward,
        terminal=lambda mu: -end / 2 * away(mu) ** 2,
        loops=Loops(quadratic_loop, numbers, terminal=quadratic_end_loop),
    )


def quadratic_loop(t: int, mu: Array, x: Array, params: Any, out: Array) -> None:
    """r = -cost a^2 + q a (m - x) - kappa / 2 (m - x)^2, of places, actions, q, kappa, cost and end."""
    places, actions, q, kappa, cost, _ = params
    mean = 0.0
    for s in range(len(places)):
        mean += mu[s] * places[s]
    for s in range(len(places)):
        away = mean - places[s]
        for a in range(len(actions)):
            out[s, a] = -cost * actions[a] ** 2 + q * actions[a] * away - kappa / 2 * away**2


def quadratic_end_loop(mu: Array, params: Any, out: Array) -> None:
    """-end / 2 (m - x)^2, of the same."""
    places, end = params[0], params[5]
    mean = 0.0
    for s in range(len(places)):
        mean += mu[s] * places[s]
    for s in range(len(places)):
        out[s] = -end / 2 * (mean - places[s]) ** 2
