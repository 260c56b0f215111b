"""Rewards as functions of tensors: known by the game's loop, or read off where they are affine or a crowd's."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from envs.mean_field.game import FiniteMFG
from envs.mean_field.games.crowd import EPSILON
from envs.mean_field.graphon import GraphonMFG
from mfmarl.solvers.solution import Array
from mfmarl.solvers.torch_kernel import fields, on_device
from mfmarl.solvers.torch_laws import REWARDS, TERMINALS

TorchReward = Callable[[Tensor], Tensor]
"""mu[..., T, S], or, where rewards see actions, the occupancy [..., T, S, A], to r[..., T, S, A]."""
TorchTerminal = Callable[[Tensor], Tensor]
"""mu[..., S] -> [..., S]."""
TOLERANCE = 1e-11
"""Relative to the largest reward, within which rewards on torch are those of the game."""


def reward_of(game: FiniteMFG, device: str | torch.device) -> TorchReward | None:
    """Its rewards; None where they are not known, and neither affine in the population nor those of a crowd."""
    if isinstance(game, GraphonMFG):
        return _at_places(game, device)
    if game.loops is not None and game.loops.reward in REWARDS:
        formula, params = REWARDS[game.loops.reward], on_device(game.loops.params, device)
        return lambda x: formula(x, params)
    x = a_population(game)
    want = game.reward(np.arange(game.horizon), x)
    for read in (_crowd, _affine):
        # what a reward is told here may be no distribution
        with np.errstate(all="ignore"):
            found = read(game, device)
        if found is not None and off(found(torch.as_tensor(x, device=device)), want, game.action_mask) <= TOLERANCE:
            return found
    return None


def terminal_of(game: FiniteMFG, device: str | torch.device) -> TorchTerminal | None:
    """Its terminal rewards, 0 where it has none; None where they are not known, and not affine in the population."""
    if game.terminal is None:
        return torch.zeros_like
    if isinstance(game, GraphonMFG):
        plain, W = terminal_of(game.plain, device), torch.as_tensor(game.W, device=device)
        return None if plain is None else lambda mu: plain(fields(W, mu, 1)).flatten(-2)
    if game.loops is not None and game.loops.terminal in TERMINALS:
        formula, params = TERMINALS[game.loops.terminal], on_device(game.loops.params, device)
        return lambda mu: formula(mu, params)
    with np.errstate(all="ignore"):
        base = game.terminals(np.zeros(game.num_states))
        slopes = game.terminals(np.eye(game.num_states)) - base
    mu = a_population(game).reshape(game.horizon, game.num_states, -1).sum(-1)[-1]
    if off(torch.as_tensor(base + mu @ slopes), game.terminals(mu), None) > TOLERANCE:
        return None
    table, told = torch.tensor(base, device=device), torch.as_tensor(slopes, device=device)
    return lambda now: table + now @ told


def a_population(game: FiniteMFG) -> Array:
    """What rewards see, drawn at random for every step: [T, S], or [T, S, A] of actions that the states have."""
    rng = np.random.default_rng(0)
    mu = rng.dirichlet(np.ones(game.num_states), game.horizon)
    if not game.sees_actions:
        return mu
    played = rng.random(game.shape) * game.uniform_policy()
    return np.asarray(mu[..., None] * played / played.sum(-1, keepdims=True))


def off(found: Tensor, want: Array, mask: NDArray[np.bool_] | None) -> float:
    """The largest difference, of the actions that states have, relative to the largest number or 1; NaN counts."""
    got, want = np.broadcast_arrays(found.detach().cpu().numpy(), want)
    if mask is not None:
        got, want = got[..., mask], want[..., mask]
    away = np.abs(got - want).max() / max(1.0, np.abs(want).max())
    return float(away) if np.isfinite(away) else np.inf


def _at_places(game: GraphonMFG, device: str | torch.device) -> TorchReward | None:
    plain, W = reward_of(game.plain, device), torch.as_tensor(game.W, device=device)
    size = 2 if game.sees_actions else 1
    if plain is None:
        return None

    def reward(x: Tensor) -> Tensor:
        # places before steps, as rewards take them
        seen = fields(W, x, size).movedim(-size - 1, -size - 2)
        return plain(seen).movedim(-4, -3).flatten(-3, -2)

    return reward


def _crowd(game: FiniteMFG, device: str | torch.device) -> TorchReward | None:
    """table - ln(mu + EPSILON); the table is the reward in full places."""
    if game.sees_actions:
        return None
    found = game.reward(np.arange(game.horizon), np.ones((game.horizon, game.num_states)))
    table = torch.as_tensor(np.broadcast_to(found, game.shape).copy(), device=device)
    return lambda mu: table - torch.log(mu + EPSILON)[..., None]


def _affine(game: FiniteMFG, device: str | torch.device) -> TorchReward:
    """base + slopes x, read off the rewards of no mass and of one in each place."""
    T, S, A = game.shape
    steps, places = np.arange(T), S * A if game.sees_actions else S
    shape = (-1, T, S, A) if game.sees_actions else (-1, T, S)
    ones = np.broadcast_to(np.eye(places)[:, None], (places, T, places)).reshape(shape)
    base = np.broadcast_to(game.reward(steps, np.zeros(shape[1:])), game.shape)
    slopes = np.broadcast_to(game.reward(steps, ones), (places, T, S, A)) - base
    if game.action_mask is not None:
        # of actions that are not there rewards may be infinite, which slopes would carry to those that are
        base, slopes = np.where(game.action_mask, base, 0.0), np.where(game.action_mask, slopes, 0.0)
    # most games have the same slopes at all steps
    alike = bool((slopes == slopes[:, :1]).all())
    told = torch.as_tensor(slopes[:, 0] if alike else slopes, device=device)
    table = torch.as_tensor(base.copy(), device=device)
    rule = "...tp,psa->...tsa" if alike else "...tp,ptsa->...tsa"
    return lambda x: table + torch.einsum(rule, x.flatten(-2) if game.sees_actions else x, told)
