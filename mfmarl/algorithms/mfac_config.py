"""Settings of mean-field actor-critic; free of torch, so that configurations are read fast."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, PositiveInt


class MFACConfig(BaseModel):
    """Mean-field actor-critic (Yang et al. 2018) with the clipped surrogate (PPO) and V-trace."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    hidden: tuple[PositiveInt, ...] = Field(
        (64, 64), min_length=1, description="widths of the hidden layers of both networks"
    )
    learning_rate: float = Field(1e-3, gt=0, le=1, description="Adam's step size at the start, of actor and critic")
    learning_rate_end: float = Field(1e-4, gt=0, le=1, description="Adam's step size at the end of the run")
    discount: float = Field(0.99, ge=0, lt=1, description="per environment step, below 1")
    trace_decay: float = Field(0.8, ge=0, le=1, description="lambda of V-trace; without drift that of GAE")
    ratio_limit: float = Field(
        1.0, gt=0, description="rho-bar: own-action ratios above it are cut, in values and in the actor's weights"
    )
    trace_limit: float = Field(1.0, gt=0, description="c-bar: ratios above it are cut where they pass errors back")
    epochs: int = Field(4, ge=1, le=100, description="passes over an iteration's segments")
    batch_population_steps: int = Field(16, ge=1, description="population steps in one gradient step of all learners")
    clip: float = Field(0.2, gt=0, lt=1, description="the surrogate stops rewarding ratios beyond 1 -+ clip")
    value_clip: float | None = Field(
        None, gt=0, description="largest change of a value within an iteration, in units of the reward's spread"
    )
    entropy_start: float = Field(0.01, ge=0, description="weight of the policies' entropy in the loss at the start")
    entropy_end: float = Field(0.0, ge=0, description="that weight at the end of its linear schedule")
    entropy_fraction: float = Field(
        0.7, gt=0, le=1, description="share of the run after which the entropy schedule ends"
    )
    replayed: float = Field(0.0, ge=0, le=100, description="older segments drawn from the replay for each new one")
    replay_population_steps: int = Field(1024, ge=8, description="population steps kept by the replays of all learners")
    warmup_population_steps: int = Field(256, ge=1, description="population steps collected before learning starts")
    max_grad_norm: float = Field(10.0, gt=0, description="gradients are scaled down to this norm")
