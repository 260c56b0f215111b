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
    changed = (new != old).any(-1)
    # equal laws have a ratio of exactly 1; computed, it would be so only to the last digits
    affected = sum_over_neighbours(changed.double(), neighbours) > 0.5
    everyone = neighbours is None or int(neighbours.sum()) == agents * (agents - 1)
    places = affected.nonzero()
    if places.numel() == 0:
        return torch.zeros_like(new[..., 0])
    if everyone:
        steps = affected.any(-1).nonzero().squeeze(-1)
        places = torch.stack([steps.repeat_interleave(agents), torch.arange(agents).to(steps).repeat(steps.numel())], 1)
    now, then = (_log_masses(law, action.long(), places, None if everyone else neighbours) for law in (new, old))
    impossible = torch.isneginf(then) & affected[places[:, 0], places[:, 1]]
    if bool(impossible.any()):
        step, agent = places[impossible][0].tolist()
        raise ValueError(
            f"the old laws give probability 0 to the sum of actions that the neighbours of agent {agent} played in "
            f"step {step}; old must hold the log-probabilities of the policies that played"
        )
    log_ratio = torch.zeros_like(affected, dtype=torch.float64)
    log_ratio[places[:, 0], places[:, 1]] = now - then
    return torch.where(affected, log_ratio, 0.0).to(new.dtype)


def _log_masses(law: Tensor, action: Tensor, places: Tensor, neighbours: Tensor | None) -> Tensor:
    """log P(S_j = s_j) at places (step, agent j) [P, 2]; without neighbours they are whole steps."""
    tolerance = 1e-9 if law.dtype == torch.float64 else 1e-7
    if neighbours is None:
        found = [
            leave_one_out_log_masses(law[steps].double(), action[steps], tolerance).flatten()
            for steps in torch.split(places[:: law.shape[1], 0], max(1, _CHUNK // law[0].numel()))
        ]
        return torch.cat(found)
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
        found.append(sum_log_masses(rows, action[at].masked_fill(filled[agent], 0), tolerance))
    return torch.cat(found)
