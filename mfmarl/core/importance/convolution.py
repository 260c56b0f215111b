"""The law of a sum of independent integers at one point by adding agent after agent, in log space.

All terms are positive, so every result has full relative accuracy, however small it is: what the Fourier inversion
cannot certify is decided here. It costs n^2 A^2 / 2 logarithms for a row.
"""

from __future__ import annotations

import torch
from torch import Tensor

_CHUNK = 1 << 22
"""Numbers of a chunk of rows."""


def log_masses(log_probs: Tensor, total: Tensor) -> Tensor:
    """log P(a_1 + ... + a_n = total) of laws exp(log_probs) [R, n, A] at integers `total` [R]; -inf where impossible."""
    size = max(1, _CHUNK // ((log_probs.shape[1] * (log_probs.shape[2] - 1) + 1) * log_probs.shape[2]))
    parts = [_log_masses(log_probs[i : i + size], total[i : i + size]) for i in range(0, total.numel(), size)]
    return torch.cat(parts) if parts else log_probs.new_empty(0)


def _log_masses(log_probs: Tensor, total: Tensor) -> Tensor:
    rows, agents, actions = log_probs.shape
    # no partial sum above the total can come back to it
    width = min(agents * (actions - 1), max(0, int(total.max()))) + 1
    law = log_probs.new_full((rows, width), -torch.inf)
    law[:, 0] = 0.0
    for i in range(agents):
        padded = torch.nn.functional.pad(law, (actions - 1, 0), value=-torch.inf)
        # column x of window a holds the law at x - a
        windows = padded.unfold(1, actions, 1).flip(-1)
        law = torch.logsumexp(windows + log_probs[:, i].unsqueeze(1), -1)
    inside = (total >= 0) & (total < width)
    found = law.gather(1, total.clamp(0, width - 1).unsqueeze(1)).squeeze(1)
    return found.masked_fill(~inside, -torch.inf)
