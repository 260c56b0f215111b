"""What happens to one agent of the network in one period, written once for every backend (see `inventory.formulas`)."""

from __future__ import annotations

from typing import Any

import numpy as np

from envs.inventory.formulas import formula, lesser

TWO, ONE = np.float32(2), np.float32(1)
CENTS = 2.0**20
"""Shared rewards are summed in whole 2^-20ths of a $, so that the sum does not depend on its order."""


@formula
def shipment(supply: Any, wanted: Any) -> Any:
    """Units shipped of what is there."""
    return lesser(supply, wanted)


@formula
def kept(left: Any, cap: Any) -> Any:
    """Units of the stock left over that there is room for."""
    return lesser(left, cap)


@formula
def rounding(bits: Any, parts: Any) -> Any:
    """A whole number in 0..parts - 1 of 32 random bits."""
    return (bits * parts) >> 32


@formula
def network_reward(
    price: Any, cost: Any, h: Any, b: Any, target: Any, order: Any, sold: Any, stock: Any, backlog: Any
) -> Any:
    """price sold - cost order - h |stock - target| - b backlog, in $."""
    return price * sold - cost * order - h * abs(stock - target) - b * backlog


@formula
def scaled(units: Any, factor: Any) -> Any:
    """Units x factor - 1 with a factor of 2 / the largest units shown, clipped to -1..1."""
    return lesser(units * factor, TWO) - ONE
