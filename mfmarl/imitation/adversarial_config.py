"""Settings that GAIL and AIRL share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from torch import nn

from mfmarl.errors import UserError
from mfmarl.imitation.networks import perceptron
from mfmarl.imitation.ppo import PPOConfig
from mfmarl.imitation.spaces import Spaces
from mfmarl.model_text import one_line


class AdversarialConfig(BaseModel):
    """Settings of adversarial imitation."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    state_dim: int = Field(ge=1, description="entries of a state")
    action_dim: int = Field(ge=1, description="number of actions, or entries of a continuous one")
    low: tuple[float, ...] = Field((), description="of a continuous action's entries; empty for numbered actions")
    high: tuple[float, ...] = Field((), description="of a continuous action's entries")
    hidden_dims: tuple[int, ...] = Field((256, 256), description="widths of the hidden layers, of all networks")
    policy_lr: float = Field(3e-4, gt=0, le=1, description="learning rate of the policy at the start")
    discriminator_lr: float = Field(3e-4, gt=0, le=1, description="learning rate of the discriminator")
    use_spectral_norm: bool = Field(False, description="weights of the discriminator over their largest singular value")
    gradient_penalty: float = Field(10.0, ge=0, description="weight of (|grad score| - 1)^2; 0 for none")
    discriminator_steps: int = Field(5, ge=1, description="gradient steps of the discriminator in each round")
    discriminator_batch: int = Field(1024, ge=1, description="steps of each side in one of them")
    label_noise: float = Field(0.0, ge=0, lt=0.5, description="share of demonstrations that count as the policy's")
    dropout: float = Field(0.0, ge=0, lt=1, description="of the discriminator's hidden units")
    weight_decay: float = Field(0.0, ge=0, description="L2 penalty on the discriminator's weights")
    past_rollouts: int = Field(0, ge=0, description="earlier rollouts that the discriminator goes on to see")
    absorbing: bool = Field(True, description="whether what follows the task's end is told apart, and paid, as a state")
    num_envs: int = Field(32, ge=1, le=4096, description="environments played side by side")
    rollout: int = Field(32, ge=1, description="steps of each in one round")
    ppo: PPOConfig = Field(default_factory=PPOConfig, description="of the policy's learning")

    @property
    def spaces(self) -> Spaces:
        """What is seen and done."""
        return Spaces(self.state_dim, self.action_dim, self.low, self.high)

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


Config = TypeVar("Config", bound=AdversarialConfig)


def checked(model: type[Config], config: Config | Mapping[str, Any]) -> Config:
    """Settings as given, or as a mapping.

    Raises:
        UserError: for a key that there is not, or a value out of range.
    """
    if isinstance(config, model):
        return config
    try:
        return model.model_validate(config)
    except ValidationError as error:
        raise UserError(one_line(error, {}, model.__name__, model)) from None
