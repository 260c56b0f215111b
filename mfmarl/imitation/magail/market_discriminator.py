"""GAIL of one type among types that learn too, whose discriminator may see what all types do."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor

from mfmarl.imitation.discriminator import Inputs
from mfmarl.imitation.gail import GAILAgent, GAILConfig, StateActionScore
from mfmarl.imitation.steps import Steps


class TypeConfig(GAILConfig):
    """Settings of one type."""

    joint_dim: int = Field(0, ge=0, description="entries of the types' mean actions, where the discriminator sees them")


class CentralScore(StateActionScore):
    """The logit of D_k(s, a, the types' mean actions of the same period)."""

    def rows(self, steps: Steps) -> Tensor:
        """[n, D + A + K A]

        Raises:
            ValueError: for steps that do not say what others did.
        """
        if steps.joint is None:
            raise ValueError(f"{len(steps)} steps have no joint; a centralised one sees the types' mean actions")
        return torch.cat([super().rows(steps), steps.joint], -1)


class TypeAgent(GAILAgent):
    """D_k(s, a), or with `joint_dim` D_k(s, a, joint)."""

    config_type = TypeConfig
    config: TypeConfig

    def score(self, inputs: Inputs, generator: torch.Generator) -> StateActionScore:
        """D's logit."""
        kind = CentralScore if self.config.joint_dim else StateActionScore
        return kind(inputs, self.config, generator, self.config.joint_dim)
