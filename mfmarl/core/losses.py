"""Losses. Every weighted loss goes through `weighted_mean`: doubling a weight equals duplicating the sample."""

from __future__ import annotations

import torch
from torch import Tensor


def weighted_mean(loss: Tensor, weight: Tensor, count: int | None = None) -> Tensor:
    """sum(weight * loss) / sum(weight), or / count where the number of samples is the base measure.

    With `count` it is the plain importance-sampling estimate of a mean over `count` draws, without it the
    self-normalised one.
    """
    if loss.shape != weight.shape:
        raise ValueError(f"loss {tuple(loss.shape)} and weight {tuple(weight.shape)} must have one shape")
    total = (weight * loss).sum()
    return total / (weight.sum() if count is None else count)


def td_loss(error: Tensor, huber: bool) -> Tensor:
    """Element by element: error^2 / 2, or Huber's with threshold 1 (the same up to |error| = 1, linear beyond)."""
    if not huber:
        return 0.5 * error.square()
    return torch.nn.functional.huber_loss(error, torch.zeros_like(error), reduction="none", delta=1.0)
