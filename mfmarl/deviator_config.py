"""Settings of trained deviators; free of torch, so that configurations are read fast."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from mfmarl.algorithms.mfac_config import MFACConfig
from mfmarl.algorithms.mfq_config import MFQConfig


class DeviatorConfig(BaseModel):
    """How deviators are trained, and on how many episodes they are measured.

    Sizes are told in agent steps of deviators, whatever their number in a copy, and put into the sections' population
    steps when training starts.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    algorithm: Literal["same", "mfq", "mfac"] = Field(
        "same", description="same: as the run that is audited; mfq for reference policies, mfac for continuous actions"
    )
    num_episodes: int = Field(66_000, ge=1, le=10**9, description="of deviators, all together")
    warm_share: float = Field(
        0.5, gt=0, le=1, description="of those episodes, for a deviator that goes on from the run's own networks"
    )
    deviators: int = Field(768, ge=1, le=65_536, description="that play together, in as many copies as they need")
    crowd: int = Field(
        27, ge=2, description="agents in a copy for each of its deviators in training; measured they are always alone"
    )
    fragment_length: int = Field(13, ge=1, description="steps per copy in one iteration of mfq; that of mfac has T")
    batch_agent_steps: int = Field(1024, ge=1, description="of deviators, in one gradient step")
    replay_episodes: int = Field(25, ge=1, description="of every deviator, that mfq keeps")
    exploration: float = Field(
        0.05,
        ge=0,
        lt=1,
        description="share of mfq's training actions that are drawn uniformly: a profile's own networks know nothing "
        "of actions that they never played",
    )
    averaged_from: float = Field(
        0.5, ge=0, le=1, description="share of the episodes after which the deviator's weights are averaged to its end"
    )
    warm_temperature: float = Field(
        1.0, gt=0, description="that mfq starts with where it goes on from the run's own networks"
    )
    evaluation_episodes: int = Field(
        2048, ge=2, description="on which deviators are measured, after a quarter as many to choose the better one on"
    )
    evaluation_copies: int = Field(128, ge=1, le=65_536, description="that play them together")
    checkpoint_every: int = Field(40, ge=1, description="iterations between checkpoints")
    seed: int = Field(0, ge=0, lt=2**63, description="root of the deviators' random streams")
    mfq: MFQConfig = Field(
        default_factory=lambda: MFQConfig(
            learning_rate=6e-3,
            learning_rate_end=3e-5,
            target_rate=1.0,
            temperature_start=1.0,
            temperature_end=0.015,
            temperature_fraction=0.9,
            huber=False,
            gradient_steps_per_step=6.0,
        ),
        description="settings of mean-field Q-learning",
    )
    mfac: MFACConfig = Field(
        default_factory=lambda: MFACConfig(
            learning_rate_end=3e-5, trace_decay=0.9, entropy_start=0.02, entropy_fraction=0.8
        ),
        description="settings of mean-field actor-critic",
    )

    def episodes(self, start: Literal["fresh", "checkpoint"]) -> int:
        """Episodes of a deviator that starts so."""
        return self.num_episodes if start == "fresh" else max(1, round(self.warm_share * self.num_episodes))

    @property
    def choice_episodes(self) -> int:
        """On which the better deviator is chosen."""
        return max(2, self.evaluation_episodes // 4)
