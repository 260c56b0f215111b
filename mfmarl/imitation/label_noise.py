"""Noise on demonstrated actions, against learning them too exactly."""

from __future__ import annotations

import torch
from torch import Tensor

from mfmarl.imitation.spaces import Spaces


def noisy_labels(actions: Tensor, share: float, spaces: Spaces, generator: torch.Generator) -> Tensor:
    """Actions [n] or [n, A], of which a share is drawn from all actions alike."""
    if not share:
        return actions
    n = len(actions)
    wrong = torch.rand(n, generator=generator) < share
    if not spaces.continuous:
        return torch.where(wrong, torch.randint(spaces.action_dim, (n,), generator=generator), actions)
    low, high = torch.tensor(spaces.low), torch.tensor(spaces.high)
    drawn = low + (high - low) * torch.rand(actions.shape, generator=generator)
    return torch.where(wrong.unsqueeze(-1), drawn, actions)
