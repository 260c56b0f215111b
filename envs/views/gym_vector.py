"""gymnasium view of B copies: a VectorEnv whose copies restart in the step that ends them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from envs.inventory.history import History
from envs.inventory.render import MODES, checked_mode, draw
from envs.views.joint import final_observation, joint_actions, joint_observation, joint_space, make_population


class PopulationVectorEnv(VectorEnv[NDArray[np.float32], NDArray[Any], NDArray[Any]]):
    """B copies of `PopulationGymEnv`'s game, stepped together: observations [B, N, D + M], rewards [B].

    `infos` has ``reward`` [B, N] and every metric of the step, of all copies, and beside each its mask ``_name`` [B].
    Where a copy ended there are ``final_obs``, an object array [B] of what it ended on, None for the others, and
    ``final_info``, the same entries as `infos` for the copies that ended, zeros for the others; both with their masks.
    """

    metadata = {  # noqa: RUF012  # gymnasium's own way of declaring it
        "render_modes": list(MODES),
        "render_fps": 4,
        "autoreset_mode": AutoresetMode.SAME_STEP,
    }

    def __init__(
        self,
        name: str,
        *,
        num_envs: int = 1,
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
        self.population = make_population(name, num_envs, {"num_agents": num_agents, "seed": seed} | overrides)
        self.num_envs = num_envs
        self.single_observation_space = joint_space(self.population)
        self.single_action_space = joint_actions(self.population)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        # nothing is kept where nothing is drawn
        self._history = None if render_mode is None else History(self.population)

    def reset(
        self, *, seed: int | list[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Start every copy anew; one seed, or one a copy. Copies cannot be reset one by one.

        Raises:
            ValueError: for a list that does not seed every copy, or a `reset_mask`.
        """
        if options and "reset_mask" in options:
            raise ValueError("copies end and restart by themselves; reset_mask is not taken")
        first: int | None
        if isinstance(seed, (list, tuple)):
            seeds = [s for s in seed if s is not None]
            if seeds and len(seeds) != len(seed):
                raise ValueError(f"seed every copy or none; got {seed}")
            first = seeds[0] if seeds else None
            step = self.population.reset(seeds or None)
        else:
            first = seed
            step = self.population.reset(seed)
        super().reset(seed=first)
        if self._history is not None:
            self._history.clear()
        return joint_observation(step), {}

    def step(
        self, actions: NDArray[Any]
    ) -> tuple[NDArray[np.float32], NDArray[Any], NDArray[Any], NDArray[Any], dict[str, Any]]:
        """Play one period in all copies with actions [B, N]; raises ValueError for one that is not of the space."""
        actions = np.asarray(actions)
        step = self.population.step(actions)
        if self._history is not None:
            self._history.add(step)
        values = {"reward": step.reward, **step.metrics}
        infos = _masked(values, np.ones(self.num_envs, np.bool_))
        ended = step.terminated | step.truncated
        if ended.any():
            final = final_observation(self.population, step, actions)
            infos["final_obs"] = np.full(self.num_envs, None, dtype=object)
            for copy in np.flatnonzero(ended):
                infos["final_obs"][copy] = final[copy]
            infos["final_info"] = _masked({name: ended[:, None] * value for name, value in values.items()}, ended)
            infos["_final_obs"] = infos["_final_info"] = ended
        rewards = step.reward.mean(1, dtype=np.float64)
        return joint_observation(step), rewards, step.terminated, step.truncated, infos

    def render(self) -> tuple[Any, ...] | None:
        """Each copy's episode so far as text or uint8 [H, W, 3]; None without a `render_mode`.

        A copy that restarted in the last step still shows the episode that ended in it.
        """
        if self._history is None:
            return None
        return tuple(draw(self._history, self.render_mode, copy) for copy in range(self.num_envs))


def _masked(values: Mapping[str, NDArray[Any]], mask: NDArray[np.bool_]) -> dict[str, Any]:
    """The values, and beside each the mask of the copies that have it."""
    return {**values, **dict.fromkeys((f"_{name}" for name in values), mask)}
