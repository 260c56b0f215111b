"""Transitions and rewards of the games that ship, on torch: what their loops do, as functions of tensors.

Found by the loop that does the same, and with its numbers, so they hold for games of any name and setting. Leading dots
are a batch, as everywhere.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from envs.mean_field.games.epidemic import infection_loop
from envs.mean_field.games.garnet import pulled_loop
from envs.mean_field.games.linear_quadratic import quadratic_end_loop, quadratic_loop
from envs.mean_field.games.market import market_loop
from envs.mean_field.games.price import FAINTEST, HIGHEST, priced_loop
from envs.mean_field.games.toys import attractor_loop, blocked_loop, congested_loop

Params = tuple[Any, ...]
"""Those of the loops, arrays as tensors."""


def attractor_law(t: int, mu: Tensor, params: Params) -> Tensor:
    """Staying fails with probability min(1, L mu(s1)): [..., 2, 2, 2]."""
    dragged = (params[0] * mu[..., 1]).clamp(max=1.0)
    out = mu.new_zeros(*mu.shape[:-1], 2, 2, 2)
    out[..., 0, 0, 0], out[..., 0, 0, 1] = 1 - dragged, dragged
    out[..., 0, 1, 1] = out[..., 1, :, 1] = 1.0
    return out


def blocked_law(t: int, mu: Tensor, params: Params) -> Tensor:
    """Going succeeds with probability max(0, 1 - L mu(s1)^2): [..., 2, 2, 2]."""
    gone = (1 - params[0] * mu[..., 1] ** 2).clamp(min=0.0)
    out = mu.new_zeros(*mu.shape[:-1], 2, 2, 2)
    out[..., 0, 1, 0], out[..., 0, 1, 1] = 1 - gone, gone
    out[..., 0, 0, 0] = out[..., 1, :, 1] = 1.0
    return out


def congested_law(t: int, mu: Tensor, params: Params) -> Tensor:
    """To s1 with 1 - L1 mu(s1), to s2 with mu(s1) (1 - L2 mu(s2)): [..., 3, 3, 3]."""
    first = (1 - params[0] * mu[..., 1]).clamp(min=0.0)
    second = mu[..., 1] * (1 - params[1] * mu[..., 2]).clamp(min=0.0)
    out = mu.new_zeros(*mu.shape[:-1], 3, 3, 3)
    out[..., 0, 1, 0], out[..., 0, 1, 1] = 1 - first, first
    out[..., 0, 2, 0], out[..., 0, 2, 2] = 1 - second, second
    out[..., 0, 0, 0] = out[..., 1, :, 1] = out[..., 2, :, 2] = 1.0
    return out


def infection_law(t: int, mu: Tensor, params: Params) -> Tensor:
    """Who goes out falls ill with infection mu(ill) + imported: [..., 2, 2, 2]."""
    _, infection, imported, recovery = params
    caught = infection * mu[..., 1] + imported
    out = mu.new_zeros(*mu.shape[:-1], 2, 2, 2)
    out[..., 0, 0, 0], out[..., 0, 0, 1] = 1 - caught, caught
    out[..., 0, 1, 0] = 1.0
    out[..., 1, :, 0], out[..., 1, :, 1] = recovery, 1 - recovery
    return out


def pulled_law(t: int, mu: Tensor, params: Params) -> Tensor:
    """To the last successor with probability min(1, pull mu(s)), else as prob: [..., S, A, K]."""
    _, _, prob, pull = params
    pulled = (pull * mu).clamp(max=1.0)[..., None, None]
    last = pulled.expand(*mu.shape, prob.shape[1], 1)
    return torch.cat([(1 - pulled) * prob, last], -1)


def priced_reward(x: Tensor, params: Params) -> Tensor:
    """fixed + p offer of the occupancy x[..., T, S, A]."""
    fixed, offer, demand, elasticity = params
    sold = (x * offer).sum((-2, -1)).clamp(min=FAINTEST)
    price = ((demand / sold) ** (1 / elasticity)).clamp(max=HIGHEST)
    found: Tensor = fixed + price[..., None, None] * offer
    return found


def market_reward(x: Tensor, params: Params) -> Tensor:
    """own + p sold - w q of the occupancy x[..., T, S, A]."""
    own, sold, orders, demand, price, cost, congestion, coupling = params
    ordered, sales = (x * orders).sum((-2, -1)), (x * sold).sum((-2, -1))
    wholesale = cost * (1 + congestion * (ordered / demand - 1))
    retail = price * (1 - coupling * (sales / demand - 1)).clamp(min=0.0)
    found: Tensor = own + retail[..., None, None] * sold - wholesale[..., None, None] * orders
    return found


def quadratic_reward(mu: Tensor, params: Params) -> Tensor:
    """-cost a^2 + q a (m - x) - kappa / 2 (m - x)^2 of mu[..., T, S]."""
    places, actions, q, kappa, cost, _ = params
    away = ((mu @ places)[..., None] - places)[..., None]
    found: Tensor = -cost * actions**2 + q * actions * away - kappa / 2 * away**2
    return found


def quadratic_end(mu: Tensor, params: Params) -> Tensor:
    """-end / 2 (m - x)^2 of mu[..., S]."""
    places, end = params[0], params[5]
    found: Tensor = -end / 2 * ((mu @ places)[..., None] - places) ** 2
    return found


LAWS: dict[Callable[..., None], Callable[[int, Tensor, Params], Tensor]] = {
    attractor_loop: attractor_law,
    blocked_loop: blocked_law,
    congested_loop: congested_law,
    infection_loop: infection_law,
    pulled_loop: pulled_law,
}
REWARDS: dict[Callable[..., None], Callable[[Tensor, Params], Tensor]] = {
    market_loop: market_reward,
    priced_loop: priced_reward,
    quadratic_loop: quadratic_reward,
}
"""Those that are neither affine nor a crowd's: these are read off the game."""
TERMINALS: dict[Callable[..., None], Callable[[Tensor, Params], Tensor]] = {quadratic_end_loop: quadratic_end}
