"""Settings of RLlib's own algorithms as baselines; free of torch and Ray, so that configurations are read fast."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

BASELINES = ("ppo", "dqn")
"""Algorithms that are RLlib's own: they learn from each agent's steps alone, so no method corrects for drift."""


class BaselineConfig(BaseModel):
    """What both have in common; rewards come in units of each type's spread under random orders."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    hidden: tuple[int, ...] = Field((64, 64), min_length=1, description="widths of the hidden layers")
    learning_rate: float = Field(5e-4, gt=0, le=1, description="Adam's step size")
    discount: float = Field(0.99, ge=0, le=1, description="per environment step")
    batch_agent_steps: int = Field(
        128, ge=1, description="agent steps of each type in one gradient step; at most num_envs x fragment_length"
    )
    max_grad_norm: float = Field(10.0, gt=0, description="gradients of a type are scaled down to this norm")


class PPOConfig(BaselineConfig):
    """RLlib's PPO, one policy per agent type."""

    epochs: int = Field(4, ge=1, le=1000, description="passes over each fragment")
    clip: float = Field(0.2, gt=0, description="ratios are clipped to 1 - clip .. 1 + clip")
    gae_lambda: float = Field(0.95, ge=0, le=1, description="of generalised advantage estimation")
    entropy_bonus: float = Field(0.01, ge=0, description="weight of the entropy in the loss")


class DQNConfig(BaselineConfig):
    """RLlib's DQN (double, not dueling, uniform replay), one policy per agent type."""

    batch_agent_steps: int = Field(64, ge=1, description="agent steps of each type in one gradient step")
    gradient_steps_per_step: float = Field(
        2.0, gt=0, description="gradient steps of every type per vector step of the copies"
    )
    replay_population_steps: int = Field(4096, ge=8, description="population steps kept by the replay")
    warmup_population_steps: int = Field(256, ge=1, description="population steps collected before learning starts")
    target_every: int = Field(416, ge=1, description="environment steps between two copies of the target networks")
    epsilon_end: float = Field(0.02, ge=0, le=1, description="share of random actions at the end of the schedule")
    epsilon_fraction: float = Field(
        0.5, gt=0, le=1, description="share of the run after which the linear schedule from 1 ends"
    )
