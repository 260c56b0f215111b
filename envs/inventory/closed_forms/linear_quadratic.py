"""The mean-field game with linear dynamics and quadratic cost."""

from __future__ import annotations

import math
from typing import NamedTuple

from envs.inventory.closed_forms.arguments import need, not_negative, positive


class LinearQuadratic(NamedTuple):
    """Steady stock and the factors by which a distance from it shrinks every period."""

    steady_stock: float
    individual_rate: float
    """Of one agent's own stock, the field given."""
    field_rate: float
    """Of the whole population's mean stock."""


def linear_quadratic(*, c: float, beta: float, phi: float, h: float, gamma: float, mu: float) -> LinearQuadratic:
    """The mean-field game of stage cost (c + beta ubar) u + phi u^2 / 2 + h x'^2 / 2 with x' = x + u - mu.

    Moving a unit of order from one period to the next gives, with k = phi for one agent and phi + beta for the
    population, gamma k r^2 - (k + gamma k + h) r + k = 0, of which the rate is the root below 1; at rest u = mu.

    Raises:
        ValueError: for phi or h not above 0, beta, c or mu negative, or gamma outside (0, 1].
    """
    positive(phi=phi, h=h)
    not_negative(c=c, beta=beta, mu=mu)
    need(0 < gamma <= 1, "gamma", gamma, "in (0, 1]")

    def rate(k: float) -> float:
        middle = k + gamma * k + h
        return (middle - math.sqrt(middle**2 - 4 * gamma * k * k)) / (2 * gamma * k)

    return LinearQuadratic(-(1 - gamma) * (c + (phi + beta) * mu) / h, rate(phi), rate(phi + beta))
