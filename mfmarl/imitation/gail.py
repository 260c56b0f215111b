"""Generative adversarial imitation learning (Ho and Ermon 2016)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from pydantic import Field
from torch import Tensor, nn

from mfmarl.imitation.adversarial_agent import AdversarialAgent, AdversarialConfig, checked
from mfmarl.imitation.demonstrations import Demonstrations
from mfmarl.imitation.discriminator import (
    Inputs,
    RewardForm,
    Stabilisers,
    discriminator_loss,
    gradient_penalty,
    logit_network,
    reward_of,
)
from mfmarl.imitation.ppo import Played
from mfmarl.imitation.rollout import MakeEnv


class GAILConfig(AdversarialConfig):
    """Settings of GAIL."""

    reward: RewardForm = Field("-log(1-D)", description="what a step is paid; D: that it is the expert's")


class GAILAgent(AdversarialAgent[GAILConfig]):
    """D(s, a) with label 1 for the expert; the policy is paid for steps that D takes for the expert's."""

    def __init__(
        self,
        config: GAILConfig | Mapping[str, Any],
        env: str | MakeEnv | None = None,
        demonstrations: Demonstrations | None = None,
        seed: int = 0,
    ) -> None:
        """As `AdversarialAgent`; raises UserError for settings that are wrong."""
        super().__init__(checked(GAILConfig, config), env, demonstrations, seed)

    def networks(self, seed: int) -> nn.Module:
        """Rows of states and actions -> logits."""
        config = self.config
        self.inputs = Inputs(config.spaces)
        stabilisers = Stabilisers(
            config.gradient_penalty, config.use_spectral_norm, config.dropout, config.label_noise
        )
        return logit_network(self.inputs.width, config.hidden_dims, seed, stabilisers)

    def seen(self, states: Tensor) -> None:
        """Take states into the normaliser."""
        self.inputs.norm.update(states)

    def _logit(self, rows: Tensor) -> Tensor:
        out: Tensor = self.discriminator(rows).squeeze(-1)
        return out

    def loss(self, policy: Played, expert: Played) -> tuple[Tensor, dict[str, Tensor]]:
        """Cross-entropy and gradient penalty."""
        own, theirs = self.inputs(policy.states, policy.actions), self.inputs(expert.states, expert.actions)
        policy_logit, expert_logit = self._logit(own), self._logit(theirs)
        told = discriminator_loss(expert_logit, policy_logit, self.config.label_noise)
        figures = {
            "cross_entropy": told,
            "expert_accuracy": (expert_logit > 0).float().mean(),
            "policy_accuracy": (policy_logit < 0).float().mean(),
        }
        if self.config.gradient_penalty:
            figures["gradient_penalty"] = gradient_penalty(self._logit, theirs, own, self.generator)
            told = told + self.config.gradient_penalty * figures["gradient_penalty"]
        return told, figures

    @torch.no_grad()
    def reward(self, steps: Played) -> Tensor:
        """By the form that was chosen: [n]."""
        return reward_of(self._logit(self.inputs(steps.states, steps.actions)), self.config.reward)
