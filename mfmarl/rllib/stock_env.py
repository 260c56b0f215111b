"""The MultiAgentEnv view as RLlib's own algorithms train on it: rewards in units of their spread, returns kept in $."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from envs.population import PopulationEnv, type_slices
from envs.views.multi_agent import Observations, PopulationMultiAgentEnv
from mfmarl.errors import TrainingFailed
from mfmarl.rllib.pulse import start_pulse
from mfmarl.seeding import generator, stream


class StockEnv(PopulationMultiAgentEnv):
    """One copy, its agents called 0 .. N-1.

    `config` holds, besides what the view takes, `reward_scale` ([N], divides rewards), `discount`, and `root` and
    `epoch` of the streams.
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        options = dict(config)
        self._scale = np.asarray(options.pop("reward_scale"), np.float64)
        self._discount = float(options.pop("discount"))
        self._root = int(options.pop("root"))
        self._epoch = int(options.pop("epoch"))
        super().__init__(options)
        # RLlib keeps agents in sets, whose order is that of hashes: those of text change from process to process
        numbers: Any = range(len(self.possible_agents))
        self.possible_agents, self.agents = list(numbers), list(numbers)
        self.observation_spaces = dict(zip(numbers, self.observation_spaces.values(), strict=True))
        self.action_spaces = dict(zip(numbers, self.action_spaces.values(), strict=True))
        self._stream: int | None = None
        self._where = f"seed {self._root}"
        self.steps = 0
        """That were played in all."""
        self._age = 0
        self._return = np.zeros(self._scale.shape)
        self._profit = np.zeros(self._scale.shape)
        self._finished: list[tuple[NDArray[np.float64], NDArray[np.float64]]] = []

    def follow(self, runner: int, copy: int) -> None:
        """Play the run's own stream of this copy from the next reset on: RLlib's seeds are sums and collide."""
        self._stream = stream(self._root, "env", runner, copy, self._epoch)
        self._where = f"copy {copy} of runner {runner}, seed {self._root}"

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observations, dict[str, Any]]:
        """Start the copy's stream, later its next episode; RLlib's own seed is passed over."""
        mine, self._stream = self._stream, None
        self._age = 0
        self._return[:] = 0.0
        self._profit[:] = 0.0
        return super().reset(seed=mine)

    def step(
        self, action_dict: Mapping[str, Any]
    ) -> tuple[Observations, dict[str, float], dict[str, bool], dict[str, bool], dict[str, Any]]:
        """Play one period.

        Raises:
            TrainingFailed: on a reward or observation that is not finite; names agent, step and seed.
        """
        obs, rewards, terminated, truncated, infos = super().step(action_dict)
        paid = np.array(list(rewards.values()))
        if not np.isfinite(paid).all():
            agent = int(np.argmin(np.isfinite(paid)))
            self._refuse(agent, f"reward {paid[agent]}")
        self._return += self._discount**self._age * paid
        self._profit += paid
        self._age += 1
        self.steps += 1
        if terminated["__all__"] or truncated["__all__"]:
            self._finished.append((self._return.copy(), self._profit / self._age))
        scaled = dict(zip(rewards, (paid / self._scale).tolist(), strict=True))
        return obs, scaled, terminated, truncated, infos

    def _by_agent(self, obs: NDArray[np.float32]) -> Observations:
        if not np.isfinite(obs).all():
            agent, entry = (int(i) for i in np.argwhere(~np.isfinite(obs))[0])
            self._refuse(agent, f"observation {obs[agent, entry]}")
        return super()._by_agent(obs)

    def _refuse(self, agent: int, what: str) -> NoReturn:
        raise TrainingFailed(
            f"agent_{agent} got {what} at step {self._age} of its episode ({self._where}); nothing was learned from "
            "it: mend the environment or its data, then `mfmarl train --resume`"
        )

    def take_finished(self) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
        """Discounted return [N] and mean reward per step [N], in $, of each episode that ended since the last call."""
        finished, self._finished = self._finished, []
        return finished


def follow_streams(*, env_runner: Any, env: Any, run: str = "", **_: Any) -> None:
    """RLlib's callback for a new vector environment: each copy follows its own stream.

    Args:
        run: under which a remote runner tells how far it is.
    """
    copies = [one.unwrapped for one in env.envs]
    for copy, one in enumerate(copies):
        one.follow(env_runner.worker_index, copy)
    if run and env_runner.worker_index > 0:
        start_pulse(run, env_runner.worker_index, lambda: (0, sum(one.steps for one in copies)))


def reward_spread(env: PopulationEnv, root: int, steps: int) -> NDArray[np.float64]:
    """[N]: the standard deviation of each type's rewards over `steps` steps of random actions; 1 where there is none.

    Mean-field Q-learning has the same units, measured while its replay fills.
    """
    rng = generator(root, "reward spread")
    env.reset(stream(root, "reward spread"))
    shape = (env.num_envs, env.num_agents)
    actions = int(env.action_space.n)  # type: ignore[attr-defined]  # the caller has refused other spaces
    rewards = np.stack([env.step(rng.integers(actions, size=shape)).reward for _ in range(steps)]).astype(np.float64)
    scale = np.ones(env.num_agents)
    for agents in type_slices(env.agent_types):
        spread = float(rewards[..., agents].std())
        scale[agents] = spread if np.isfinite(spread) and spread > 1e-8 else 1.0
    return scale
