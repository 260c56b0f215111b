"""Mean actions: what an agent sees of the others' actions (Yang et al. 2018, eq. 5).

`M` population steps of `N` agents with `A` actions; actions are one-hot features, so a mean action is a point of the
simplex. Neighbours are everyone else (None), or the true entries of a boolean [N, N] with a false diagonal.
"""

from __future__ import annotations

import torch
from torch import Tensor


def action_counts(action: Tensor, num_actions: int) -> Tensor:
    """How many of the N agents play each action: integer [..., N] -> float32 [..., A]."""
    one_hot = torch.nn.functional.one_hot(action.long(), num_actions)
    return one_hot.sum(-2).to(torch.float32)


def mean_action(counts: Tensor, action: Tensor, neighbours: Tensor | None = None) -> Tensor:
    """Mean one-hot action of each agent's neighbours.

    Args:
        counts: [M, A], actions of the whole population (`action_counts`); unused with `neighbours`.
        action: integer [M, N], what each agent played.
        neighbours: boolean [N, N], row j holds j's neighbours, or None for everyone else.

    Returns:
        [M, N, A]; with everyone else, (counts - own one-hot) / (N - 1).
    """
    num_agents = action.shape[-1]
    num_actions = counts.shape[-1]
    index = action.long().unsqueeze(-1)
    if neighbours is None:
        if num_agents < 2:
            raise ValueError(f"a mean action needs at least 2 agents; got {num_agents}")
        others = counts.unsqueeze(-2).repeat_interleave(num_agents, -2)
        others.scatter_add_(-1, index, torch.full_like(index, -1, dtype=others.dtype))
        return others.div_(num_agents - 1)
    degree = neighbours.sum(-1)
    if bool((degree == 0).any()):
        raise ValueError(f"agent {int((degree == 0).nonzero()[0])} has no neighbour, so it has no mean action")
    one_hot = torch.nn.functional.one_hot(action.long(), num_actions).to(counts.dtype)
    return (neighbours.to(counts.dtype) @ one_hot) / degree.unsqueeze(-1)


def total_variation(p: Tensor, q: Tensor) -> Tensor:
    """Half the L1 distance of two laws over the last axis: [..., A] x [..., A] -> [...], in [0, 1]."""
    return 0.5 * (p - q).abs().sum(-1)
