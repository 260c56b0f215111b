"""The flow of a policy as tensors, with gradients through any game's kernel: exact where torch knows its law."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from envs.mean_field.game import FiniteMFG
from envs.mean_field.kernel import Array, Kernel
from mfmarl.solvers.torch_kernel import FixedTransitions, MovingTransitions, transitions

PROBE = 1e-5
"""By how much a population is moved to find the slope of a law in it; exact but for rounding where it is quadratic."""


class _Push(torch.autograd.Function):
    """`kernel.push(t, x, mu)` with its derivatives in the occupancy x and in the population mu that the law sees.

    In x it is the kernel's other half, `expect`. The law is a NumPy function, so in mu it is taken by central
    differences along each of the S states; they leave the simplex by PROBE. At the kink of a law (min, max) it is the
    mean of both sides.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, mu: Tensor, kernel: Kernel, t: int) -> Tensor:
        """Where occupancy x[..., S, A] goes when the population is mu[..., S]: [..., S]."""
        ctx.save_for_backward(x, mu)
        ctx.kernel, ctx.t = kernel, t
        return torch.from_numpy(kernel.push(t, x.detach().numpy(), mu.detach().numpy()))

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        """Slopes in x[..., S, A] and mu[..., S] from those in what came out."""
        x, mu = (tensor.numpy() for tensor in ctx.saved_tensors)
        slope = slopes[0].numpy()
        to_x = torch.from_numpy(np.ascontiguousarray(ctx.kernel.expect(ctx.t, slope, mu)))
        if ctx.kernel.fixed or not ctx.needs_input_grad[1]:
            return to_x, None, None, None
        moves = PROBE * np.eye(mu.shape[-1]).reshape(-1, *[1] * (mu.ndim - 1), mu.shape[-1])
        weights = [(x * ctx.kernel.expect(ctx.t, slope, mu + sign * moves)).sum((-2, -1)) for sign in (1, -1)]
        to_mu = np.moveaxis((weights[0] - weights[1]) / (2 * PROBE), 0, -1)
        return to_x, torch.from_numpy(np.ascontiguousarray(to_mu)), None, None


def occupancies(game: FiniteMFG, pi: Tensor, frozen: Array | None = None) -> Tensor:
    """x[..., T, S, A] of agents who play pi[..., T, S, A], float64, differentiable in pi.

    They live in their own population, or, where it is given, in one of flow frozen[..., T+1, S]. Slopes of a law that
    torch does not know are central differences.
    """
    mu = torch.from_numpy(game.initial).expand(*pi.shape[:-3], game.num_states)
    moves = None if game.kernel.fixed else transitions(game)
    found = []
    for t in range(game.horizon):
        x = mu[..., None] * pi[..., t, :, :]
        found.append(x)
        if t < game.horizon - 1:
            seen = mu if frozen is None else torch.from_numpy(np.ascontiguousarray(frozen[..., t, :]))
            mu = _pushed(game.kernel, moves, t, x, seen)
    return torch.stack(found, -3)


def _pushed(
    kernel: Kernel, moves: FixedTransitions | MovingTransitions | None, t: int, x: Tensor, seen: Tensor
) -> Tensor:
    if moves is not None:
        return moves.push(x, moves.at(t, seen))
    found: Tensor = _Push.apply(x, seen, kernel, t)  # type: ignore[no-untyped-call]
    return found
