"""The objective of MF-OMO and its exact gradient, on torch, for games that torch can take over."""

from __future__ import annotations

import weakref

import torch

from envs.mean_field.game import FiniteMFG
from mfmarl.solvers.solution import Array
from mfmarl.solvers.torch_game import TorchGame, torch_game

_TAKEN: dict[int, TorchGame | None] = {}
"""By the game's id, while it lives: games are made of arrays, which cannot be looked up."""


def taken_over(game: FiniteMFG) -> TorchGame | None:
    """The game on torch, made once; None where torch does not know its functions."""
    key = id(game)
    if key not in _TAKEN:
        try:
            _TAKEN[key] = torch_game(game)
        except ValueError:
            _TAKEN[key] = None
        weakref.finalize(game, _TAKEN.pop, key, None)
    return _TAKEN[key]


def exact_objective(
    game: TorchGame, logits: Array, roots: Array, values: Array, scale: float
) -> tuple[float, tuple[Array, Array, Array]]:
    """As `mf_omo.objective`: the objective, and its gradient in (logits, roots, values)."""
    T, S, A = game.shape
    params = [torch.tensor(p, requires_grad=True) for p in (logits, roots, values)]
    z, V = params[1] ** 2, params[2] * scale
    gone = torch.zeros(S, A, dtype=torch.bool, device=game.initial.device) if game.mask is None else ~game.mask
    x = params[0].masked_fill(gone, -torch.inf).flatten(1).softmax(-1).reshape(T, S, A)
    mu = x.sum(-1)
    told = [game.transitions.at(t, mu[t]) for t in range(T)]
    went = torch.stack([game.transitions.push(x[t], told[t]) for t in range(T)])
    after = torch.cat([V[1:], game.terminal(went[-1])[None]])
    expected = torch.stack([game.transitions.expect(after[t], told[t]) for t in range(T)])
    off = (V[..., None] - game.reward(x if game.sees_actions else mu) - expected - z).masked_fill(gone, 0.0)
    lost = mu - torch.cat([game.initial[None], went[:-1]])
    height = (lost**2).sum() + (off**2).sum() + (z.masked_fill(gone, 0.0) * x).sum()
    of_logits, of_roots, of_values = (slope.numpy() for slope in torch.autograd.grad(height, params))
    return float(height.detach()), (of_logits, of_roots, of_values)
