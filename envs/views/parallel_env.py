"""PettingZoo's ParallelEnv view of one copy: every agent for itself, by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray
from pettingzoo import ParallelEnv

from envs.inventory.history import History
from envs.inventory.render import MODES, checked_mode, draw
from envs.population import Step
from envs.views.joint import (
    agent_actions,
    agent_names,
    agent_space,
    final_observation,
    gathered_actions,
    joint_observation,
    make_population,
)

Observations = dict[str, NDArray[np.float32]]


class PopulationParallelEnv(ParallelEnv[str, NDArray[np.float32], Any]):
    """Agents by the environment's own names, each observing its entries and the mean action it sees: [D + M].

    All agents act in every step and end together. The infos are empty; the whole step, its metrics included, is
    `last_step`.
    """

    metadata = {  # noqa: RUF012  # PettingZoo's own way of declaring it
        "name": "mfmarl_population_v0",
        "render_modes": list(MODES),
        "render_fps": 4,
        "is_parallelizable": True,
    }

    def __init__(
        self,
        name: str,
        *,
        num_agents: int | None = None,
        seed: int | None = None,
        render_mode: str | None = None,
        **overrides: Any,
    ) -> None:
        """Arguments as those of `envs.make`, and how `render` draws: ``ansi``, ``rgb_array`` or not at all.

        Raises:
            ValueError: for an unknown render mode, a backend other than NumPy, and as `envs.make` does.
        """
        self.render_mode = checked_mode(render_mode)
        self.population = make_population(name, 1, {"num_agents": num_agents, "seed": seed} | overrides)
        self.possible_agents = agent_names(self.population)
        self.agents: list[str] = []
        self.observation_spaces = dict.fromkeys(self.possible_agents, agent_space(self.population))
        # a space of its own for each agent, as each is sampled from a generator of its own
        self.action_spaces = {agent: agent_actions(self.population) for agent in self.possible_agents}
        self.last_step: Step | None = None
        """The population's step that the last `step` played; None after `reset`."""
        self._following: Step | None = None
        # nothing is kept where nothing is drawn
        self._history = None if render_mode is None else History(self.population)

    def observation_space(self, agent: str) -> gym.spaces.Box:
        """[D + M]."""
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> gym.spaces.Discrete[Any] | gym.spaces.Box:
        """Discrete(A), or Box (1,)."""
        return self.action_spaces[agent]

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observations, dict[str, dict[str, Any]]]:
        """Start an episode: of a new stream where a seed is given, else the next one of the running stream."""
        # the population has already begun the episode after the one that ended
        step = self._following if seed is None else None
        self._following = self.last_step = None
        if step is None:
            step = self.population.reset(seed)
        if self._history is not None:
            self._history.clear()
        self.agents = list(self.possible_agents)
        return self._by_agent(joint_observation(step)[0]), {agent: {} for agent in self.agents}

    def step(
        self, actions: Mapping[str, Any]
    ) -> tuple[Observations, dict[str, float], dict[str, bool], dict[str, bool], dict[str, dict[str, Any]]]:
        """Play one period; after the last one of an episode `agents` is empty until `reset`.

        Raises:
            RuntimeError: where no episode is running.
            ValueError: where an agent's action is missing or not of its space.
        """
        if not self.agents:
            raise RuntimeError("no episode is running: call reset() before step()")
        taken = gathered_actions(actions, self.possible_agents)
        step = self.population.step(taken)
        self.last_step = step
        if self._history is not None:
            self._history.add(step)
        terminated, truncated = bool(step.terminated[0]), bool(step.truncated[0])
        if terminated or truncated:
            self._following = step
            self.agents = []
            obs = final_observation(self.population, step, taken)[0]
        else:
            obs = joint_observation(step)[0]
        return (
            self._by_agent(obs),
            dict(zip(self.possible_agents, step.reward[0].tolist(), strict=True)),
            dict.fromkeys(self.possible_agents, terminated),
            dict.fromkeys(self.possible_agents, truncated),
            {agent: {} for agent in self.possible_agents},
        )

    def render(self) -> Any:
        """The episode so far as text or uint8 [H, W, 3], as `render_mode` says; None without one."""
        return draw(self._history, self.render_mode)

    def _by_agent(self, obs: NDArray[np.float32]) -> Observations:
        return dict(zip(self.possible_agents, obs, strict=True))
