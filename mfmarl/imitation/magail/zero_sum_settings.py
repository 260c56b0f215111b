"""Settings of the zero-sum study, checked; without torch, so that a mistake is told at once."""

from __future__ import annotations

from pydantic import Field, ValidationInfo, field_validator

from mfmarl.imitation.magail.study_settings import Seed, StudySettings, check_memory, each_once

MOST_STEPS = 5 * 10**7
"""Of all seeds: steps of an epoch's rollouts in the mean, and steps that demonstrations are taken from; for memory."""


class ZeroSumSettings(StudySettings):
    """What decides the figures of a study; defaults are the published ones."""

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
    collect_every: int = Field(10, ge=1, le=10**6, validate_default=True, description="epochs between two records")

    @field_validator("seeds", "bc_seeds")
    @classmethod
    def _differ(cls, values: tuple[int, ...] | None) -> tuple[float, ...] | None:
        return None if values is None else each_once(values)

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

    @field_validator("collect_every")
    @classmethod
    def _fit_records(cls, every: int, info: ValidationInfo) -> int:
        return check_memory(every, info.data, len(info.data.get("seeds") or ()), 500)

    @property
    def cloned_seeds(self) -> tuple[int, ...]:
        """Those of the clones."""
        return self.seeds if self.bc_seeds is None else self.bc_seeds
