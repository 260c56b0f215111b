"""Generative adversarial imitation learning (Ho and Ermon 2016)."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor

from mfmarl.imitation.adversarial_agent import AdversarialAgent
from mfmarl.imitation.adversarial_config import AdversarialConfig
from mfmarl.imitation.discriminator import Discriminator, Inputs, RewardForm
from mfmarl.imitation.steps import Steps


class GAILConfig(AdversarialConfig):
    """Settings of GAIL."""

    reward: RewardForm = Field("-log(1-D)", description="what a step is paid; D: that it is the expert's")


class StateActionScore(Discriminator):
    """The logit of D(s, a)."""

    def __init__(self, inputs: Inputs, config: GAILConfig, generator: torch.Generator, more: int = 0) -> None:
        """Args:
        more: entries that rows have beside those of states and actions.
        """
        super().__init__()
        self.inputs = inputs
        self.net = config.scoring_network(inputs.width + more, generator)

    def rows(self, steps: Steps) -> Tensor:
        """States and actions."""
        out: Tensor = self.inputs(steps)
        return out

    def forward(self, rows: Tensor) -> Tensor:
        """[n, W] -> [n]"""
        out: Tensor = self.net(rows).squeeze(-1)
        return out


class GAILAgent(AdversarialAgent[GAILConfig]):
    """D(s, a) with label 1 for the expert; the policy is paid for steps that D takes for the expert's."""

    config_type = GAILConfig

    def score(self, inputs: Inputs, generator: torch.Generator) -> StateActionScore:
        """D's logit."""
        return StateActionScore(inputs, self.config, generator)

    @property
    def reward_form(self) -> RewardForm:
        """As set."""
        return self.config.reward
