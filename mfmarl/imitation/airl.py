"""Adversarial inverse reinforcement learning (Fu, Luo and Levine 2018)."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor

from mfmarl.imitation.adversarial_agent import AdversarialAgent
from mfmarl.imitation.adversarial_config import AdversarialConfig
from mfmarl.imitation.discriminator import Discriminator, Inputs, RewardForm
from mfmarl.imitation.steps import Steps


class AIRLConfig(AdversarialConfig):
    """Settings of AIRL."""

    state_only: bool = Field(False, description="g sees states alone: a reward that holds under other dynamics")


class ShapedReward(Discriminator):
    """f(s, a, s') = g(s[, a]) + gamma h(s') - h(s) (eq. 4), with h = 0 where the task ended; logit D = f - log pi."""

    needs_log_prob = True
    flags = 1

    def __init__(self, inputs: Inputs, config: AIRLConfig, generator: torch.Generator) -> None:
        super().__init__()
        self.inputs, self.state_only, self.discount = inputs, config.state_only, config.ppo.discount
        self.g = config.scoring_network(inputs.spaces.state_dim if config.state_only else inputs.width, generator)
        self.h = config.scoring_network(inputs.spaces.state_dim, generator)

    def rows(self, steps: Steps) -> Tensor:
        """[n, (D + A) + D + 1]: state and action, next state, and gamma where the task goes on."""
        goes_on = self.discount * (~steps.terminated).float().unsqueeze(-1)
        return torch.cat([self.inputs(steps), self.inputs.norm(steps.next_states), goes_on], -1)

    def forward(self, rows: Tensor) -> Tensor:
        """[n, ...] -> f [n]"""
        states, width = self.inputs.spaces.state_dim, self.inputs.width
        both = self.h(torch.cat([rows[:, :states], rows[:, width:-1]])).squeeze(-1)
        h_now, h_after = both.split(len(rows))
        f: Tensor = self._g(rows) + rows[:, -1] * h_after - h_now
        return f

    def _g(self, rows: Tensor) -> Tensor:
        seen = self.inputs.spaces.state_dim if self.state_only else self.inputs.width
        out: Tensor = self.g(rows[:, :seen]).squeeze(-1)
        return out

    def logit(self, rows: Tensor, steps: Steps) -> Tensor:
        """f - log pi: [n]"""
        logit: Tensor = self(rows) - steps.known_log_prob
        return logit

    @torch.no_grad()
    def unshaped(self, steps: Steps) -> Tensor:
        """g, the reward that AIRL finds, up to a constant where it is of states alone: [n]."""
        return self._g(self.rows(steps))


class AIRLAgent(AdversarialAgent[AIRLConfig]):
    """logit D = f - log pi(a|s), on both sides of the very action that was played; the reward is that logit."""

    config_type = AIRLConfig

    def score(self, inputs: Inputs, generator: torch.Generator) -> ShapedReward:
        """f."""
        return ShapedReward(inputs, self.config, generator)

    @property
    def reward_form(self) -> RewardForm:
        """The logit itself."""
        return "log D - log(1-D)"
