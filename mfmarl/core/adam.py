"""Adam (Kingma and Ba 2015) for one vector of parameters, in one compiled loop on the processor."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from envs.compiled import compiled
from mfmarl.core.tiles import Array

TINY = np.float32(1e-30)


@compiled
def _move(
    x: Array, gradient: Array, mean: Array, square: Array, rate: float, decays: tuple[float, float], scale: float,
    small: float,
) -> None:  # fmt: skip
    """One step; `rate` and `scale` hold the corrections for the averages' start at zero."""
    by, keep, kept = np.float32(rate), np.float32(decays[1]), np.float32(1.0 - decays[1])
    new, divisor, floor = np.float32(1.0 - decays[0]), np.float32(scale), np.float32(small)
    for i in range(x.size):
        g = gradient[i]
        moved = mean[i] + new * (g - mean[i])
        # averages of gradients that stay zero would end among the numbers that processors are a hundred times slower on
        mean[i] = moved if abs(moved) > TINY else np.float32(0)
        square[i] = keep * square[i] + kept * g * g
        x[i] -= by * mean[i] / (np.sqrt(square[i]) / divisor + floor)


class VectorAdam(torch.optim.Adam):
    """`torch.optim.Adam` of one vector, with the same state, and `move` in place of `step`.

    For some ten thousand parameters PyTorch spends nine tenths of a step on its way to the arithmetic.
    """

    def __init__(self, vector: torch.nn.Parameter, learning_rate: float) -> None:
        super().__init__([vector], lr=learning_rate, fused=True)

    def move(self, gradient: Tensor) -> None:
        """One step along a gradient of the vector: a compiled loop on the processor, elsewhere PyTorch's own."""
        group = self.param_groups[0]
        vector = group["params"][0]
        if vector.device.type != "cpu":
            vector.grad = gradient
            self.step()
            return
        x = vector.detach()
        state = self.state[vector]
        if not state:
            state["step"] = torch.tensor(0.0)
            state["exp_avg"], state["exp_avg_sq"] = torch.zeros_like(x), torch.zeros_like(x)
        state["step"] += 1
        steps, (first, second) = float(state["step"]), group["betas"]
        _move(
            x.numpy(), gradient.numpy(), state["exp_avg"].numpy(), state["exp_avg_sq"].numpy(),
            group["lr"] / (1 - first**steps), (first, second), math.sqrt(1 - second**steps), group["eps"],
        )  # fmt: skip
