"""Estimator `marginal`: the ratio of the exact laws of the sum of the neighbours' actions."""

from __future__ import annotations

import torch
from torch import Tensor

from mfmarl.core.importance.action_laws import check_laws
from mfmarl.core.importance.lattice_sum import leave_one_out_log_masses, sum_log_masses
from mfmarl.core.importance.leave_one_out import check_neighbours, sum_over_neighbours

_CHUNK = 1 << 22
"""Numbers of a chunk of populations or gathered neighbourhoods."""


def marginal_log_ratio(new: Tensor, old: Tensor, action: Tensor, neighbours: Tensor | None = None) -> Tensor:
    """log w_j = log P_new(S_j = s_j) - log P_old(S_j = s_j), S_j the sum of the action indices of j's neighbours.

    It is E[w_joint | s_j]: the same mean, never more variance (Rao-Blackwell). The sum lives on the quantity lattice
    0..(A-1)|N(j)|, its law is Poisson-multinomial; both probabilities have a relative accuracy of 1e-9 for float64
    inputs and 1e-7 for float32, however far in the tails they are.

    Args:
        new: [M, N, A], current log-probabilities of all actions on the stored observations.
        old: [M, N, A], log-probabilities of the policies that played.
        action: integer [M, N], what was played.
        neighbours: boolean [N, N] with a false diagonal, or None for everyone else.

    Returns:
        [M, N]. Exactly 0 where no neighbour's law has changed, -inf where the sum is impossible now.

    Raises:
        ValueError: where a law does not sum to 1, or the old laws give a sum that was played probability 0.
    """
    check_laws(new, old, action)
    check_neighbours(neighbours, new.shape[1])
    agents = new.shape[1]
    # in how many probabilities; equal laws have a ratio of exactly 1, and computed it would be so to the last digits
    changed = (new != old).to(new.dtype) @ new.new_ones(new.shape[-1])
    affected = sum_over_neighbours(changed, neighbours) > 0.5
    if not bool(affected.any()):
        return torch.zeros_like(new[..., 0])
    log_ratio = torch.zeros_like(affected, dtype=torch.float64)
    # where masses are computed: in whole steps, or for single agents in them
    place: Tensor | slice
    if neighbours is None or int(neighbours.sum()) == agents * (agents - 1):
        place = affected.any(-1)
        if bool(place.all()):
            place = slice(None)
        now, then = (_of_everyone_else(law[place], action[place].long()) for law in (new, old))
    else:
        place = affected
        now, then = (_of_neighbourhoods(law, action.long(), place.nonzero(), neighbours) for law in (new, old))
    impossible = torch.zeros_like(affected)
    impossible[place] = torch.isneginf(then)
    impossible &= affected
    if bool(impossible.any()):
        step, agent = impossible.nonzero()[0].tolist()
        raise ValueError(
            f"the old laws give probability 0 to the sum of actions that the neighbours of agent {agent} played in "
            f"step {step}; old must hold the log-probabilities of the policies that played"
        )
    log_ratio[place] = now - then
    return torch.where(affected, log_ratio, 0.0).to(new.dtype)


def _tolerance(law: Tensor) -> float:
    return 1e-9 if law.dtype == torch.float64 else 1e-7


def _of_everyone_else(law: Tensor, action: Tensor) -> Tensor:
    """log P(S_j = s_j) of whole steps, [M, N]."""
    size = max(1, _CHUNK // law[0].numel())
    parts = zip(torch.split(law, size), torch.split(action, size), strict=True)
    return torch.cat([leave_one_out_log_masses(*part, _tolerance(law)) for part in parts])


def _of_neighbourhoods(law: Tensor, action: Tensor, places: Tensor, neighbours: Tensor) -> Tensor:
    """log P(S_j = s_j) at places (step, agent j) [P, 2]."""
    degree = int(neighbours.sum(-1).max())
    # each agent's neighbours first; its row is filled up with agents that surely play 0
    order = neighbours.to(torch.uint8).argsort(dim=-1, descending=True, stable=True)[:, :degree]
    filled = ~neighbours.gather(1, order)
    certain = torch.full_like(law[0, 0], -torch.inf, dtype=torch.float64)
    certain[0] = 0.0
    found = []
    for part in torch.split(places, max(1, _CHUNK // (degree * law.shape[-1]))):
        step, agent = part.unbind(-1)
        at = (step.unsqueeze(1), order[agent])
        rows = torch.where(filled[agent].unsqueeze(-1), certain, law[at].double())
        found.append(sum_log_masses(rows, action[at].masked_fill(filled[agent], 0), _tolerance(law)))
    return torch.cat(found)
