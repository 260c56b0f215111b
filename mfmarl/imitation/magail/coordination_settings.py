"""Settings of the coordination study, checked; without torch, so that a mistake is told at once."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from mfmarl.imitation.magail.study_settings import Seed, StudySettings, check_memory, each_once

Expert = Literal["mixed", "bimodal", "asymmetric", "noisy", "all_AA"]
Beta = Annotated[float, Field(ge=0, le=1000)]


class CoordinationSettings(StudySettings):
    """What decides the figures of a study; defaults are the published ones."""

    expert_type: Expert = Field("bimodal", description="who is imitated")
    betas: tuple[Beta, ...] = Field(
        (0.0, 0.1, 0.5, 1.0, 5.0), min_length=1, description="weights of the entropy bonus, in nats"
    )
    seeds: tuple[Seed, ...] = Field(
        (42, 123, 456, 789, 999), min_length=1, description="roots of all random streams, a run each for every beta"
    )
    epochs: int = Field(400, ge=1, le=10**6, description="steps of the discriminator and of the policies")
    rollout_episodes: int = Field(200, ge=1, lt=10**9, description="rollouts an epoch")
    eval_episodes: int = Field(5000, ge=1, le=10**7, description="episodes that the last policies play")
    signals: int = Field(1, ge=1, le=64, description="values of a signal that agents share; 1: none")
    batch_size: int = Field(64, ge=1, le=10**9, description="joint actions of the expert, and of the learners, a step")
    collect_every: int = Field(10, ge=1, le=10**6, validate_default=True, description="epochs between two records")

    @field_validator("betas", "seeds")
    @classmethod
    def _differ(cls, values: tuple[float, ...]) -> tuple[float, ...]:
        return each_once(values)

    @field_validator("collect_every")
    @classmethod
    def _fit(cls, every: int, info: ValidationInfo) -> int:
        runs = len(info.data.get("betas", ())) * len(info.data.get("seeds", ()))
        return check_memory(every, info.data, runs, 20 + 5 * info.data.get("signals", 1))
