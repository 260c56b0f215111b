"""Adversarial inverse reinforcement learning (Fu, Luo and Levine 2018)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from pydantic import Field
from torch import Tensor, nn

from mfmarl.imitation.adversarial_agent import AdversarialAgent, AdversarialConfig, checked
from mfmarl.imitation.demonstrations import Demonstrations
from mfmarl.imitation.discriminator import Inputs, Stabilisers, discriminator_loss, gradient_penalty, logit_network
from mfmarl.imitation.ppo import Played
from mfmarl.imitation.rollout import MakeEnv


class AIRLConfig(AdversarialConfig):
    """Settings of AIRL."""

    state_only: bool = Field(False, description="g sees states alone: a reward that holds under other dynamics")


class ShapedReward(nn.Module):
    """f(s, a, s') = g(s[, a]) + gamma h(s') - h(s), with h = 0 where the task ended."""

    def __init__(self, inputs: Inputs, config: AIRLConfig, seed: int) -> None:
        super().__init__()
        # a buffer of the agent, not a parameter: kept out of the module's own children by a tuple
        self._inputs = (inputs,)
        stabilisers = Stabilisers(config.gradient_penalty, config.use_spectral_norm, config.dropout)
        width = config.state_dim if config.state_only else inputs.width
        self.g = logit_network(width, config.hidden_dims, seed, stabilisers)
        self.h = logit_network(config.state_dim, config.hidden_dims, seed + 1, stabilisers)
        self.discount = config.ppo.discount

    def rows(self, steps: Played) -> Tensor:
        """[n, D + A + D + 1]: state, action, next state, and whether the task goes on."""
        (inputs,) = self._inputs
        goes_on = (~steps.terminated).float().unsqueeze(-1)
        return torch.cat([inputs(steps.states, steps.actions), inputs.norm(steps.next_states), goes_on], -1)

    def forward(self, rows: Tensor) -> Tensor:
        """[n, ...] -> f [n]"""
        (inputs,) = self._inputs
        states, width = inputs.spaces.state_dim, inputs.width
        now, after, goes_on = rows[:, :states], rows[:, width:-1], rows[:, -1]
        own = self.g(now if self.g[0].in_features == states else rows[:, :width]).squeeze(-1)
        shaping: Tensor = self.discount * goes_on * self.h(after).squeeze(-1) - self.h(now).squeeze(-1)
        out: Tensor = own + shaping
        return out

    @torch.no_grad()
    def reward_alone(self, states: Tensor, actions: Tensor) -> Tensor:
        """g, the reward without its shaping: [n]."""
        (inputs,) = self._inputs
        rows = inputs(states, actions)
        width = self.g[0].in_features
        out: Tensor = self.g(rows[:, :width]).squeeze(-1)
        return out


class AIRLAgent(AdversarialAgent[AIRLConfig]):
    """logit D = f - log pi(a|s), on both sides of the very action that was played; the reward is that logit."""

    discriminator: ShapedReward

    def __init__(
        self,
        config: AIRLConfig | Mapping[str, Any],
        env: str | MakeEnv | None = None,
        demonstrations: Demonstrations | None = None,
        seed: int = 0,
    ) -> None:
        """As `AdversarialAgent`; raises UserError for settings that are wrong."""
        super().__init__(checked(AIRLConfig, config), env, demonstrations, seed)

    def networks(self, seed: int) -> ShapedReward:
        """f."""
        self.inputs = Inputs(self.config.spaces)
        return ShapedReward(self.inputs, self.config, seed)

    def seen(self, states: Tensor) -> None:
        """Take states into the normaliser."""
        self.inputs.norm.update(states)

    def loss(self, policy: Played, expert: Played) -> tuple[Tensor, dict[str, Tensor]]:
        """Cross-entropy and gradient penalty."""
        own, theirs = self.discriminator.rows(policy), self.discriminator.rows(expert)
        policy_logit = self.discriminator(own) - policy.log_prob
        expert_logit = self.discriminator(theirs) - expert.log_prob
        told = discriminator_loss(expert_logit, policy_logit, self.config.label_noise)
        figures = {
            "cross_entropy": told,
            "expert_accuracy": (expert_logit > 0).float().mean(),
            "policy_accuracy": (policy_logit < 0).float().mean(),
        }
        if self.config.gradient_penalty:
            figures["gradient_penalty"] = gradient_penalty(self.discriminator, theirs, own, self.generator)
            told = told + self.config.gradient_penalty * figures["gradient_penalty"]
        return told, figures

    @torch.no_grad()
    def reward(self, steps: Played) -> Tensor:
        """f - log pi: [n]."""
        out: Tensor = self.discriminator(self.discriminator.rows(steps)) - steps.log_prob
        return out
