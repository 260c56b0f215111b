"""Laws of discrete actions as log-probabilities: what estimators demand of them, and their moments."""

from __future__ import annotations

import torch
from torch import Tensor

from mfmarl.core.importance.gaussian_loops import moments


def check_laws(new: Tensor, old: Tensor, action: Tensor) -> None:
    """Refuse what are not log-probabilities [M, N, A] of one dtype with actions [M, N] in 0..A-1."""
    if new.ndim != 3 or new.shape != old.shape or action.shape != new.shape[:2]:
        raise ValueError(
            f"new {tuple(new.shape)} and old {tuple(old.shape)} must both be [M, N, A], and action "
            f"{tuple(action.shape)} [M, N]"
        )
    if new.dtype != old.dtype or action.is_floating_point():
        raise ValueError(
            f"new ({new.dtype}) and old ({old.dtype}) must have one dtype, and action ({action.dtype}) an integer one"
        )
    for name, law in (("new", new), ("old", old)):
        total = law.exp() @ law.new_ones(law.shape[-1])
        wrong = ~((total - 1.0).abs() < 1e-3)
        if bool(wrong.any()):
            step, agent = wrong.nonzero()[0].tolist()
            raise ValueError(
                f"{name} must hold log-probabilities of all actions; exp of those of step {step}, agent {agent} sums "
                f"to {float(total[step, agent])}, not 1"
            )
    if action.numel() and not 0 <= int(action.min()) <= int(action.max()) < new.shape[-1]:
        raise ValueError(f"actions must be in 0..{new.shape[-1] - 1}; got {int(action.min())}..{int(action.max())}")


def action_moments(log_probs: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance of the action index under log-probabilities [..., A]: two tensors [...]."""
    if log_probs.device.type == "cpu" and log_probs.dtype == torch.float32:
        mean, variance = torch.empty(log_probs.shape[:-1]), torch.empty(log_probs.shape[:-1])
        rows = log_probs.detach().contiguous().view(-1, log_probs.shape[-1])
        moments(rows.numpy(), mean.view(-1).numpy(), variance.view(-1).numpy())
        return mean, variance
    index = torch.arange(log_probs.shape[-1], dtype=log_probs.dtype, device=log_probs.device)
    probs = log_probs.exp()
    mean = probs @ index
    # about the mean, since in float32 the difference of two large squares would be noise
    variance = (index - mean.unsqueeze(-1)).square_().mul_(probs).sum(-1)
    return mean, variance
