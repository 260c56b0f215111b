"""Transitions as tensors: mass forward and expectations backward, differentiable also in what the population does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from envs.mean_field.game import FiniteMFG
from envs.mean_field.graphon import GraphonMFG
from mfmarl.solvers.torch_laws import LAWS, Params

TorchLaw = Callable[[int, Tensor], Tensor]
"""(t, mu[..., S]) -> probabilities [..., S, A, K] of the successors."""


@dataclass(frozen=True)
class FixedTransitions:
    """The same whatever the population does."""

    P: Tensor
    """[S A, S']"""

    def at(self, t: int, mu: Tensor) -> Tensor:
        """What `push` and `expect` are told of step t: P."""
        return self.P

    def push(self, x: Tensor, at: Tensor) -> Tensor:
        """Where occupancy x[..., S, A] goes: [..., S]."""
        return x.flatten(-2) @ at

    def expect(self, values: Tensor, at: Tensor) -> Tensor:
        """E[values[..., S'] | s, a]: [..., S, A]."""
        found: Tensor = values @ at.T
        return found.reshape(*values.shape, -1)


@dataclass(frozen=True)
class MovingTransitions:
    """Probabilities that follow the population, of successors that do not."""

    next: Tensor
    """[S, A, K], int64."""
    law: TorchLaw

    def at(self, t: int, mu: Tensor) -> Tensor:
        """What `push` and `expect` are told of step t: probabilities [..., S, A, K]."""
        return self.law(t, mu)

    def push(self, x: Tensor, at: Tensor) -> Tensor:
        """Where occupancy x[..., S, A] goes: [..., S]."""
        moved = (x[..., None] * at).flatten(-3)
        return moved.new_zeros(*moved.shape[:-1], len(self.next)).index_add(-1, self.next.flatten(), moved)

    def expect(self, values: Tensor, at: Tensor) -> Tensor:
        """E[values[..., S'] | s, a]: [..., S, A]."""
        return (values[..., self.next] * at).sum(-1)


def transitions(
    game: FiniteMFG, device: str | torch.device = "cpu", law: TorchLaw | None = None
) -> FixedTransitions | MovingTransitions | None:
    """Those of the game on a device, by `law` where it is given; None where they move and torch has no law of them."""
    successors, prob = game.kernel.rows(0, game.initial)
    if not game.kernel.fixed:
        law = law or known_law(game, device)
        return None if law is None else MovingTransitions(torch.as_tensor(successors, device=device), law)
    S, A = game.num_states, game.num_actions
    P = np.zeros((S * A, S))
    np.add.at(P, (np.arange(S * A)[:, None], successors.reshape(S * A, -1)), prob.reshape(S * A, -1))
    return FixedTransitions(torch.as_tensor(P, device=device))


def known_law(game: FiniteMFG, device: str | torch.device) -> TorchLaw | None:
    """The law of a game that ships, or of one on a graphon; None for any other."""
    if isinstance(game, GraphonMFG):
        plain, W = known_law(game.plain, device), torch.as_tensor(game.W, device=device)
        return None if plain is None else lambda t, mu: plain(t, fields(W, mu, 1)).flatten(-4, -3)
    loop = None if game.loops is None else game.loops.law
    if game.loops is None or loop not in LAWS:
        return None
    law, params = LAWS[loop], on_device(game.loops.params, device)
    return lambda t, mu: law(t, mu, params)


def on_device(params: tuple[Any, ...], device: str | torch.device) -> Params:
    """A loop's numbers, arrays as tensors."""
    return tuple(torch.as_tensor(p, device=device) if isinstance(p, np.ndarray) else p for p in params)


def fields(W: Tensor, x: Tensor, size: int) -> Tensor:
    """z[..., M, S, ...] of x[..., M S, ...] with `size` axes from the states on; z_u = sum_v W(u, v) x_v."""
    places = x.ndim - size
    apart = x.reshape(*x.shape[:places], len(W), -1, *x.shape[places + 1 :])
    found: Tensor = W @ apart.flatten(-size)
    return found.reshape(apart.shape)
