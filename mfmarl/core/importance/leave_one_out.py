"""Sums over an agent's neighbours, the agent itself left out."""

from __future__ import annotations

import torch
from torch import Tensor


def check_neighbours(neighbours: Tensor | None, num_agents: int) -> None:
    """Refuse a neighbourhood that is not [N, N], or in which an agent is its own neighbour."""
    if neighbours is None:
        return
    if neighbours.shape != (num_agents, num_agents):
        raise ValueError(f"neighbours {tuple(neighbours.shape)} must be [N, N] with N = {num_agents}")
    own = neighbours.diagonal()
    if bool(own.any()):
        raise ValueError(f"agent {int(own.nonzero()[0])} is its own neighbour; the diagonal must be false")


def sum_over_neighbours(x: Tensor, neighbours: Tensor | None = None) -> Tensor:
    """y_j = sum of x_k over the neighbours k of j: [M, N, ...] -> [M, N, ...], of the dtype of x.

    With everyone else (None) the sum is the total less the own term, in double precision: the total over 10^4 agents
    less one of them would lose that one in float32.
    """
    if neighbours is None:
        wide = x.double()
        return (wide.sum(1, keepdim=True) - wide).to(x.dtype)
    weight = neighbours.to(x.dtype)
    return (weight @ x.flatten(2)).view(x.shape) if x.ndim > 2 else x @ weight.T


def num_neighbours(num_agents: int, neighbours: Tensor | None = None) -> Tensor | int:
    """|N(j)|: N - 1 for everyone else, or float64 [N]."""
    return num_agents - 1 if neighbours is None else neighbours.sum(-1).double()


def sum_log_ratios(ratio: Tensor, neighbours: Tensor | None = None) -> Tensor:
    """`sum_over_neighbours` of log ratios [M, N], of which some may be -inf: a sum is -inf where one of its terms is.

    Raises:
        ValueError: for nan and +inf, which an action of old probability 0 gives; names step and agent.
    """
    impossible = ratio == -torch.inf
    if not bool(torch.isfinite(ratio).logical_or_(impossible).all()):
        step, agent = (~(torch.isfinite(ratio) | impossible)).nonzero()[0].tolist()
        raise ValueError(
            f"the log ratio of the action of step {step}, agent {agent} is {float(ratio[step, agent])}: "
            "log-probabilities must be finite where an action was played, and may be -inf only under the new policy"
        )
    if not bool(impossible.any()):
        return sum_over_neighbours(ratio, neighbours)
    total = sum_over_neighbours(ratio.masked_fill(impossible, 0.0), neighbours)
    return total.masked_fill(sum_over_neighbours(impossible.to(ratio.dtype), neighbours) > 0.5, -torch.inf)
