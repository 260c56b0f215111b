"""What methods share that ask an expert while they learn: rounds of playing, labelling and refitting."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Generic, Self, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from mfmarl.errors import UserError
from mfmarl.imitation.bc import BCAgent, BCConfig
from mfmarl.imitation.demonstrations import Demonstrations
from mfmarl.imitation.labels import answered, checked_steps
from mfmarl.imitation.networks import Policy
from mfmarl.imitation.repeatable import Place, places_as_arrays, places_of
from mfmarl.imitation.result import Counts, Result
from mfmarl.imitation.rollout import Act, Collector, MakeEnv
from mfmarl.imitation.saved import read_agent, reading, under, with_prefix, words_of, write_agent
from mfmarl.imitation.settings import at_least_one
from mfmarl.runs.sealed import Arrays
from mfmarl.seeding import stream


class InteractiveConfig(BCConfig):
    """Settings of rounds; those of the learner are behavioural cloning's."""

    num_envs: int = Field(1, ge=1, le=4096, description="environments played side by side in a round")
    rollout: int = Field(1000, ge=1, description="most steps of each in a round, which ends with its first episode")
    fresh: bool = Field(True, description="rounds begin with fresh episodes; else where the one before stopped")
    updates: int = Field(1000, ge=1, description="gradient steps on all labelled states after a round")


@dataclass(frozen=True)
class Choice:
    """What B environments do next."""

    actions: NDArray[Any]
    """[B] or [B, A]: executed."""
    asked: NDArray[np.bool_]
    """[B]: where the expert was asked."""
    labels: NDArray[Any]
    """As `actions`: the expert's where it was asked."""


@dataclass(frozen=True)
class Steps:
    """What one round played: n steps, in order of time within each environment."""

    env: NDArray[np.int64]
    """[n], ascending."""
    states: NDArray[np.float32]
    """[n, D]"""
    actions: NDArray[Any]
    """[n] or [n, A]: executed."""
    next_states: NDArray[np.float32]
    """[n, D]"""
    rewards: NDArray[np.float64]
    """[n], the environment's own, for the record."""
    terminated: NDArray[np.bool_]
    """[n]"""
    asked: NDArray[np.bool_]
    """[n]"""
    labels: NDArray[Any]
    """As `actions`: the expert's where it was asked."""

    def __getitem__(self, rows: NDArray[Any]) -> Steps:
        """Some of them."""
        return Steps(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))


Config = TypeVar("Config", bound=InteractiveConfig)


