"""gymnasium view of one copy: a single agent that plays for the whole population."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from envs.inventory.history import History
from envs.inventory.render import MODES, checked_mode, draw
from envs.population import Step
from envs.views.joint import final_observation, itemised, joint_actions, joint_observation, joint_space, make_population


class PopulationGymEnv(gym.Env[NDArray[np.float32], NDArray[Any]]):
    """Observation [N, D + M] (every agent's own, then the mean action it sees), one action per agent.

    The reward is the mean over agents, in $; `info` has each agent's, under ``reward``, and every metric of the step.
    `render` draws the episode so far, the one that has just ended until `reset`.
    """

    metadata = {"render_modes": list(MODES), "render_fps": 4}  # noqa: RUF012  # gymnasium's own way of declaring it

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
        self.observation_space = joint_space(self.population)
        self.action_space = joint_actions(self.population)
        self._following: Step | None = None
        # nothing is kept where nothing is drawn
        self._history = None if render_mode is None else History(self.population)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Start an episode: of a new stream where a seed is given, else the next one of the running stream."""
        super().reset(seed=seed)
        # the population has already begun the episode after the one that ended
        step = self._following if seed is None else None
        self._following = None
        if step is None:
            step = self.population.reset(seed)
        if self._history is not None:
            self._history.clear()
        return joint_observation(step)[0], {}

    def step(self, action: NDArray[Any]) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """Play one period.

        Raises:
            RuntimeError: after the end of an episode, until `reset`.
            ValueError: for an action that is not one of the space.
        """
        if self._following is not None:
            raise RuntimeError("the episode has ended: call reset() before step()")
        actions = np.asarray(action)[None]
        step = self.population.step(actions)
        if self._history is not None:
            self._history.add(step)
        terminated, truncated = bool(step.terminated[0]), bool(step.truncated[0])
        if terminated or truncated:
            self._following = step
            obs = final_observation(self.population, step, actions)[0]
        else:
            obs = joint_observation(step)[0]
        return obs, float(step.reward[0].mean()), terminated, truncated, itemised(step, 0)

    def render(self) -> Any:
        """The episode so far as text or uint8 [H, W, 3], as `render_mode` says; None without one."""
        return draw(self._history, self.render_mode)
