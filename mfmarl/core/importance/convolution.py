"""The law of a sum of independent integers at one point by adding agent after agent.

All terms are positive, so results have full relative accuracy: what the Fourier inversion cannot certify is decided
here. `leave_one_out_masses` does it for a whole population at once, down to what a float64 can hold; `log_masses` for
single sums, in log space without any limit.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad

_CHUNK = 1 << 22
"""Numbers of a chunk of rows."""
UNDERFLOW = 1e-280
"""Masses below it may miss terms that float64 cannot hold."""


def leave_one_out_masses(law: Tensor, action: Tensor) -> Tensor:
    """P(sum of all but agent j = sum of all their actions) for every j, from prefixes and suffixes.

    Args:
        law: [R, n, A], probabilities; tilted ones, so that the masses are no tails.
        action: integer [R, n]
    """
    if law.shape[0] == 0:
        return law.new_empty(action.shape)
    agents, actions = law.shape[1:]
    size = max(1, _CHUNK // (agents * (agents * (actions - 1) + 1)))
    parts = zip(torch.split(law, size), torch.split(action, size), strict=True)
    return torch.cat([_leave_one_out(*part) for part in parts])


def _leave_one_out(law: Tensor, action: Tensor) -> Tensor:
    agents, actions = law.shape[1:]
    total = action.sum(-1)
    # no partial sum above the total can come back to it
    width = int(total.max()) + 1
    before = [_unit(law, torch.zeros_like(total), width)]
    for i in range(agents - 1):
        law_i, sums = law[:, i], before[-1]
        added = sums * law_i[:, :1]
        for a in range(1, min(actions, width)):
            added[:, a:].addcmul_(sums[:, :-a], law_i[:, a : a + 1])
        before.append(added)
    place = torch.arange(width, device=law.device)
    mass = torch.empty_like(law[..., 0])
    # rest[x]: probability that the agents from j + 1 on add what lacks from x to the total
    rest = _unit(law, total, width)
    for j in range(agents - 1, -1, -1):
        ahead = pad(rest, (0, actions)).gather(1, place + action[:, j : j + 1])
        mass[:, j] = (before[j] * ahead).sum(-1)
        law_j = law[:, j]
        added = rest * law_j[:, :1]
        for a in range(1, min(actions, width)):
            added[:, :-a].addcmul_(rest[:, a:], law_j[:, a : a + 1])
        rest = added
    return mass


def _unit(law: Tensor, at: Tensor, width: int) -> Tensor:
    return law.new_zeros(law.shape[0], width).scatter_(1, at.unsqueeze(1), 1.0)


def log_masses(log_probs: Tensor, total: Tensor) -> Tensor:
    """log P(a_1 + ... + a_n = total): laws exp(log_probs) [R, n, A], integers `total` [R]; -inf where impossible."""
    if total.numel() == 0:
        return log_probs.new_empty(0)
    size = max(1, _CHUNK // ((log_probs.shape[1] * (log_probs.shape[2] - 1) + 1) * log_probs.shape[2]))
    parts = [_log_masses(*part) for part in zip(torch.split(log_probs, size), torch.split(total, size), strict=True)]
    return torch.cat(parts)


def _log_masses(log_probs: Tensor, total: Tensor) -> Tensor:
    rows, agents, actions = log_probs.shape
    width = min(agents * (actions - 1), max(0, int(total.max()))) + 1
    law = log_probs.new_full((rows, width), -torch.inf)
    law[:, 0] = 0.0
    for i in range(agents):
        # window x of width A, reversed: column a holds the law at x - a
        windows = pad(law, (actions - 1, 0), value=-torch.inf).unfold(1, actions, 1).flip(-1)
        law = torch.logsumexp(windows + log_probs[:, i].unsqueeze(1), -1)
    inside = (total >= 0) & (total < width)
    found = law.gather(1, total.clamp(0, width - 1).unsqueeze(1)).squeeze(1)
    return found.masked_fill(~inside, -torch.inf)
