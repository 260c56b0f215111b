"""Playing gymnasium environments side by side, with the true successor of every step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from mfmarl.errors import TrainingFailed
from mfmarl.imitation.demonstrations import Episode
from mfmarl.imitation.environments import MakeEnv as MakeEnv
from mfmarl.imitation.environments import maker
from mfmarl.imitation.repeatable import Place
from mfmarl.imitation.side_by_side import SideBySide
from mfmarl.imitation.spaces import Spaces
from mfmarl.imitation.type_name import is_type_game

if TYPE_CHECKING:
    from mfmarl.imitation.type_env import TypeVectorEnv

Act = Callable[[NDArray[np.float32]], NDArray[Any]]
"""states [B, D] -> actions [B] or [B, A]."""


@dataclass(frozen=True)
class Rollout:
    """T steps of B environments."""

    states: NDArray[np.float32]
    """[T, B, D]"""
    actions: NDArray[Any]
    """[T, B] or [T, B, A], as the policy gave them."""
    rewards: NDArray[np.float64]
    """[T, B], the environment's own."""
    next_states: NDArray[np.float32]
    """[T, B, D]: what followed, also where an episode ended there."""
    terminated: NDArray[np.bool_]
    """[T, B]"""
    truncated: NDArray[np.bool_]
    """[T, B]"""


def spaces_of(env: str | MakeEnv) -> Spaces:
    """Of one environment; raises UserError for what imitators do not take."""
    if is_type_game(env):
        slot = side_by_side(env, 1, seed=0)
        return Spaces.of(slot.single_observation_space, slot.single_action_space)
    made = maker(env)()
    found = Spaces.of(made.observation_space, made.action_space)
    made.close()  # type: ignore[no-untyped-call]
    return found


def side_by_side(env: str | MakeEnv, num_envs: int, seed: int) -> SideBySide | TypeVectorEnv:
    """So many environments, or agents of a type of a population game (`type_game`), that can be brought back."""
    if is_type_game(env):
        from mfmarl.imitation.type_game import type_game

        return type_game(str(env)).slots(num_envs, seed)
    return SideBySide(maker(env), num_envs, seed)


class Collector:
    """Environments that go on where they were; ended ones begin anew within the same step."""

    def __init__(self, env: str | MakeEnv, num_envs: int, seed: int) -> None:
        self.envs, self._seed = side_by_side(env, num_envs, seed), seed
        self.spaces = Spaces.of(self.envs.single_observation_space, self.envs.single_action_space)
        found: Any = self.envs.reset()[0]
        self.states: NDArray[np.float32] = np.asarray(found, np.float32)
        self.interactions = 0
        """Steps of single environments so far."""

    def collect(self, act: Act, steps: int) -> Rollout:
        """Play `steps` steps in every environment.

        Raises:
            TrainingFailed: where one gives a reward or observation that is not finite; names it, its step and seed.
        """
        B, D = self.states.shape
        states, after = np.empty((steps, B, D), np.float32), np.empty((steps, B, D), np.float32)
        rewards = np.empty((steps, B))
        terminated, truncated = np.empty((steps, B), bool), np.empty((steps, B), bool)
        actions = []
        for t in range(steps):
            states[t] = self.states
            chosen = act(self.states)
            actions.append(chosen)
            found, rewards[t], terminated[t], truncated[t], info = self.envs.step(self.spaces.clipped(chosen))
            after[t] = found
            for b in np.flatnonzero(terminated[t] | truncated[t]):
                after[t, b] = info["final_obs"][b]
            if not (np.isfinite(rewards[t]).all() and np.isfinite(after[t]).all() and np.isfinite(found).all()):
                self._refuse(rewards[t], np.concatenate([after[t], np.asarray(found, np.float32)], 1), t)
            self.states = np.asarray(found, np.float32)
        self.interactions += steps * B
        return Rollout(states, np.stack(actions), rewards, after, terminated, truncated)

    def _refuse(self, rewards: NDArray[Any], observations: NDArray[Any], t: int) -> NoReturn:
        paid = np.isfinite(rewards)
        b = int(np.flatnonzero(~(paid & np.isfinite(observations).all(1)))[0])
        given = "an observation that is no number" if paid[b] else f"the reward {rewards[b]}"
        step = self.interactions // len(rewards) + t + 1
        raise TrainingFailed(
            f"environment {b} (seed {self._seed}) gave {given} in step {step}, want finite numbers; nothing was "
            "learned from it: mend the environment"
        )

    @property
    def places(self) -> list[Place]:
        """Where the environments are."""
        return self.envs.places

    def go_to(self, places: Sequence[Place]) -> None:
        """Bring the environments to where they were; their steps on the way do not count as interactions."""
        self.states = np.asarray(self.envs.go_to(places), np.float32)

    def close(self) -> None:
        """Close the environments."""
        self.envs.close()


def episodes(env: str | MakeEnv, act: Act, number: int, seed: int, num_envs: int = 8) -> list[Episode]:
    """The first `number` episodes, begun by environments in turn: long and short ones are as frequent as they are.

    Environment b plays episodes b, b + B, ...; taking whichever end first would favour short ones.
    """
    num_envs = min(num_envs, number)
    collector = Collector(env, num_envs, seed)
    wanted = [len(range(b, number, num_envs)) for b in range(num_envs)]
    done: list[list[Episode]] = [[] for _ in range(num_envs)]
    open_: list[list[tuple[Any, ...]]] = [[] for _ in range(num_envs)]
    try:
        while any(len(d) < w for d, w in zip(done, wanted, strict=True)):
            step = collector.collect(act, 1)
            for b in range(num_envs):
                if len(done[b]) >= wanted[b]:
                    continue
                open_[b].append((step.states[0, b], step.actions[0, b], step.rewards[0, b]))
                if step.terminated[0, b] or step.truncated[0, b]:
                    rows = open_[b]
                    done[b].append(
                        Episode(
                            np.stack([row[0] for row in rows] + [step.next_states[0, b]]),
                            collector.spaces.clipped(np.stack([row[1] for row in rows])),
                            np.array([row[2] for row in rows]),
                            bool(step.terminated[0, b]),
                            bool(step.truncated[0, b]),
                        )
                    )
                    open_[b] = []
    finally:
        collector.close()
    return [done[i % num_envs][i // num_envs] for i in range(number)]
