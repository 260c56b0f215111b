"""Adam (Kingma and Ba 2015) for one vector of parameters, in one compiled loop on the processor."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch

from envs.compiled import compiled
from mfmarl.core.tiles import Array


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
        mean[i] += new * (g - mean[i])
        square[i] = keep * square[i] + kept * g * g
        x[i] -= by * mean[i] / (np.sqrt(square[i]) / divisor + floor)


class VectorAdam(torch.optim.Adam):
    """`torch.optim.Adam` of one vector, with the same state; elsewhere than on the processor it is that itself.

    For some ten thousand parameters PyTorch's own step spends nine tenths of its time on its way to the arithmetic.
    """

    def __init__(self, vector: torch.nn.Parameter, learning_rate: float) -> None:
        super().__init__([vector], lr=learning_rate, fused=True)

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """One step along `vector.grad`."""
        group = self.param_groups[0]
        vector = group["params"][0]
        if vector.device.type != "cpu" or closure is not None:
            return super().step(closure)
        state = self.state[vector]
        if not state:
            state["step"] = torch.tensor(0.0)
            state["exp_avg"], state["exp_avg_sq"] = torch.zeros_like(vector), torch.zeros_like(vector)
        state["step"] += 1
        steps, (first, second) = float(state["step"]), group["betas"]
        _move(
            vector.detach().numpy(), vector.grad.numpy(), state["exp_avg"].numpy(), state["exp_avg_sq"].numpy(),
            group["lr"] / (1 - first**steps), (first, second), math.sqrt(1 - second**steps), group["eps"],
        )  # fmt: skip
        return None
