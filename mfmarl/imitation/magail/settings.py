"""Settings of MAGAIL, and what is a run's own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from mfmarl.imitation.magail.mixture import Mixture
from mfmarl.imitation.magail.neural import Network
from mfmarl.imitation.magail.study_settings import StudySettings
from mfmarl.imitation.magail.theory import RewardStyle, Sharing


class MAGAILConfig(BaseModel):
    """Settings that all runs of a batch share."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    discriminator: Sharing = Field(
        "single", description="one D(s, a_1..a_n); one of them an agent (centralised); or D_i(s, a_i) (decentralised)"
    )
    reward_style: RewardStyle = Field("non_saturating", description="log D, -log(1-D), or both (airl)")
    epochs: int = Field(400, ge=1, description="steps of the discriminators and of the policies")
    rollouts: int = Field(200, ge=1, lt=10**9, description="rollouts an epoch, no fewer and no more")
    batch_size: int = Field(
        64, ge=1, description="joint actions of the expert, and of the learners, a discriminator step"
    )
    policy_from: Literal["batch", "rollouts"] = Field(
        "batch", description="steps of the policies' gradient: the discriminators' batch, or all of the rollouts"
    )
    baseline: bool = Field(False, description="returns count by what they exceed their mean in the state by")
    lr_policy: float = Field(0.01, gt=0, description="Adam's rate of the policies")
    lr_disc: float = Field(0.01, gt=0, description="Adam's rate of the discriminators")
    policy_init_uniform: bool = Field(False, description="logits of policies start at 0; else at .1 N(0, 1)")
    collect_every: int = Field(10, ge=1, description="epochs between two records; the last epoch is recorded too")
    lowest_logit: float | None = Field(None, le=0, description="discriminators' logits are not below this")
    mixture: Mixture | None = Field(None, description="policies that share a signal; else agents are independent")
    network: Network | None = Field(None, description="policies and discriminators are perceptrons; else tables")


@dataclass(frozen=True)
class Run:
    """What is a run's own."""

    seed: int
    beta: float = 0.0
    """Weight of the entropy bonus, in nats."""


def config_of(
    settings: StudySettings, *, epochs: int, rollouts: int, batch_size: int, collect_every: int, signals: int = 1
) -> MAGAILConfig:
    """What a study's settings come to."""
    return MAGAILConfig(
        discriminator=settings.discriminator,
        reward_style=settings.reward_style,
        epochs=epochs,
        rollouts=rollouts,
        batch_size=batch_size,
        lr_policy=settings.lr_policy,
        lr_disc=settings.lr_disc,
        policy_init_uniform=settings.policy_init_uniform,
        collect_every=collect_every,
        lowest_logit=settings.lowest_logit,
        mixture=None if signals == 1 else Mixture(signals=signals),
        network=Network(hidden=settings.hidden) if settings.hidden else None,
    )
