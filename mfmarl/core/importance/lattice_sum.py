"""Exact log-probabilities of sums of independent actions, relatively accurate however small.

Three ways, each for what the one before cannot certify: Fourier inversion under one tilt for a whole population and
all its leave-one-out sums; the same under a tilt for that one sum; adding agent after agent in log space.
"""

from __future__ import annotations

import torch
from torch import Tensor

from mfmarl.core.importance.convolution import log_masses
from mfmarl.core.importance.inversion import point_masses
from mfmarl.core.importance.tilt import tilted

_CHUNK = 1 << 22
"""Numbers of a chunk of gathered rows."""


def leave_one_out_log_masses(log_probs: Tensor, action: Tensor, tolerance: float) -> Tensor:
    """log P(sum of all but agent j = sum of all their actions) for every j: [M, N, A] x [M, N] -> [M, N].

    `tolerance` bounds the relative error of the probability, that is the absolute one of its logarithm.
    """
    steps, agents, _ = log_probs.shape
    total = action.sum(-1)
    state = tilted(log_probs, total)
    mass, error = point_masses(state, action, True, accuracy=tolerance * 1e-5)
    # exp(sum_i K_i - t s) without agent j
    scale = state.normaliser.sum(-1, keepdim=True) - state.normaliser
    log_mass = mass.clamp_min(1e-300).log() + scale - state.tilt.unsqueeze(-1) * (total.unsqueeze(-1) - action)
    doubtful = (mass * tolerance < error.unsqueeze(-1)).nonzero()
    size = max(1, _CHUNK // (agents * log_probs.shape[-1]))
    for part in doubtful.split(size):
        step, agent = part.unbind(-1)
        rows, played = log_probs[step], action[step]
        at = torch.arange(step.numel(), device=step.device)
        # the agent that is left out surely plays 0
        rows[at, agent] = -torch.inf
        rows[at, agent, 0] = 0.0
        played[at, agent] = 0
        log_mass[step, agent] = sum_log_masses(rows, played, tolerance)
    return log_mass


def sum_log_masses(log_probs: Tensor, action: Tensor, tolerance: float) -> Tensor:
    """log P(sum of n actions = sum of `action`) for each row: [R, n, A] x [R, n] -> [R]; -inf where impossible."""
    total = action.sum(-1)
    index = torch.arange(log_probs.shape[-1], device=action.device)
    allowed = ~torch.isneginf(log_probs)
    least = torch.where(allowed, index, index[-1]).amin(-1).sum(-1)
    most = torch.where(allowed, index, 0).amax(-1).sum(-1)
    log_mass = log_probs.new_full(total.shape, -torch.inf)
    rows = ((total >= least) & (total <= most)).nonzero().squeeze(-1)
    if rows.numel() == 0:
        return log_mass
    state = tilted(log_probs[rows], total[rows])
    mass, error = point_masses(state, action[rows], False, accuracy=tolerance * 1e-5)
    found = mass.clamp_min(1e-300).log() + state.normaliser.sum(-1) - state.tilt * total[rows]
    doubtful = (mass * tolerance < error).nonzero().squeeze(-1)
    found[doubtful] = log_masses(log_probs[rows[doubtful]], total[rows[doubtful]])
    log_mass[rows] = found
    return log_mass
