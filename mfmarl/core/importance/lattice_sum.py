"""Exact log-probabilities of sums of independent actions, relatively accurate however small.

Three ways, each for what the one before cannot certify: Fourier inversion of the tilted laws; adding agent after
agent under the same tilt; adding them in log space.
"""

from __future__ import annotations

import torch
from torch import Tensor

from mfmarl.core.importance.convolution import UNDERFLOW, leave_one_out_masses, log_masses
from mfmarl.core.importance.inversion import point_masses
from mfmarl.core.importance.tilt import tilted

_CHUNK = 1 << 22
"""Numbers of a chunk of gathered rows."""


def leave_one_out_log_masses(log_probs: Tensor, action: Tensor, tolerance: float) -> Tensor:
    """log P(sum of all but agent j = sum of all their actions) for every j: [M, N, A] x [M, N] -> [M, N].

    `tolerance` bounds the relative error of the probability, that is the absolute one of its logarithm. -inf where
    the sum is impossible.
    """
    total = action.sum(-1)
    state = tilted(log_probs, total)
    mass, error = point_masses(state, action, True, accuracy=tolerance * 1e-5)
    doubtful = ~(mass * tolerance >= error.unsqueeze(-1))
    rows = doubtful.any(-1).nonzero().squeeze(-1)
    if rows.numel():
        mass[rows] = leave_one_out_masses(state.law[rows], action[rows])
    # exp(sum_i K_i - t s) without agent j
    scale = state.normaliser.sum(-1, keepdim=True) - state.normaliser
    log_mass = mass.clamp_min(1e-300).log() + scale - state.tilt.unsqueeze(-1) * (total.unsqueeze(-1) - action)
    tiny = (doubtful & (mass < UNDERFLOW)).nonzero()
    for part in torch.split(tiny, max(1, _CHUNK // log_probs[0].numel())):
        step, agent = part.unbind(-1)
        others = log_probs[step].double()
        at = torch.arange(step.numel(), device=step.device)
        # the agent that is left out surely plays 0
        others[at, agent] = -torch.inf
        others[at, agent, 0] = 0.0
        log_mass[step, agent] = log_masses(others, total[step] - action[step, agent])
    return log_mass


def sum_log_masses(log_probs: Tensor, action: Tensor, tolerance: float) -> Tensor:
    """log P(sum of n actions = sum of `action`) for each row: [R, n, A] x [R, n] -> [R]; -inf where impossible."""
    total = action.sum(-1)
    state = tilted(log_probs, total)
    mass, error = point_masses(state, action, False, accuracy=tolerance * 1e-5)
    log_mass = mass.clamp_min(1e-300).log() + state.normaliser.sum(-1) - state.tilt * total
    rows = (~(mass * tolerance >= error)).nonzero().squeeze(-1)
    log_mass[rows] = log_masses(log_probs[rows], total[rows])
    return log_mass
