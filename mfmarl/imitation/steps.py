"""Steps as tensors: what learners of imitation are fed with, in any order."""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from mfmarl.imitation.demonstrations import Transitions
from mfmarl.imitation.rollout import Rollout


@dataclass(frozen=True)
class Steps:
    """n steps."""

    states: Tensor
    """[n, D]"""
    actions: Tensor
    """[n] or [n, A], as they were played: within their bounds."""
    next_states: Tensor
    """[n, D]"""
    terminated: Tensor
    """[n], bool: what followed is worth nothing more."""
    log_prob: Tensor | None = None
    """[n], of these actions under the policy that is told from the expert; None where it was not asked for."""
    joint: Tensor | None = None
    """[n, J], what others did meanwhile, which a central discriminator sees; None where there is none."""

    @classmethod
    def of(cls, steps: Transitions | Rollout) -> Steps:
        """Of recorded steps; a rollout's [T, B] are laid one after another, n = T B."""
        states, actions = torch.from_numpy(steps.states), torch.from_numpy(steps.actions)
        after, ended = torch.from_numpy(steps.next_states), torch.from_numpy(steps.terminated)
        if isinstance(steps, Rollout):
            states, actions, after, ended = (x.flatten(0, 1) for x in (states, actions, after, ended))
        return cls(states, actions, after, ended)

    def __len__(self) -> int:
        return len(self.states)

    def __getitem__(self, rows: Tensor | slice) -> Steps:
        """Those at `rows` [m]: indices, booleans [n], or a slice."""
        return Steps(**{name: x[rows] for name, x in self.tensors().items()})

    def tensors(self) -> dict[str, Tensor]:
        """By name; those that there are."""
        every = {f.name: getattr(self, f.name) for f in fields(Steps)}
        return {name: x for name, x in every.items() if x is not None}

    @property
    def known_log_prob(self) -> Tensor:
        """[n]

        Raises:
            ValueError: where it was not asked for; 0 in its place would say that the policy was sure of each action.
        """
        if self.log_prob is None:
            raise ValueError(f"{len(self)} steps have no log_prob; `PPO.with_log_prob(steps)` gives it")
        return self.log_prob

    def beside(self, other: Steps) -> Steps:
        """These, and then the other's; log-probabilities where both have them."""
        own, theirs = self.tensors(), other.tensors()
        return Steps(**{name: torch.cat([own[name], theirs[name]]) for name in own if name in theirs})
