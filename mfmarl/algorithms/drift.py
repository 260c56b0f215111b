"""The correction of method `is`: weights of stored population steps for the drift of the others' policies."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from mfmarl.core.importance import drift_weights, joint_log_ratio
from mfmarl.core.importance_config import ImportanceConfig
from mfmarl.core.laws import Categorical
from mfmarl.core.mean_action import MeanField
from mfmarl.network import PolicyNetwork
from mfmarl.replay import PopulationSample


@dataclass(frozen=True)
class Stored:
    """Actions as they were played: what agents saw, and by which policies they acted."""

    obs: Tensor
    """[M, N, D]"""
    seen: Tensor
    """[M, N, F]: the mean action that agents observed."""
    action: Tensor
    """int64 [M, N]"""
    log_prob: Tensor
    """[M, N]"""
    version: Tensor
    """int64 [M]"""
    probs: Tensor | None
    """[M, N, A], where runners send them."""
    ended: Tensor | None = None
    """bool [M]: nothing was played there, and the weight is 1."""

    @classmethod
    def here(cls, sample: PopulationSample, observed: Tensor) -> Stored:
        """The sample's own actions."""
        s = sample
        return cls(s.obs, observed, s.action, s.log_prob, s.version, s.probs)

    @classmethod
    def following(cls, sample: PopulationSample, played: Tensor) -> Stored:
        """The actions of the step after, where agents observe what is `played` now."""
        s = sample
        return cls(s.next_obs, played, s.next_action, s.next_log_prob, s.next_version, s.next_probs, s.ended)


class DriftCorrection:
    """Ratios by the configured estimator, and the weights made of them."""

    def __init__(self, config: ImportanceConfig, mean_field: MeanField) -> None:
        self.config = config
        self.neighbours = mean_field.neighbours

    def weights(self, law: Categorical, stored: Stored, policy: PolicyNetwork) -> tuple[Tensor, dict[str, float]]:
        """Weights [M, N] of stored actions under the current laws [M, N, A], with their diagnostics."""
        log_ratio = self._log_ratio(law, stored, policy)
        if stored.ended is not None:
            log_ratio = log_ratio.masked_fill(stored.ended.unsqueeze(-1), 0.0)
        found = drift_weights(log_ratio, self.config)
        return found.weight, {
            "weight_mean": found.mean,
            "weight_max": found.maximum,
            "ess": found.effective_share,
        }

    def _log_ratio(self, law: Categorical, stored: Stored, policy: PolicyNetwork) -> Tensor:
        # equal policies give equal probabilities up to the last bits of a matrix product, which depend on the batch
        same = (stored.version == policy.version).unsqueeze(-1)
        new = law.log_prob(stored.action)
        return joint_log_ratio(new, torch.where(same, new, stored.log_prob), self.neighbours)
