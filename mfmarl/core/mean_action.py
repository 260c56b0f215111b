"""Mean actions: what an agent sees of the others' actions (Yang et al. 2018, eq. 5).

`M` population steps of `N` agents of `K` types. An action has `P` features: its one-hot code (P = A), its place on the
scale of actions (P = 1; a continuous action is its own), or none for independent learners. The mean action averages
them over an agent's neighbours: everyone else, or the true entries of a boolean [N, N]; over all of them, or over
those of each type apart, which gives `F = K P` entries.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

Kind = Literal["one_hot", "scalar", "none"]


@dataclass(frozen=True)
class MeanField:
    """How a population's actions are summed up for each agent."""

    kind: Kind
    num_actions: int | None
    """A, or None where actions are numbers in [0, 1]."""
    agents: int
    types: tuple[slice, ...] | None = None
    """The agents of each type, for one mean action a type; None for one over all."""
    neighbours: Tensor | None = None
    """Boolean [N, N], row j holds j's neighbours, its diagonal false; None for everyone else."""

    def __post_init__(self) -> None:
        if self.agents < 2 and self.kind != "none":
            raise ValueError(f"a mean action needs at least 2 agents; got {self.agents}")
        if self.kind == "one_hot" and self.num_actions is None:
            raise ValueError("continuous actions have no one-hot code: their mean action is `scalar`")
        if self.neighbours is None:
            return
        if self.neighbours.shape != (self.agents, self.agents):
            raise ValueError(f"neighbours {tuple(self.neighbours.shape)} must be [N, N] with N = {self.agents}")
        degree = self.neighbours.sum(-1)
        if bool((degree == 0).any()):
            raise ValueError(f"agent {int((degree == 0).nonzero()[0])} has no neighbour, so it has no mean action")

    def to(self, device: torch.device) -> MeanField:
        """The same with its tensors on `device`."""
        return self if self.neighbours is None else replace(self, neighbours=self.neighbours.to(device))

    @property
    def features(self) -> int:
        """P, entries of one action."""
        if self.kind == "one_hot":
            assert self.num_actions is not None
            return self.num_actions
        return int(self.kind == "scalar")

    @property
    def width(self) -> int:
        """F, entries of one agent's mean action."""
        return self.features * (1 if self.types is None else len(self.types))

    def of(self, action: Tensor) -> Tensor:
        """Mean actions of what was played: [M, N] -> [M, N, F]."""
        if self.kind == "one_hot" and self.neighbours is None and self.types is None:
            return self._everyone_else(action)
        return self._averaged(self._features(action))

    def expected(self, probs: Tensor) -> Tensor:
        """Mean actions to be expected when every agent draws from its law: [M, N, A] -> [M, N, F]."""
        if self.kind == "none":
            return probs.new_zeros((*probs.shape[:-1], 0))
        if self.kind == "one_hot":
            return self._averaged(probs)
        return self._averaged((probs @ self.scale(probs)).unsqueeze(-1))

    def scale(self, like: Tensor) -> Tensor:
        """[A]: place of each action on the scale, from 0 to 1; type and device of `like`."""
        assert self.num_actions is not None
        steps = max(1, self.num_actions - 1)
        return torch.arange(self.num_actions, dtype=like.dtype, device=like.device) / steps

    def shown(self, mean_action: Tensor, last_action: Tensor | None = None, started: Tensor | None = None) -> Tensor:
        """What agents observe [R, N, F], from the environment's mean action of the step before.

        Args:
            mean_action: [R, N, A] one-hot means (the values themselves for continuous actions).
            last_action: [R, N] of the step before, which mean actions by type are computed from.
            started: boolean [R]: there was no step before.
        """
        if self.kind == "none":
            return mean_action[..., :0]
        if self.types is not None:
            if last_action is None or started is None:
                raise ValueError("mean actions by type are computed from the actions of the step before: give both")
            seen = self.of(last_action)
            seen[started] = 0.0
            return seen
        if self.kind == "scalar" and self.num_actions is not None:
            return (mean_action @ self.scale(mean_action)).unsqueeze(-1)
        return mean_action

    def _features(self, action: Tensor) -> Tensor:
        if self.kind == "none":
            return torch.zeros((*action.shape, 0), device=action.device)
        if self.num_actions is None:
            return action.unsqueeze(-1)
        if self.kind == "one_hot":
            return torch.nn.functional.one_hot(action.long(), self.num_actions).float()
        return (action.float() / max(1, self.num_actions - 1)).unsqueeze(-1)

    def _everyone_else(self, action: Tensor) -> Tensor:
        """(counts - own one-hot) / (N - 1), without an [M, N, A] product."""
        assert self.num_actions is not None
        index = action.long()
        counts = torch.zeros((index.shape[0], self.num_actions), device=action.device)
        counts.scatter_add_(1, index, torch.ones(index.shape, device=action.device))
        others = counts.unsqueeze(1).repeat_interleave(self.agents, 1)
        others.scatter_add_(-1, index.unsqueeze(-1), torch.full((*index.shape, 1), -1.0, device=action.device))
        return others.div_(self.agents - 1)

    def _averaged(self, features: Tensor) -> Tensor:
        """Means over neighbours of features [M, N, P] -> [M, N, F]; 0 for a type of which there is no neighbour."""
        groups: Sequence[slice] = (slice(0, self.agents),) if self.types is None else self.types
        means = []
        for group in groups:
            if self.neighbours is None:
                number = torch.full((self.agents, 1), float(group.stop - group.start), device=features.device)
                number[group] -= 1.0
                others = features[:, group].sum(1, keepdim=True).repeat(1, self.agents, 1)
                others[:, group] -= features[:, group]
            else:
                edges = self.neighbours[:, group].to(features.dtype)
                number = edges.sum(-1, keepdim=True)
                others = edges @ features[:, group]
            means.append(others / number.clamp_min(1.0).to(features.dtype))
        return means[0] if len(means) == 1 else torch.cat(means, -1)


def total_variation(p: Tensor, q: Tensor) -> Tensor:
    """Half the L1 distance of two laws over the last axis: [..., A] x [..., A] -> [...], in [0, 1]."""
    return 0.5 * (p - q).abs().sum(-1)
