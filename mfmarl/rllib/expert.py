"""Experts for imitation: RLlib's PPO on one gymnasium environment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from ray.rllib.algorithms.ppo import PPOConfig
from ray.rllib.connectors.connector_v2 import ConnectorV2
from ray.rllib.core.rl_module.default_model_config import DefaultModelConfig

from mfmarl.imitation.rollout import Act, spaces_of
from mfmarl.rllib.action_laws import acting
from mfmarl.rllib.quiet import start_ray
from mfmarl.rllib.reward_connector import paid

COPIES = 8
ROUND = 2048
"""Steps of one iteration."""


class ScaledRewards(ConnectorV2):
    """Rewards over the root mean square of what the first round's were worth; from then on the scale is fixed.

    A critic of 64 tanh units takes thousands of gradient steps to values of hundreds, as Pendulum's are: without scale
    the expert was at -1,376 after 300,000 steps, with it at -131 after 100,000.
    """

    def __init__(self, *spaces: Any, discount: float) -> None:
        super().__init__(*spaces)
        self.discount, self.scale = discount, 0.0

    def __call__(self, *, batch: dict[str, Any] | None, episodes: list[Any], **_: Any) -> Any:
        """The batch as it came; episodes of the list are replaced."""
        every = list(self.single_agent_episode_iterator(episodes, agents_that_stepped_only=False))
        rewards = [np.asarray(one.get_rewards(), float) for one in every]
        if not self.scale:
            worth = np.concatenate([discounted(one, self.discount) for one in rewards])
            self.scale = 1 / max(float(np.sqrt((worth**2).mean())), 1e-8)
        episodes[:] = [paid(one, self.scale * x) for one, x in zip(every, rewards, strict=True)]
        return batch


def discounted(rewards: NDArray[np.float64], discount: float) -> NDArray[np.float64]:
    """Rewards-to-go of one episode: [T]."""
    worth = rewards.copy()
    for t in range(len(worth) - 2, -1, -1):
        worth[t] += discount * worth[t + 1]
    return worth


def ppo_expert(
    env: str, steps: int, seed: int, told: Callable[[int, float], None] | None = None, discount: float = 0.99
) -> Act:
    """A policy that RLlib's PPO has learned in about `steps` steps; it plays the likeliest action.

    Args:
        told: is given the steps played and the mean return of recent episodes, after every iteration.

    Raises:
        UserError: for an environment that imitators do not take.
    """
    spaces = spaces_of(env)
    start_ray(2)
    torch.set_num_threads(1)
    config = (
        PPOConfig()
        .environment(env)
        .env_runners(num_env_runners=0, num_envs_per_env_runner=COPIES, rollout_fragment_length=ROUND // COPIES)
        .training(
            gamma=discount, lr=[[0, 1e-3], [steps, 0.0]], train_batch_size_per_learner=ROUND, minibatch_size=256,
            num_epochs=10, vf_clip_param=float("inf"), grad_clip=0.5, lambda_=0.95, entropy_coeff=0.0,
        )
        .rl_module(
            model_config=DefaultModelConfig(fcnet_hiddens=[64, 64], fcnet_activation="tanh", vf_share_layers=False)
        )
        .learners(learner_connector=lambda *spaces: ScaledRewards(*spaces, discount=discount))
        .reporting(min_time_s_per_iteration=0, min_sample_timesteps_per_iteration=0)
        .debugging(seed=seed % 2**31, log_level="ERROR")
    )  # fmt: skip
    algorithm: Any = config.build_algo()
    try:
        for played in range(ROUND, steps + ROUND, ROUND):
            result = algorithm.train()
            if told is not None:
                told(played, float(result["env_runners"].get("episode_return_mean", float("nan"))))
        module = algorithm.get_module()
    finally:
        algorithm.stop()
    return acting(module, spaces)
