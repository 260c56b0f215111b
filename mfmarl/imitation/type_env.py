"""Agents of one type of a population game, each of them a learner of its own, in one gymnasium vector environment."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from envs.population import PopulationEnv, Step
from mfmarl.deviation import DeviationEnv, Sight, some_deviators
from mfmarl.imitation.repeatable import Place
from mfmarl.seeding import stream
from mfmarl.yardstick import Player


def copies_for(slots: int, agents: int) -> int:
    """The fewest copies of a game over which `slots` learners of a type of `agents` are spread evenly."""
    return next(copies for copies in range(-(-slots // agents), slots + 1) if slots % copies == 0)


class TypeVectorEnv(VectorEnv[NDArray[np.float32], NDArray[Any], NDArray[Any]]):
    """Slot b n + i is learner i of copy b; the profile plays everyone else, the type's other agents among them.

    With as many slots as the type has agents, or a multiple, the whole type learns; with one slot a copy a single agent
    does, among a population that stays as the profile makes it. What a slot sees is its agent's observation, the
    others' actions of the period before, and the time (`mfmarl.deviation.clock`); it is paid its agent's own reward.

    Copies end together. That is a truncation, unless the game itself says that it is over.
    """

    metadata = {"autoreset_mode": AutoresetMode.SAME_STEP}  # noqa: RUF012  # gymnasium's own way of declaring it

    def __init__(
        self, make: Callable[[int], PopulationEnv], player: Player, kind: int, sight: Sight, num_envs: int, seed: int
    ) -> None:
        """Args:
        make: copies -> the game, which has a `horizon`.
        kind: the type that learns.
        num_envs: slots.
        seed: episode i begins with a seed of this and i alone.
        """
        agents = int((np.asarray(make(1).agent_types) == kind).sum())
        copies = copies_for(num_envs, agents)
        inner = make(copies)
        self.game = DeviationEnv(inner, player, some_deviators(inner, kind, num_envs // copies), seed=seed, sight=sight)
        self._terminates = getattr(getattr(inner, "config", None), "ending", None) == "finite"
        self._seed, self._episode = seed, -1
        self._played: list[NDArray[Any]] = []
        self.num_envs = num_envs
        self.single_observation_space = self.game.observation_space
        space = self.game.action_space
        # gymnasium's continuous actions are vectors
        self.single_action_space = (
            gym.spaces.Box(space.low.reshape(1), space.high.reshape(1), dtype=np.float32)
            if isinstance(space, gym.spaces.Box)
            else space
        )
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)

    def reset(
        self, *, seed: int | list[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Begin the next episode, whatever seed it is asked for."""
        return self._begin(self._episode + 1), {}

    def step(
        self, actions: NDArray[Any]
    ) -> tuple[NDArray[np.float32], NDArray[Any], NDArray[Any], NDArray[Any], dict[str, Any]]:
        """Play one period with actions [S] or [S, 1]; at the horizon the next episode begins in the same step."""
        given = np.asarray(actions).reshape(self.game.num_envs, self.game.num_agents)
        self._played.append(np.array(actions))
        step = self.game.step(given)
        rewards = step.reward.reshape(-1).astype(np.float64)
        ended, none = np.full(self.num_envs, bool(step.terminated.any())), np.zeros(self.num_envs, bool)
        if not ended.any():
            return self._rows(step.obs), rewards, none, none.copy(), {}
        assert step.final_obs is not None
        info: dict[str, Any] = {"final_obs": np.empty(self.num_envs, object), "_final_obs": ended}
        info["final_obs"][:] = list(self._rows(step.final_obs))
        flags = (ended, none) if self._terminates else (none, ended)
        return self._begin(self._episode + 1), rewards, *flags, info

    @property
    def places(self) -> list[Place]:
        """Where the slots are: all in the same episode."""
        played = np.stack(self._played, 1) if self._played else np.empty((self.num_envs, 0))
        return [Place(self._episode, row) for row in played]

    def go_to(self, places: Sequence[Place]) -> NDArray[np.float32]:
        """Bring the slots to where they were; what is seen there."""
        seen = self._begin(places[0].episode)
        for actions in zip(*(place.actions for place in places), strict=True):
            seen = self.step(np.stack(actions))[0]
        return seen

    def _begin(self, episode: int) -> NDArray[np.float32]:
        self._episode, self._played = episode, []
        step: Step = self.game.reset(stream(self._seed, "episode", episode))
        return self._rows(step.obs)

    def _rows(self, seen: NDArray[np.float32]) -> NDArray[np.float32]:
        return seen.reshape(self.num_envs, -1)
