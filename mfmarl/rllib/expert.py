"""Experts for imitation: RLlib's PPO on one gymnasium environment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from ray.rllib.algorithms.ppo import PPOConfig
from ray.rllib.core.rl_module.default_model_config import DefaultModelConfig

from mfmarl.imitation.rollout import Act, spaces_of
from mfmarl.rllib.action_laws import acting
from mfmarl.rllib.quiet import start_ray

COPIES = 8
ROUND = 2048
"""Steps of one iteration."""


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
