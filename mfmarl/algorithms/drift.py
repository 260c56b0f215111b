"""The correction of method `is`: weights of stored population steps for the drift of the others' policies."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mfmarl.algorithms.peers import Peers
from mfmarl.core.importance import (
    action_moments,
    drift_weights,
    gaussian_log_ratio,
    gaussian_log_ratio_one_hot,
    joint_log_ratio,
    marginal_log_ratio,
    mixture_log_ratio,
)
from mfmarl.core.importance_config import ImportanceConfig
from mfmarl.core.laws import ActionLaw, Categorical
from mfmarl.core.mean_action import MeanField
from mfmarl.core.squashed_gaussian import SquashedGaussian
from mfmarl.network import PolicyNetwork
from mfmarl.policy import load_tensors, module_arrays
from mfmarl.replay import PopulationReplay, PopulationSample

RESOLUTION = 0.01
"""Continuous actions, from 0 to 1: sums of them that lie nearer are not told apart, however narrow the laws."""


@dataclass(frozen=True)
class Stored:
    """Actions as they were played: what agents saw, and by which policies they acted."""

    obs: Tensor
    """[M, N, D]"""
    seen: Tensor
    """[M, N, F]: the mean action that agents observed."""
    action: Tensor
    """[M, N]"""
    log_prob: Tensor
    """[M, N]"""
    version: Tensor
    """int64 [M]"""
    log_probs: Tensor | None
    """[M, N, A]: of all actions, where runners send them; [M, N, 2], mean and log std of continuous laws."""
    ended: Tensor | None = None
    """bool [M]: nothing was played there, and the weight is 1."""

    @classmethod
    def here(cls, sample: PopulationSample, observed: Tensor) -> Stored:
        """The sample's own actions."""
        s = sample
        return cls(s.obs, observed, s.action, s.log_prob, s.version, s.log_probs)

    @classmethod
    def following(cls, sample: PopulationSample, played: Tensor) -> Stored:
        """The actions of the step after, where agents observe what is `played` now."""
        s = sample
        return cls(s.next_obs, played, s.next_action, s.next_log_prob, s.next_version, s.next_log_probs, s.ended)


class DriftCorrection:
    """Ratios by the configured estimator, and the weights made of them."""

    def __init__(self, config: ImportanceConfig, mean_field: MeanField, peers: Peers) -> None:
        self.config = config
        self.peers = peers
        self.neighbours = mean_field.neighbours
        self._past: dict[int, dict[str, NDArray[Any]]] = {}
        self._shares: dict[int, float] = {}

    def remember(self, policy: PolicyNetwork, replay: PopulationReplay) -> None:
        """Keep the policies whose steps the replay holds, or will hold; only the mixture needs them.

        To be called whenever fragments were stored: runners may be playing on with the policies of now, and of before.
        """
        if self.config.estimator != "mixture":
            return
        self._past[int(policy.version)] = module_arrays(policy)
        self._shares = replay.version_shares()
        self._past = {v: tensors for v, tensors in self._past.items() if v >= min(self._shares)}

    def weights(self, law: ActionLaw, stored: Stored, policy: PolicyNetwork) -> tuple[Tensor, dict[str, float]]:
        """Weights [M, N] of stored actions under the current laws of [M, N] actions, with their diagnostics."""
        log_ratio = self._log_ratio(law, stored, policy)
        if stored.ended is not None:
            log_ratio = log_ratio.masked_fill(stored.ended.unsqueeze(-1), 0.0)
        everywhere, mine = self.peers.gathered(log_ratio)
        found = drift_weights(everywhere, self.config)
        told = {"weight_mean": found.mean, "weight_max": found.maximum, "ess": found.effective_share}
        if found.k_hat is not None:
            told["k_hat"] = found.k_hat
        if self.config.temper < 1 or self.config.ess_floor > 0:
            told["temper"] = found.temper
        return found.weight[mine], told

    def _log_ratio(self, law: ActionLaw, stored: Stored, policy: PolicyNetwork) -> Tensor:
        # equal policies give equal probabilities up to the last bits of a matrix product, which depend on the batch
        same = (stored.version == policy.version).unsqueeze(-1)
        c = self.config
        if c.estimator == "joint":
            new = law.log_prob(stored.action)
            return joint_log_ratio(new, torch.where(same, new, stored.log_prob), self.neighbours)
        if c.estimator == "mixture":
            new = law.log_prob(stored.action)
            versions = sorted(self._shares)
            shares = torch.tensor([self._shares[v] for v in versions], device=new.device)
            return mixture_log_ratio(new, self._behaviours(stored, policy, new), shares, self.neighbours)
        if stored.log_probs is None:
            raise ValueError(f"estimator {c.estimator} needs the laws of actions; there are none")
        if isinstance(law, SquashedGaussian):
            if c.estimator != "gaussian":
                raise ValueError(f"estimator {c.estimator} needs the probabilities of all actions; there are none")
            mean, log_std = stored.log_probs.unbind(-1)
            old = SquashedGaussian(torch.where(same, law.mean, mean), torch.where(same, law.log_std, log_std))
            return gaussian_log_ratio(
                *law.moments(), *old.moments(), stored.action, self.neighbours, bandwidth=c.bandwidth,
                spacing=RESOLUTION,
            )  # fmt: skip
        assert isinstance(law, Categorical)
        if c.estimator == "gaussian":
            mean, variance = action_moments(law.log_probs)
            old_mean, old_variance = action_moments(stored.log_probs)
            return gaussian_log_ratio(
                mean,
                variance,
                torch.where(same, mean, old_mean),
                torch.where(same, variance, old_variance),
                stored.action.to(mean.dtype),
                self.neighbours,
                # which is told on the scale of actions from 0 to 1
                bandwidth=c.bandwidth * max(1, law.log_probs.shape[-1] - 1),
            )
        then = stored.log_probs
        if bool(same.any()):
            then = torch.where(same.unsqueeze(-1), law.log_probs, then)
        laws = (law.log_probs, then)
        if c.estimator == "marginal":
            return marginal_log_ratio(*laws, stored.action, self.neighbours)
        return gaussian_log_ratio_one_hot(*laws, stored.action, self.neighbours, bandwidth=c.bandwidth)

    def _behaviours(self, stored: Stored, policy: PolicyNetwork, new: Tensor) -> Tensor:
        """[J, M, N]: log-probabilities of the stored actions under every policy that the replay holds steps of."""
        past = copy.deepcopy(policy)
        found = []
        for version in sorted(self._shares):
            if version == int(policy.version):
                found.append(new)
                continue
            load_tensors(past, self._past[version])
            found.append(past.law(stored.obs, stored.seen).log_prob(stored.action))
        return torch.stack(found)

    def get_state(self) -> dict[str, NDArray[Any]]:
        """`<version>/<tensor>` of the policies that are remembered."""
        return {f"{v}/{name}": array for v, tensors in self._past.items() for name, array in tensors.items()}

    def set_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Take back what `get_state` gave."""
        self._past = {}
        for key, array in state.items():
            version, name = key.split("/", 1)
            self._past.setdefault(int(version), {})[name] = np.array(array)
