"""Settings of MAGAIL on a market, checked; without torch, so that a mistake is told at once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveInt

from mfmarl.errors import UserError
from mfmarl.imitation.magail.theory import RewardStyle

WAYS = ("exact", "bound")
"""Of the audit."""


class MarketMAGAILConfig(BaseModel):
    """Settings that all types share."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    discriminator: Literal["decentralised", "centralised"] = Field(
        "decentralised", description="centralised: D_k also sees the mean action of each type in the same period"
    )
    reward_style: RewardStyle = Field("airl", description="log D, -log(1-D), or both")
    beta: float = Field(0.0, ge=0, description="weight of the entropy bonus, in nats")
    bc_start: int = Field(2000, ge=0, description="gradient steps of behavioural cloning to start from; 0 for none")
    critic_rounds: int = Field(5, ge=0, description="first rounds in which only critics and discriminators learn")
    copies: int = Field(8, ge=1, le=4096, description="copies of the game played side by side, an episode a round")
    hidden_dims: tuple[PositiveInt, ...] = Field((64, 64), description="widths of the hidden layers")
    policy_lr: float = Field(1e-4, gt=0, le=1, description="learning rate of policies and critics at the start")
    discriminator_lr: float = Field(3e-3, gt=0, le=1, description="learning rate of the discriminators")
    discriminator_steps: int = Field(10, ge=1, description="gradient steps of each discriminator in a round")
    gradient_penalty: float = Field(1.0, ge=0, description="weight of (|grad score| - 1)^2; 0 for none")
    dropout: float = Field(0.3, ge=0, lt=1, description="of the discriminators' hidden units")
    discount: float = Field(0.5, ge=0, le=1, description="gamma of the learners")
    epochs: int = Field(4, ge=1, description="passes over a round's steps")
    minibatch: int = Field(512, ge=1, description="steps of one gradient step")


def check_ways(ways: Iterable[str], where: str = "by") -> None:
    """Of the audit.

    Raises:
        UserError: for one that there is not.
    """
    for way in ways:
        if way not in WAYS:
            raise UserError(f"{where}: got {way!r}; want {' or '.join(WAYS)}")
