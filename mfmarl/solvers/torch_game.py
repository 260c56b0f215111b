"""Exploitability of batches of policies as a differentiable function, on any device of torch.

For games whose transitions do not depend on the population, with rewards that torch can compute: affine ones, read off
the game's own function, those of crowds (a table less ln mu), or a function that is given.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from envs.mean_field.game import FiniteMFG
from envs.mean_field.games.crowd import EPSILON
from mfmarl.solvers.polytope import check_fixed
from mfmarl.solvers.solution import Array

TorchReward = Callable[[Tensor], Tensor]
"""mu[B, T, S], or, where rewards see actions, the occupancy [B, T, S, A], to r[B, T, S, A]."""
CROWDS = frozenset({"beach-bar", "crowd-1d", "crowd-2d", "teleport-crowd"})
"""Games with r = table - ln(mu + EPSILON)."""
AFFINE_TOLERANCE = 1e-11


@dataclass(frozen=True)
class TorchGame:
    """A finite mean-field game on a device, float64."""

    name: str
    horizon: int
    initial: Tensor
    """[S]"""
    P: Tensor
    """[S A, S']"""
    reward: TorchReward
    sees_actions: bool
    mask: Tensor | None
    """[S, A], bool."""


def torch_game(game: FiniteMFG, device: str | torch.device = "cpu", reward: TorchReward | None = None) -> TorchGame:
    """The game on a device; `reward` for those whose own torch could not take over.

    Raises:
        ValueError: for transitions that depend on the population, terminal rewards, or, without `reward`, rewards that
            are neither affine nor those of a crowd.
    """
    check_fixed(game)
    if game.terminal is not None:
        raise ValueError(f"{game.name}: has terminal rewards; want a game without, on torch")
    S, A = game.num_states, game.num_actions
    successors, prob = game.kernel.rows(0, game.initial)
    P = np.zeros((S * A, S))
    np.add.at(P, (np.arange(S * A)[:, None], successors.reshape(S * A, -1)), prob.reshape(S * A, -1))
    if reward is None:
        reward = _crowd_reward(game, device) if game.name in CROWDS else _affine_reward(game, device)

    def sent(array: Array) -> Tensor:
        return torch.as_tensor(array, dtype=torch.float64, device=device)

    mask = None if game.action_mask is None else torch.as_tensor(game.action_mask, device=device)
    return TorchGame(game.name, game.horizon, sent(game.initial), sent(P), reward, game.sees_actions, mask)


def flow(game: TorchGame, pi: Tensor) -> Tensor:
    """mu[B, T+1, S] of populations that play pi[B, T, S, A]."""
    mu = [game.initial.expand(len(pi), -1)]
    for t in range(game.horizon):
        mu.append((mu[-1][..., None] * pi[:, t]).flatten(1) @ game.P)
    return torch.stack(mu, 1)


def exploitability(game: TorchGame, pi: Tensor) -> Tensor:
    """What one agent could gain in populations that play pi[B, T, S, A]: [B], with gradients (of max, one of them).

    Rows of pi are taken to be distributions: it is for policies made by a softmax.

    Raises:
        ValueError: for another shape.
    """
    S, A = len(game.initial), game.P.shape[0] // len(game.initial)
    if pi.ndim != 4 or pi.shape[1:] != (game.horizon, S, A):
        raise ValueError(f"{game.name}: the policies have shape {tuple(pi.shape)}; want [B, {game.horizon}, {S}, {A}]")
    mu = flow(game, pi)[:, :-1]
    r = game.reward(mu[..., None] * pi if game.sees_actions else mu)
    best = own = torch.zeros_like(mu[:, 0])
    for t in reversed(range(game.horizon)):
        q = r[:, t] + (best @ game.P.T).reshape(-1, S, A)
        q_own = r[:, t] + (own @ game.P.T).reshape(-1, S, A)
        if game.mask is not None:
            q, q_own = q.masked_fill(~game.mask, -torch.inf), q_own.masked_fill(~game.mask, 0.0)
        best, own = q.max(-1).values, (pi[:, t] * q_own).sum(-1)
    return (best - own) @ game.initial


def _crowd_reward(game: FiniteMFG, device: str | torch.device) -> TorchReward:
    """table - ln(mu + EPSILON); the table is the reward in full places."""
    found = game.reward(np.arange(game.horizon), np.ones((game.horizon, game.num_states)))
    table = torch.as_tensor(np.broadcast_to(found, game.shape).copy(), device=device)
    return lambda mu: table - torch.log(mu + EPSILON)[..., None]


def _affine_reward(game: FiniteMFG, device: str | torch.device) -> TorchReward:
    """base + slopes x, read off the rewards of no mass and of one in each place.

    Raises:
        ValueError: where rewards of a random distribution are not those.
    """
    T, S, A = game.shape
    steps, places = np.arange(T), S * A if game.sees_actions else S
    shape = (-1, T, S, A) if game.sees_actions else (-1, T, S)
    ones = np.broadcast_to(np.eye(places)[:, None], (places, T, places)).reshape(shape)
    base = np.broadcast_to(game.reward(steps, np.zeros(shape[1:])), game.shape)
    slopes = np.broadcast_to(game.reward(steps, ones), (places, T, S, A)) - base
    x = np.random.default_rng(0).dirichlet(np.ones(places), T)
    off = np.abs(game.reward(steps, x.reshape(shape[1:])) - base - np.einsum("tp,ptsa->tsa", x, slopes)).max()
    if not off <= AFFINE_TOLERANCE * max(1.0, float(np.abs(base).max())):
        raise ValueError(f"{game.name}: rewards are not affine in the population (off by {off:.3g}); give `reward`")
    # most games have the same slopes at all steps
    alike = bool((slopes == slopes[:, :1]).all())
    told = torch.as_tensor(slopes[:, 0] if alike else slopes, device=device)
    table = torch.as_tensor(base.copy(), device=device)
    rule = "btp,psa->btsa" if alike else "btp,ptsa->btsa"
    return lambda x: table + torch.einsum(rule, x.reshape(len(x), T, places), told)
