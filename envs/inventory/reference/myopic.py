"""Myopic best reply: the best order against the last observed prices, as if the game ended once it has been sold."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.inventory.ledger import Ledger
from envs.inventory.market import InventoryMarket
from envs.inventory.reference.base_stock import unit_costs
from envs.inventory.reference.playing import Market, Policy, restarted
from envs.population import Step

Doubles = NDArray[np.float64]
POINTS = 512
"""Equally likely quantiles by which a demand distribution is known."""


def expected_short(demand: Doubles) -> Doubles:
    """[N, Y]: E(D - y)+ at y = 0, 1, ..., Y - 1, of whole demands [M, N] that are equally likely; it ends on 0."""
    units = np.rint(demand).astype(np.int64)
    draws, agents = units.shape
    top = int(units.max()) + 1
    flat = (units + top * np.arange(agents)).ravel()
    share = np.bincount(flat, minlength=agents * top).reshape(agents, top) / draws
    beyond = 1 - np.cumsum(share, 1)
    # E(D - y)+ is the sum of P(D > k) over k >= y
    return np.asarray(np.cumsum(beyond[:, ::-1], 1)[:, ::-1].clip(0))


def _demand(env: Market) -> Doubles:
    """[M, N]: quantiles of demand over L + 1 periods at the midpoints of M equal parts of probability."""
    midpoints = (np.arange(POINTS) + 0.5) / POINTS
    periods = env.parameters.L + 1
    return np.stack([env.demand_quantile(np.full(env.num_agents, u), periods) for u in midpoints]).clip(0)


class _Myopic:
    def __init__(self, env: InventoryMarket, discount: float) -> None:
        self._env, self._discount = env, discount
        self._short = expected_short(_demand(env))
        self._mean = self._short[:, 0]
        p, levels = env.parameters, env.order_levels
        self._fixed = p.K[:, None] * (levels > 0) + 0.5 * p.phi[:, None] * levels**2

    def __call__(self, step: Step) -> NDArray[Any]:
        env = self._env
        premium, price = np.zeros(env.num_envs), np.ones(env.num_envs)
        if isinstance(step.metrics, Ledger):
            fresh = restarted(step)
            premium = np.where(fresh, 0.0, step.metrics.period.premium)
            price = np.where(fresh, 1.0, step.metrics.period.price)
        under, over = unit_costs(
            env.parameters, unmet=env.config.unmet, discount=self._discount, price=price[:, None],
            premium=premium[:, None],
        )  # fmt: skip
        position = np.asarray(env.inventory_position, float)
        best = np.full(position.shape, np.inf)
        action = np.zeros(position.shape, np.int64)
        agents = np.arange(env.num_agents)
        for a in range(env.order_levels.shape[1]):
            y = np.rint(position + env.order_levels[:, a]).astype(np.int64)
            inside = y.clip(0, self._short.shape[1] - 1)
            # below 0 every unit more is sold
            short = self._short[agents, inside] + np.maximum(-y, 0)
            cost = self._fixed[:, a] + under * short + over * (y - self._mean + short)
            better = cost < best
            best = np.where(better, cost, best)
            action[better] = a
        return action


def myopic(env: Market, seed: int, discount: float) -> Policy:
    """The order q of least K[q > 0] + phi q^2 / 2 + over E(y - D)+ + under E(D - y)+, y = position + q.

    D is demand over L + 1 periods; over and under (`unit_costs`) are taken at the prices of the last period, and at the
    reference prices in the first: a unit left over is worth what it would cost again. For L = 0 it is the one-period
    best reply exactly, up to 512 quantiles of the demand; for L >= 1 lost sales on the way are left out.

    Raises:
        ValueError: for an environment that is not a market, and actions that are not quantities of a grid.
    """
    if not isinstance(env, InventoryMarket):
        raise ValueError("a myopic best reply answers market prices, and this environment has none")
    if env.config.action_mode not in ("levels", "absolute"):
        raise ValueError(f"myopic compares a grid of quantities; action_mode is {env.config.action_mode}: set levels")
    return _Myopic(env, discount)