class InteractiveAgent(ABC, Generic[Config]):
    """A learner that is refitted, round by round, to all that an expert has told so far; nothing told is discarded.

    Every round starts its environments anew, from seeds of its own, or has them brought back to where they were, so
    that saved agents go on bit for bit.
    """

    kind: ClassVar[str]
    config_type: ClassVar[type[InteractiveConfig]]

    def __init__(
        self,
        config: Config,
        env: str | MakeEnv | None,
        expert: Act | None,
        demonstrations: Demonstrations | None,
        seed: int,
    ) -> None:
        """Args:
        expert: states [n, D] -> actions [n] or [n, A].
        env, expert: what `train` plays and asks; `update` does without.
        demonstrations: what is labelled before the first round.

        Raises:
            UserError: for demonstrations of other spaces.
        """
        self.config, self.env, self.expert, self.seed = config, env, expert, seed
        self.learner = BCAgent(BCConfig(**{k: getattr(config, k) for k in BCConfig.model_fields}), None, seed)
        self.spaces = self.learner.spaces
        self.states = np.empty((0, self.spaces.state_dim), np.float32)
        """[n, D]: all that is labelled."""
        self.labels = np.empty((0, *self.spaces.action_shape()), np.float32 if self.spaces.continuous else np.int64)
        self.rounds = 0
        self.places: list[Place] = []
        """Where the environments are, unless rounds begin afresh."""
        self.draws = np.random.default_rng(stream(seed, "choices", 0))
        """For the choices of one round."""
        self.counts = Counts()
        if demonstrations is not None:
            demonstrations.check_fits(self.spaces, "the agent")
            steps = demonstrations.transitions
            self.counts = Counts(demonstrations=len(steps.states))
            self.aggregate(steps.states, steps.actions)

    @property
    def policy(self) -> Policy:
        """The learner's."""
        return self.learner.policy

    @abstractmethod
    def choose(self, states: NDArray[np.float32]) -> Choice:
        """Who acts in states [B, D], and what the expert says."""

    def learn(self, steps: Steps) -> dict[str, float]:
        """Take in a round; figures of it."""
        if not steps.asked.any():
            return {}
        return self.update(steps.states[steps.asked], steps.labels[steps.asked])

    def act(self, states: NDArray[np.float32]) -> NDArray[Any]:
        """What the learner does: its likeliest actions."""
        return self.policy.act(states)

    def ask(self, states: NDArray[np.float32]) -> NDArray[Any]:
        """What the expert does in states [n, D]: a query each.

        Raises:
            UserError: where the agent has no expert, or it answers otherwise than the spaces want.
        """
        if self.expert is None:
            raise UserError(f"{type(self).__name__}.train needs expert=...")
        return self.answers(self.expert, states)

    def answers(self, expert: Act, states: NDArray[np.float32], name: str = "the expert") -> NDArray[Any]:
        """Of one expert, counted, checked and within bounds."""
        self.counts = self.counts.plus(queries=len(states))
        return answered(expert, states, self.spaces, name)

    def aggregate(self, states: NDArray[np.float32], labels: NDArray[Any]) -> None:
        """Add labelled states to the others."""
        rows, actions = checked_steps(self.spaces, states, labels)
        self.states, self.labels = np.concatenate([self.states, rows]), np.concatenate([self.labels, actions])
        self.learner.take_in(rows)

    def update(self, states: NDArray[np.float32], expert_actions: NDArray[Any]) -> dict[str, float]:
        """Add states [n, D] and the expert's actions in them, and refit the learner to all that it was ever told."""
        self.aggregate(states, expert_actions)
        history = self.learner.fit(self.states, self.labels, self.config.updates)
        self.counts = self.counts.plus(updates=self.config.updates)
        return {"loss": history[-1]["loss"], "labelled": float(len(self.states))}

    def train(self, interactions: int, callback: Callable[[dict[str, Any]], None] | None = None) -> Result:
        """Play and learn until there were so many steps of the environment in all; the last round is cut there.

        Raises:
            UserError: for fewer than 1, or where the agent has no environment or no expert, or they do not fit it.
        """
        at_least_one(interactions, "interactions")
        if self.env is None:
            raise UserError(f"{type(self).__name__}.train needs env=...")
        history: list[dict[str, Any]] = []
        self.learner.batches.forget()
        if len(self.states) and not self.learner.counts.updates:
            self.learner.fit(self.states, self.labels, self.config.updates)
            self.counts = self.counts.plus(updates=self.config.updates)
        while self.counts.interactions < interactions:
            asked = self.counts.queries
            steps = self._play(interactions - self.counts.interactions)
            self.counts = self.counts.plus(interactions=len(steps.states))
            figures = self.learn(steps)
            self.rounds += 1
            history.append(
                {
                    "round": self.rounds,
                    **asdict(self.counts),
                    "asked": self.counts.queries - asked,
                    "env_reward": float(steps.rewards.mean()),
                    **figures,
                }
            )
            if callback is not None:
                callback(history[-1])
        return Result(self.policy, history, self.counts)

    def _play(self, most: int) -> Steps:
        """One round of at most so many steps."""
        assert self.env is not None
        begin = self.rounds if self.config.fresh else 0
        collector = Collector(self.env, self.config.num_envs, stream(self.seed, "play", begin))
        self.draws = np.random.default_rng(stream(self.seed, "choices", self.rounds))
        running, rows, left = np.ones(self.config.num_envs, bool), [], most
        held: dict[int, Place] = {}
        try:
            if collector.spaces != self.spaces:
                raise UserError(f"the environment has {collector.spaces.told()}; the agent {self.spaces.told()}")
            if self.places:
                collector.go_to(self.places)
            for _ in range(self.config.rollout):
                active = np.flatnonzero(running)[:left]
                if not len(active):
                    break
                if not self.config.fresh:
                    # nobody chooses for those that the round's end leaves out: they are put back
                    held = {int(b): collector.places[b] for b in np.setdiff1d(np.flatnonzero(running), active)}
                # those that have ended are played on unasked and unseen, as environments step together
                chosen = self.choose(collector.states[active])
                actions = np.zeros((len(running), *chosen.actions.shape[1:]), chosen.actions.dtype)
                actions[active] = chosen.actions
                step = collector.collect(partial(_given, actions), 1)
                rows.append(
                    Steps(
                        active,
                        step.states[0, active],
                        self.spaces.clipped(chosen.actions),
                        step.next_states[0, active],
                        step.rewards[0, active],
                        step.terminated[0, active],
                        chosen.asked,
                        chosen.labels,
                    )
                )
                running &= ~(step.terminated[0] | step.truncated[0])
                left -= len(active)
            if not self.config.fresh:
                self.places = [
                    held.get(b, place) if on else Place(place.episode, place.actions[:0])
                    for b, (place, on) in enumerate(zip(collector.places, running, strict=True))
                ]
        finally:
            collector.close()
        joined = Steps(*(np.concatenate([getattr(r, name) for r in rows]) for name in Steps.__dataclass_fields__))
        return joined[np.argsort(joined.env, kind="stable")]

    def words(self) -> dict[str, Any]:
        """What is saved beside arrays."""
        return {
            **words_of(self.config, self.seed, self.counts),
            "rounds": self.rounds,
            "learner": asdict(self.learner.counts),
        }

    def check_saved(self, words: Mapping[str, Any], folder: Path) -> None:
        """Refuse what was saved with other parts than this agent was given; here there are none."""

    def arrays(self) -> Arrays:
        """The learner, all that it was told, and where the environments are."""
        places = with_prefix("environments", places_as_arrays(self.places))
        return {**self.learner.arrays(), "states": self.states, "labels": self.labels, **places}

    def load_arrays(self, arrays: Arrays) -> None:
        """What `arrays` gave."""
        self.learner.load_arrays(arrays)
        self.states, self.labels = arrays["states"], arrays["labels"]
        found = under("environments", arrays)
        self.places = places_of(found) if found else []

    def save(self, folder: Path) -> None:
        """Write all that training goes on from, labelled states among it; environment and expert are not in it.

        Raises:
            StorageFailed: where the folder takes no file.
        """
        write_agent(folder, self.kind, self.words(), self.arrays())

    @classmethod
    def load(cls, folder: Path, **given: Any) -> Self:
        """What `save` wrote; `given` are environment and expert, as the agent takes them.

        Raises:
            UserError: where there is none.
            DamagedFile: where it was cut short or changed.
        """
        words, arrays = read_agent(folder, cls.kind)
        with reading(folder):
            agent = cls(words["config"], **given, seed=words["seed"])
            agent.check_saved(words, folder)
            agent.load_arrays(arrays)
            agent.rounds, agent.counts = words["rounds"], Counts(**words["counts"])
            agent.learner.counts = Counts(**words["learner"])
        return agent


def _given(actions: NDArray[Any], _: NDArray[np.float32]) -> NDArray[Any]:
    return actions
