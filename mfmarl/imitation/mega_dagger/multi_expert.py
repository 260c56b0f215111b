"""MEGA-DAgger by votes: several imperfect experts label together, each with a weight learnt from what it returns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field

from mfmarl.errors import UserError
from mfmarl.imitation.dagger import DAggerAgent, DAggerConfig
from mfmarl.imitation.demonstrations import Demonstrations
from mfmarl.imitation.interactive import Steps
from mfmarl.imitation.rollout import Act, MakeEnv, episodes
from mfmarl.imitation.settings import checked
from mfmarl.imitation.spaces import Spaces
from mfmarl.runs.sealed import Arrays
from mfmarl.seeding import stream

Array = NDArray[np.float64]


class MultiExpertConfig(DAggerConfig):
    """Settings of DAgger with several experts."""

    validation: int = Field(1, ge=1, description="episodes that each expert plays before a round")
    rate: float = Field(1.0, ge=0, description="by how much a round's best expert gains on its worst, in log weight")


class MultiExpertAgent(DAggerAgent):
    """DAgger whose labels are the experts' weighted vote, or of continuous actions their weighted mean.

    Every expert is asked about every state: K queries each. Before a round each plays whole episodes, so that returns
    can be compared, and then at least one step is played: the last round may go beyond the interactions asked for.
    """

    kind = "MultiExpertAgent"
    config_type = MultiExpertConfig
    config: MultiExpertConfig

    def __init__(
        self,
        config: MultiExpertConfig | Mapping[str, Any],
        env: str | MakeEnv | None = None,
        experts: Sequence[Act] = (),
        demonstrations: Demonstrations | None = None,
        seed: int = 0,
    ) -> None:
        """As `DAggerAgent`, with several experts."""
        super().__init__(checked(MultiExpertConfig, config), env, None, demonstrations, seed)
        self.experts = experts
        self.log_weights: Array = np.zeros(len(experts))

    @property
    def weights(self) -> Array:
        """Of the experts' votes: they add up to 1."""
        found: Array = np.exp(self.log_weights - np.logaddexp.reduce(self.log_weights))
        return found

    def ask(self, states: NDArray[np.float32]) -> NDArray[Any]:
        """What the experts do together in states [n, D]."""
        if not self.experts:
            raise UserError("MultiExpertAgent.train needs experts=[...]")
        said = [self.answers(e, states, f"expert {k}") for k, e in enumerate(self.experts)]
        return together(np.stack(said), self.weights, self.spaces)

    def _play(self, most: int) -> Steps:
        """The experts' validation, whose steps count, and then a round."""
        assert self.env is not None
        before = self.counts.interactions
        returns = [self._validated(expert, f"expert {k}") for k, expert in enumerate(self.experts)]
        self.log_weights = reweighted(self.log_weights, returns, self.config.rate)
        return super()._play(max(1, most - (self.counts.interactions - before)))

    def _validated(self, expert: Act, name: str) -> float:
        assert self.env is not None
        seed = stream(self.seed, "validation", self.rounds)
        # one environment at a time, so that no state is asked about in vain
        played = episodes(self.env, lambda s: self.answers(expert, s, name), self.config.validation, seed, 1)
        self.counts = self.counts.plus(interactions=sum(len(e.actions) for e in played))
        return float(np.mean([e.rewards.sum() for e in played]))

    def arrays(self) -> Arrays:
        """Also the weights."""
        return {**super().arrays(), "log_weights": self.log_weights}

    def load_arrays(self, arrays: Arrays) -> None:
        """What `arrays` gave."""
        super().load_arrays(arrays)
        self.log_weights = arrays["log_weights"]


def together(actions: NDArray[Any], weights: ArrayLike, spaces: Spaces) -> NDArray[Any]:
    """Actions [K, n] or [K, n, A] of K experts as one: by weighted vote, ties to the lowest number, or by mean."""
    share = np.asarray(weights, float)
    if spaces.continuous:
        mean: NDArray[np.float32] = np.tensordot(share, actions, 1).astype(np.float32)
        return mean
    votes = np.tensordot(share, actions[..., None] == np.arange(spaces.action_dim), 1)
    return np.asarray(votes.argmax(-1), np.int64)


def reweighted(log_weights: ArrayLike, returns: ArrayLike, rate: float) -> Array:
    """Hedge (Freund and Schapire 1997): log weights + rate * (return - worst) / (best - worst), normalised."""
    found = np.asarray(returns, float)
    span = np.ptp(found) if found.size else 0.0
    gained = np.asarray(log_weights, float) + (rate * (found - found.min()) / span if span > 0 else 0.0)
    normal: Array = gained - (np.logaddexp.reduce(gained) if gained.size else 0.0)
    return normal
