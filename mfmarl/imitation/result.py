"""What imitating gives: the policy, how it went, and what it cost."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import torch

from mfmarl.imitation.networks import Policy


@dataclass(frozen=True)
class Counts:
    """What was used up so far."""

    demonstrations: int = 0
    """Steps of the expert that were given."""
    interactions: int = 0
    """Steps played in the environment."""
    queries: int = 0
    """States that the expert was asked about while learning."""
    updates: int = 0
    """Gradient steps of the policy."""

    def plus(self, **more: int) -> Counts:
        """With these added."""
        return replace(self, **{name: getattr(self, name) + number for name, number in more.items()})


@dataclass(frozen=True)
class Result:
    """An imitator after training."""

    policy: Policy
    history: list[dict[str, Any]] = field(repr=False)
    """A row for each round: the counts by then, and the method's own figures."""
    counts: Counts = field(default_factory=Counts)


def generator(seed: int) -> torch.Generator:
    """Of random tensors on the processor."""
    return torch.Generator().manual_seed(seed)
