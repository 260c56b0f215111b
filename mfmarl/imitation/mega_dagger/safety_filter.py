"""MEGA-DAgger of the 2023 paper (Sun, Yang, Zhou, Liu and Mangharam): imperfect experts take over, a barrier filters.

Safe states are those with h(s) >= 0. What an expert does while it has taken over is recorded only where the discrete
control-barrier condition h(s') >= (1 - eta) h(s) - slack holds, and of near-duplicate states in which different
actions were recorded only the best stays.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field
from scipy.spatial import cKDTree

from mfmarl.errors import UserError
from mfmarl.imitation.demonstrations import Demonstrations
from mfmarl.imitation.interactive import Choice, InteractiveAgent, InteractiveConfig, Steps
from mfmarl.imitation.rollout import Act, MakeEnv
from mfmarl.imitation.settings import checked
from mfmarl.runs.sealed import Arrays

Array = NDArray[np.float64]
Barrier = Callable[[NDArray[np.float32]], ArrayLike]
"""h: states [n, D] -> [n], at least 0 where it is safe."""
Score = Callable[[NDArray[np.float32], NDArray[Any], NDArray[np.float32]], ArrayLike]
"""states [n, D], actions, next states [n, D] -> how good the steps are [n]."""


class SafetyFilterConfig(InteractiveConfig):
    """Settings of MEGA-DAgger with a safety filter."""

    eta: float = Field(0.9, gt=0, le=1, description="how fast h may fall: by this share of itself a step")
    slack: float = Field(0.1, ge=0, description="and by so much more")
    takeover: float = Field(0.0, description="the expert takes over where h is below")
    release: float = Field(0.0, description="and gives back where h is at least this, not below takeover")
    radius: float = Field(0.05, ge=0, description="distance of near-duplicates, in standard deviations of states")
    action_gap: float = Field(0.1, ge=0, description="difference of continuous actions, in halves of their range")


class SafetyFilterAgent(InteractiveAgent[SafetyFilterConfig]):
    """The learner acts until a gate hands over to the expert of the round; before any label the expert acts."""

    kind = "SafetyFilterAgent"
    config_type = SafetyFilterConfig

    def __init__(
        self,
        config: SafetyFilterConfig | Mapping[str, Any],
        env: str | MakeEnv | None = None,
        experts: Sequence[Act] = (),
        demonstrations: Demonstrations | None = None,
        seed: int = 0,
        *,
        barrier: Barrier,
        score: Score | None = None,
    ) -> None:
        """As `InteractiveAgent`, and:

        Args:
            experts: round i has expert i mod K.
            barrier: h.
            score: by which one of conflicting steps is kept; h of the next state where not given.
        """
        self.scores: Array = np.empty(0)
        """[n], of what is labelled; infinite where it was given and not recorded: nothing displaces that."""
        super().__init__(checked(SafetyFilterConfig, config), env, None, demonstrations, seed)
        if self.config.release < self.config.takeover:
            raise UserError(f"release is {self.config.release}; want at least takeover, {self.config.takeover}")
        self.experts, self.barrier, self.score = experts, barrier, score
        self._over: NDArray[np.bool_] = np.empty(0, bool)

    def ask(self, states: NDArray[np.float32]) -> NDArray[Any]:
        """What the expert of this round does."""
        if not self.experts:
            raise UserError("SafetyFilterAgent.train needs experts=[...]")
        k = self.rounds % len(self.experts)
        return self.answers(self.experts[k], states, f"expert {k}")

    def h(self, states: NDArray[np.float32]) -> Array:
        """The barrier in states [n, D]: [n]."""
        return np.asarray(self.barrier(states), float)

    def aggregate(self, states: NDArray[np.float32], labels: NDArray[Any]) -> None:
        """Add labelled states that are not judged to the others."""
        super().aggregate(states, labels)
        self.scores = np.append(self.scores, np.full(len(self.states) - len(self.scores), np.inf))

    def _play(self, most: int) -> Steps:
        """One round, in which at first the learner acts."""
        self._over = np.empty(0, bool)
        return super()._play(most)

    def choose(self, states: NDArray[np.float32]) -> Choice:
        """The expert where h has come below `takeover` and not yet back to `release`, else the learner."""
        h = self.h(states)
        if len(self._over) != len(states):
            # environments have ended: those left are judged afresh
            self._over = np.zeros(len(states), bool)
        self._over = (h < self.config.takeover) | (self._over & (h < self.config.release))
        asked = self._over | (len(self.states) == 0)
        actions = self.act(states)
        labels = np.zeros_like(actions)
        if asked.any():
            labels[asked] = self.ask(states[asked])
            actions[asked] = labels[asked]
        return Choice(actions, asked, labels)

    def learn(self, steps: Steps) -> dict[str, float]:
        """Record what passes the filter, settle conflicts with what was recorded before, and refit."""
        own = self.config
        told = steps[steps.asked]
        kept = told[accepted(self.h(told.states), self.h(told.next_states), own.eta, own.slack)]
        figures = {"recorded": float(len(kept.states)), "rejected": float(len(told.states) - len(kept.states))}
        if not len(kept.states):
            return figures
        if self.score is None:
            scores = self.h(kept.next_states)
        else:
            scores = np.asarray(self.score(kept.states, kept.labels, kept.next_states), float)
        self.aggregate(kept.states, kept.labels)
        self.scores[-len(scores) :] = scores
        spread = self.learner.actors[0].norm.variance.sqrt().numpy() + 1e-8
        gap = own.action_gap * self.learner.actors[0].reach.numpy() if self.spaces.continuous else np.zeros(0)
        best = without_conflicts(self.states / spread, self.labels, self.scores, own.radius, gap)
        figures["conflicts"] = float((~best).sum())
        self.states, self.labels, self.scores = self.states[best], self.labels[best], self.scores[best]
        history = self.learner.fit(self.states, self.labels, own.updates)
        self.counts = self.counts.plus(updates=own.updates)
        return {**figures, "loss": history[-1]["loss"], "labelled": float(len(self.states))}

    def arrays(self) -> Arrays:
        """Also the scores."""
        return {**super().arrays(), "scores": self.scores}

    def load_arrays(self, arrays: Arrays) -> None:
        """What `arrays` gave."""
        super().load_arrays(arrays)
        self.scores = arrays["scores"]


def accepted(h: ArrayLike, h_after: ArrayLike, eta: float, slack: float) -> NDArray[np.bool_]:
    """Whether steps from h [n] to h_after [n] hold h' >= (1 - eta) h - slack: [n]."""
    return np.asarray(np.asarray(h_after, float) >= (1 - eta) * np.asarray(h, float) - slack)


