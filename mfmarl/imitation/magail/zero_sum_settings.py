"""Settings of the zero-sum study, checked; without torch, so that a mistake is told at once."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from mfmarl.imitation.magail.theory import RewardStyle

Seed = Annotated[int, Field(ge=0, lt=10**18)]
MOST_STEPS = 5 * 10**7
"""Of all seeds: steps of an epoch's rollouts in the mean, and steps that demonstrations are taken from; for memory."""


class ZeroSumSettings(BaseModel):
    """What decides the figures of a study; defaults are the published ones."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    expert_action: int = Field(2, ge=0, le=2, description="what both experts always play")
    expert_total: int = Field(1000, ge=1, le=10**6, description="demonstrated steps that a seed has")
    seeds: tuple[Seed, ...] = Field(
        (42, 123, 456),
        min_length=1,
        description="roots of MAGAIL's random streams, each with demonstrations of its own",
    )
    bc_seeds: tuple[Seed, ...] | None = Field(
        None, min_length=1, description="roots of the demonstrations that are cloned; without them those of `seeds`"
    )
    epochs: int = Field(1000, ge=1, le=10**6, description="steps of the discriminator and of the policies")
    rollout_episodes: int = Field(200, ge=1, le=10**6, description="rollouts an epoch, of Geometric(1 - gamma) lengths")
    batch_size: int = Field(128, ge=1, le=10**9, description="steps of the expert, and of the learners, an epoch")
    beta: float = Field(0.0, ge=0, le=1000, description="weight of the entropy bonus, in nats")
    gamma: float = Field(0.9, gt=0, le=0.999, validate_default=True, description="discount")
    lr_policy: float = Field(0.01, gt=0, le=10, description="Adam's rate of the policies")
    lr_disc: float = Field(0.01, gt=0, le=10, description="Adam's rate of the discriminator")
    reward_style: RewardStyle = Field("non_saturating", description="log D, -log(1-D), or both (airl)")
    discriminator: Literal["single", "centralised", "decentralised"] = Field(
        "single", description="one D(s, a_1, a_2); one of them an agent (centralised); or D_i(s, a_i) (decentralised)"
    )
    policy_init_uniform: bool = Field(False, description="policies begin uniform, not beside it")
    collect_every: int = Field(10, ge=1, le=10**6, description="epochs between two records")

    @field_validator("seeds", "bc_seeds")
    @classmethod
    def _differ(cls, values: tuple[int, ...] | None) -> tuple[int, ...] | None:
        for i, value in enumerate(values or ()):
            if values is not None and value in values[:i]:
                raise ValueError(f"want each once, and {value} stands twice")
        return values

    @field_validator("gamma")
    @classmethod
    def _fit(cls, gamma: float, info: ValidationInfo) -> float:
        # fields that are wrong themselves are not there
        seeds = max(len(info.data.get("seeds") or ()), len(info.data.get("bc_seeds") or ()))
        episodes = max(info.data.get("rollout_episodes", 1), info.data.get("expert_total", 1))
        if (steps := episodes * seeds / (1 - gamma)) > MOST_STEPS:
            told = f"{episodes:,} episodes of {seeds} seeds make {steps:,.0f}"
            raise ValueError(f"want at most {MOST_STEPS:,} steps, and {told}")
        return gamma

    @property
    def cloned_seeds(self) -> tuple[int, ...]:
        """Those of the clones."""
        return self.seeds if self.bc_seeds is None else self.bc_seeds
