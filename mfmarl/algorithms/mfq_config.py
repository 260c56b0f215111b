"""Settings of mean-field Q-learning; free of torch, so that configurations are read fast."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveInt


class MFQConfig(BaseModel):
    """Mean-field Q-learning (Yang et al. 2018) with a Boltzmann policy, double-Q and soft targets."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    hidden: tuple[PositiveInt, ...] = Field((64, 64), min_length=1, description="widths of the hidden layers")
    conditioning: Literal["observed", "played"] = Field(
        "observed",
        description="mean action that Q is a function of: of the step before, which the acting agent has observed, or "
        "of the step itself (Yang et al.), for which the observed one must stand in when acting",
    )
    learning_rate: float = Field(1e-3, gt=0, le=1, description="Adam's step size at the start")
    learning_rate_end: float = Field(1e-4, gt=0, le=1, description="Adam's step size at the end of the run")
    discount: float = Field(0.99, ge=0, le=1, description="per environment step")
    target_rate: float = Field(
        0.05, gt=0, le=1, description="share of the averaged networks (they act and give targets) renewed per iteration"
    )
    temperature_start: float = Field(1.0, gt=0, description="Boltzmann temperature, in units of the reward's spread")
    temperature_end: float = Field(0.005, gt=0, description="temperature at the end of the schedule")
    temperature_fraction: float = Field(
        0.7, gt=0, le=1, description="share of the run after which the geometric temperature schedule ends"
    )
    epsilon_start: float = Field(0.0, ge=0, le=1, description="share of actions drawn uniformly at the start")
    epsilon_end: float = Field(
        0.0, ge=0, le=1, description="that share at the end of its linear schedule, which ends with the temperature's"
    )
    double_q: bool = Field(
        False, description="online networks choose next actions, averaged ones value them; else the averaged do both"
    )
    huber: bool = Field(True, description="Huber loss with threshold 1 (in units of the reward's spread), else squared")
    batch_population_steps: int = Field(8, ge=1, description="population steps in one gradient step of all learners")
    gradient_steps_per_step: float = Field(2.0, gt=0, description="gradient steps per vector step of the copies")
    replay_population_steps: int = Field(1024, ge=8, description="population steps kept by the replays of all learners")
    warmup_population_steps: int = Field(256, ge=1, description="population steps collected before learning starts")
    max_grad_norm: float = Field(10.0, gt=0, description="gradients are scaled down to this norm")
