"""Settings of the coordination study, checked; without torch, so that a mistake is told at once."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from mfmarl.imitation.magail.theory import RewardStyle

Expert = Literal["mixed", "bimodal", "asymmetric", "noisy", "all_AA"]
Beta = Annotated[float, Field(ge=0, le=1000)]
Seed = Annotated[int, Field(ge=0, lt=10**18)]
MOST_ROWS = 2_000_000
"""Of a history: half a GB of it."""


class CoordinationSettings(BaseModel):
    """What decides the figures of a study; defaults are the published ones."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    expert_type: Expert = Field("bimodal", description="who is imitated")
    betas: tuple[Beta, ...] = Field(
        (0.0, 0.1, 0.5, 1.0, 5.0), min_length=1, description="weights of the entropy bonus, in nats"
    )
    seeds: tuple[Seed, ...] = Field(
        (42, 123, 456, 789, 999), min_length=1, description="roots of all random streams, a run each for every beta"
    )
    epochs: int = Field(400, ge=1, le=10**6, description="steps of the discriminator and of the policies")
    rollout_episodes: int = Field(200, ge=1, le=10**9, description="rollouts an epoch")
    eval_episodes: int = Field(5000, ge=1, le=10**7, description="episodes that the last policies play")
    lr_policy: float = Field(0.01, gt=0, le=10, description="Adam's rate of the policies")
    lr_disc: float = Field(0.01, gt=0, le=10, description="Adam's rate of the discriminator")
    reward_style: RewardStyle = Field("non_saturating", description="log D, -log(1-D), or both (airl)")
    policy_init_uniform: bool = Field(False, description="policies begin at 1/2, not beside it")
    batch_size: int = Field(64, ge=1, le=10**9, description="joint actions of the expert, and of the learners, a step")
    collect_every: int = Field(10, ge=1, le=10**6, validate_default=True, description="epochs between two records")

    @field_validator("betas", "seeds")
    @classmethod
    def _differ(cls, values: tuple[float, ...]) -> tuple[float, ...]:
        for i, value in enumerate(values):
            if value in values[:i]:
                raise ValueError(f"want each once, and {value:g} stands twice")
        return values

    @field_validator("collect_every")
    @classmethod
    def _fit(cls, every: int, info: ValidationInfo) -> int:
        # fields that are wrong themselves are not there
        runs = len(info.data.get("betas", ())) * len(info.data.get("seeds", ()))
        rows = runs * -(-info.data.get("epochs", 1) // every)
        if rows > MOST_ROWS:
            raise ValueError(f"want at most {MOST_ROWS:,} rows of history, and {runs:,} runs make {rows:,}")
        return every
