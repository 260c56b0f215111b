"""Gradients against central differences in float64, and a weight of two against a sample that is there twice."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

STEP = 2e-6
TOLERANCE = 1e-6


def randomise(parameters: Sequence[Tensor], scale: float = 0.6, seed: int = 0) -> None:
    """Numbers of a size at which every unit and every action counts."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in parameters:
            p.copy_(scale * torch.randn(p.shape, generator=generator, dtype=p.dtype))


def assert_gradient(loss: Callable[[], Tensor], parameters: Sequence[Tensor], seed: int = 0) -> None:
    """The slope of `loss` along a random direction of all parameters, and of each alone, to a relative 1e-6.

    A kink within STEP of where the loss is taken would show as an error of its whole slope.
    """
    generator = torch.Generator().manual_seed(seed)
    gradients = torch.autograd.grad(loss(), parameters)
    every = [torch.randn(p.shape, generator=generator, dtype=p.dtype) for p in parameters]
    for alone in (None, *range(len(parameters))):
        moved = [(p, d, g) for i, (p, d, g) in enumerate(zip(parameters, every, gradients, strict=True))
                 if alone is None or i == alone]  # fmt: skip
        slope = sum(float((d * g).sum()) for _, d, g in moved)
        values = []
        with torch.no_grad():
            for step in (STEP, -2 * STEP):
                for p, d, _ in moved:
                    p.add_(d, alpha=step)
                values.append(loss().item())
            for p, d, _ in moved:
                p.add_(d, alpha=STEP)
        difference = (values[0] - values[1]) / (2 * STEP)
        assert abs(difference) > 5e-5, f"parameter {alone} moves nothing, so its slope tells nothing"
        assert abs(slope - difference) < TOLERANCE * abs(difference), f"parameter {alone}: {slope} is not {difference}"


def assert_same_loss(
    first: Callable[[], Tensor], second: Callable[[], Tensor], parameters: Sequence[Tensor], scale: float = 1.0
) -> None:
    """Value and gradient of `first` are `scale` times those of `second`, to a relative 1e-12."""
    values, slopes = [], []
    for loss, factor in ((first, 1.0), (second, scale)):
        value = factor * loss()
        values.append(float(value.detach()))
        slopes.append(torch.cat([g.flatten() for g in torch.autograd.grad(value, parameters)]))
    assert abs(values[0] - values[1]) <= 1e-12 * abs(values[1])
    assert float((slopes[0] - slopes[1]).norm()) <= 1e-12 * float(slopes[1].norm())
    assert float(slopes[1].norm()) > 1e-4
