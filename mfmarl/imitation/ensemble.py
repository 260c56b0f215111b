"""Several policies as one: they are trained alike from different first weights, and act by their mean."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mfmarl.core.laws import Categorical
from mfmarl.imitation.laws import Gaussian
from mfmarl.imitation.networks import Actor, Policy


class Ensemble(Policy):
    """A deep ensemble (Lakshminarayanan, Pritzel and Blundell 2017)."""

    def __init__(self, members: Sequence[Actor]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        self._actors = tuple(members)
        self.spaces = members[0].spaces

    def law(self, states: Tensor) -> Categorical | Gaussian:
        """The mean of the members' probabilities; of Gaussians, the one with the mixture's mean and variance."""
        laws = [member.law(states) for member in self._actors]
        gaussians = [law for law in laws if isinstance(law, Gaussian)]
        if gaussians:
            means = torch.stack([law.mean for law in gaussians])
            spreads = torch.stack([law.log_std.exp().expand_as(law.mean) for law in gaussians]).square()
            return Gaussian(means.mean(0), (spreads.mean(0) + means.var(0, correction=0)).sqrt().log())
        log_probs = torch.stack([law.log_probs for law in laws if isinstance(law, Categorical)])
        return Categorical(log_probs.logsumexp(0) - torch.tensor(len(laws)).log())
