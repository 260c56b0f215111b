"""DAgger: the expert labels what the learner comes to see (Ross, Gordon and Bagnell 2011, algorithm 3.1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from mfmarl.imitation.demonstrations import Demonstrations
from mfmarl.imitation.interactive import Choice, InteractiveAgent, InteractiveConfig, Steps
from mfmarl.imitation.rollout import Act, MakeEnv
from mfmarl.imitation.schedules import Form, schedule
from mfmarl.imitation.settings import checked


class DAggerConfig(InteractiveConfig):
    """Settings of DAgger."""

    beta: Form = Field("exponential", description="how the probability that the expert acts falls from round to round")
    beta_decay: float = Field(0.95, gt=0, le=1, description="of the exponential schedule, a round")
    beta_end: float | None = Field(None, ge=0, le=1, description="in the last round; a constant schedule's value")
    beta_rounds: int = Field(10, ge=1, description="rounds until beta_end")


class DAggerAgent(InteractiveAgent[DAggerConfig]):
    """In round i the expert acts with probability beta_i at each step, else the learner; all states are labelled."""

    kind = "DAggerAgent"
    config_type = DAggerConfig

    def __init__(
        self,
        config: DAggerConfig | Mapping[str, Any],
        env: str | MakeEnv | None = None,
        expert: Act | None = None,
        demonstrations: Demonstrations | None = None,
        seed: int = 0,
    ) -> None:
        """As `InteractiveAgent`; raises UserError for settings that are wrong."""
        super().__init__(checked(DAggerConfig, config), env, expert, demonstrations, seed)
        own = self.config
        self.beta = schedule(own.beta, own.beta_decay, own.beta_end, own.beta_rounds)

    def choose(self, states: NDArray[np.float32]) -> Choice:
        """The expert with probability beta_i, else the learner."""
        labels = self.ask(states)
        by_learner = self.draws.random(len(states)) >= self.beta(self.rounds)
        actions = labels.copy()
        if by_learner.any():
            actions[by_learner] = self.act(states[by_learner])
        return Choice(actions, np.ones(len(states), bool), labels)

    def learn(self, steps: Steps) -> dict[str, float]:
        """Refit to all."""
        return {"beta": self.beta(self.rounds), **super().learn(steps)}