def accepted_runs(steps: Steps, passed: NDArray[np.bool_]) -> list[NDArray[np.int64]]:
    """Indices of steps [n] that passed one after the other, in one environment: a list for each run."""
    kept = np.flatnonzero(passed)
    breaks = (np.diff(kept) > 1) | (np.diff(steps.env[kept]) != 0)
    return [run for run in np.split(kept, np.flatnonzero(breaks) + 1) if len(run)]


def least_barrier(start: float, steps: ArrayLike, eta: float, slack: float) -> Array:
    """What h is at least after `steps` accepted steps on end: (1-eta)^t h_0 - slack (1 - (1-eta)^t) / eta."""
    left = (1 - eta) ** np.asarray(steps, float)
    found: Array = left * start - slack * (1 - left) / eta
    return found


def without_conflicts(
    states: NDArray[Any], actions: NDArray[Any], scores: ArrayLike, radius: float, gap: NDArray[Any]
) -> NDArray[np.bool_]:
    """Which rows stay [n]: of two within `radius` with different actions the one of higher score, best rows first.

    Args:
        gap: [A], by how much an entry of continuous actions differs at least; numbered ones differ or not.
    """
    kept = np.ones(len(states), bool)
    pairs = cKDTree(states).query_pairs(radius, output_type="ndarray")
    one, other = actions[pairs[:, 0]], actions[pairs[:, 1]]
    differ = (np.abs(one - other) > gap).any(-1) if actions.ndim == 2 else one != other
    rivals: dict[int, list[int]] = {}
    for i, j in pairs[differ].tolist():
        rivals.setdefault(i, []).append(j)
        rivals.setdefault(j, []).append(i)
    for i in np.argsort(-np.asarray(scores, float), kind="stable").tolist():
        if kept[i]:
            kept[rivals.get(i, [])] = False
    return kept
