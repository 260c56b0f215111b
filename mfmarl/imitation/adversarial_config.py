"""Settings that GAIL and AIRL share."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import nn

from mfmarl.imitation.networks import perceptron
from mfmarl.imitation.ppo import PPOConfig
from mfmarl.imitation.settings import NetworkConfig

MOST = 1024
"""Steps of each side in one of the discriminator's gradient steps, where the user does not say."""


class AdversarialConfig(NetworkConfig):
    """Settings of adversarial imitation."""

    policy_lr: float = Field(3e-4, gt=0, le=1, description="learning rate of the policy at the start")
    discriminator_lr: float = Field(3e-4, gt=0, le=1, description="learning rate of the discriminator")
    use_spectral_norm: bool = Field(False, description="weights of the discriminator over their largest singular value")
    gradient_penalty: float = Field(10.0, ge=0, description="weight of (|grad score| - 1)^2; 0 for none")
    discriminator_steps: int = Field(5, ge=1, description="gradient steps of the discriminator in each round")
    discriminator_batch: int | None = Field(
        None, ge=1, description="steps of each side in one of them; 1024, or as many as there are, where not given"
    )
    label_noise: float = Field(0.0, ge=0, lt=0.5, description="share of demonstrations that count as the policy's")
    dropout: float = Field(0.0, ge=0, lt=1, description="of the discriminator's hidden units")
    weight_decay: float = Field(0.0, ge=0, description="L2 penalty on the discriminator's weights")
    past_rollouts: int = Field(0, ge=0, description="earlier rollouts that the discriminator goes on to see")
    absorbing: bool = Field(True, description="whether what follows the task's end is told apart, and paid, as a state")
    num_envs: int = Field(32, ge=1, le=4096, description="environments played side by side")
    rollout: int = Field(32, ge=1, description="steps of each in one round")
    ppo: PPOConfig = Field(default_factory=PPOConfig, description="of the policy's learning")

    @property
    def steps_a_round(self) -> int:
        """Of all environments."""
        return self.num_envs * self.rollout

    def scoring_network(self, inputs: int, generator: torch.Generator) -> nn.Sequential:
        """Rows [n, inputs] -> scores [n, 1], with the stabilisers that are in the network."""
        return perceptron(
            inputs,
            self.hidden_dims,
            1,
            generator,
            spectral_norm=self.use_spectral_norm,
            dropout=self.dropout,
        )
