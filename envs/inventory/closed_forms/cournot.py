"""Sellers who sell all they order, at a price that falls with their mean quantity."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from envs.inventory.closed_forms.arguments import need, not_negative, positive


class Cournot(NamedTuple):
    """The Nash equilibrium of sellers who sell all they order."""

    quantities: NDArray[np.float64]
    """[K], u per agent of each type."""
    mean_quantity: float
    price: float
    """$ per u."""


def cournot(
    *, alpha: float, beta: float, phi: float, costs: Sequence[float], shares: Sequence[float], num_agents: int
) -> Cournot:
    """Equilibrium of N sellers at price alpha - beta qbar and cost c_k q + phi q^2 / 2, each with 1/N of qbar.

    q_k = (alpha - beta qbar - c_k) / (phi + beta / N), qbar = (alpha - cbar) / (phi + beta + beta / N).

    Args:
        alpha: price at zero supply, $/u.
        beta: price slope, $/u per u of the mean quantity.
        phi: handling cost, $/u^2.
        costs: c_k of the K types, $/u.
        shares: the types' shares of the population, which sum to 1.
        num_agents: N.

    Raises:
        ValueError: for values out of range, shares that do not sum to 1, or a type that would not produce (the formula
            holds only where every quantity is positive).
    """
    positive(alpha=alpha, beta=beta)
    not_negative(phi=phi)
    need(num_agents >= 2 and int(num_agents) == num_agents, "num_agents", num_agents, "a whole number of at least 2")
    c, share = np.asarray(costs, float), np.asarray(shares, float)
    if c.ndim != 1 or c.shape != share.shape or c.size == 0:
        raise ValueError(f"costs and shares must be two lists of equal length; got shapes {c.shape} and {share.shape}")
    if not np.isfinite(c).all() or (c < 0).any():
        raise ValueError(f"costs are {c.tolist()}; every cost must be a finite number of at least 0")
    if not (share > 0).all() or abs(share.sum() - 1) > 1e-9:
        raise ValueError(f"shares are {share.tolist()}; they must be above 0 and sum to 1")
    mean_quantity = float((alpha - share @ c) / (phi + beta + beta / num_agents))
    price = alpha - beta * mean_quantity
    quantities = (price - c) / (phi + beta / num_agents)
    if (quantities <= 0).any():
        idle = int(np.argmin(quantities))
        raise ValueError(
            f"type {idle} with cost {c[idle]:g} would order nothing at price {price:g}: leave it out, or lower its cost"
        )
    return Cournot(quantities, mean_quantity, price)
