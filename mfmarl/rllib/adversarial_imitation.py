"""GAIL and AIRL by RLlib's PPO, with the settings of the core's agents."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from ray.rllib.core.rl_module.default_model_config import DefaultModelConfig
from ray.rllib.utils.metrics import ENV_RUNNER_RESULTS

from mfmarl.imitation.adversarial_agent import AdversarialAgent
from mfmarl.imitation.demonstrations import Demonstrations
from mfmarl.imitation.rollout import Act, spaces_of
from mfmarl.rllib.action_laws import acting
from mfmarl.rllib.adversarial_ppo import IMITATION, AdversarialPPOConfig, Method, make_agent
from mfmarl.rllib.quiet import start_ray


@dataclass(frozen=True)
class Imitated:
    """An imitator whose policy RLlib has trained."""

    act: Act
    """Its likeliest actions."""
    module: Any = field(repr=False)
    """RLlib's."""
    agent: AdversarialAgent[Any] = field(repr=False)
    """Whose discriminator paid it; its own policy was not trained."""
    history: list[dict[str, float]] = field(repr=False)
    """A row a round: interactions, the environment's mean return, and the discriminator's figures."""


def algorithm_config(
    method: Method,
    env: str,
    settings: Mapping[str, Any],
    demonstrations: Demonstrations,
    interactions: int,
    seed: int = 0,
    num_env_runners: int = 0,
    num_learners: int = 0,
) -> AdversarialPPOConfig:
    """RLlib's settings that are nearest to the core's: the same rounds, PPO without its penalty on KL.

    Args:
        settings: of the core's GAIL or AIRL agent.
        interactions: steps of the environment to play, at least; the learning rate falls to 0 over them.

    Raises:
        UserError: for settings that are wrong, or demonstrations of another environment.
    """
    config = make_agent(method, settings, seed).config
    demonstrations.check_fits(config.spaces, "the agent")
    demonstrations.check_fits(spaces_of(env), env)
    ppo, share = config.ppo, max(1, num_learners)
    lr = [[0, config.policy_lr], [interactions, 0.0]] if ppo.anneal else config.policy_lr
    built: AdversarialPPOConfig = (
        AdversarialPPOConfig()
        .environment(env)
        .env_runners(
            num_env_runners=num_env_runners, num_envs_per_env_runner=config.num_envs // max(1, num_env_runners),
            rollout_fragment_length=config.rollout,
        )
        .training(
            gamma=ppo.discount, lambda_=ppo.trace_decay, lr=lr, clip_param=ppo.clip, entropy_coeff=ppo.entropy,
            vf_loss_coeff=ppo.value_weight, vf_clip_param=float("inf"), use_kl_loss=False,
            grad_clip=ppo.max_grad_norm, num_epochs=ppo.epochs,
            train_batch_size_per_learner=config.steps_a_round // share, minibatch_size=ppo.minibatch // share,
        )
        .rl_module(
            model_config=DefaultModelConfig(
                fcnet_hiddens=list(config.hidden_dims), fcnet_activation=ppo.activation, vf_share_layers=False
            )
        )
        .learners(num_learners=num_learners)
        .reporting(min_time_s_per_iteration=0, min_sample_timesteps_per_iteration=0)
        .debugging(seed=seed % 2**31, log_level="ERROR")
        .imitating(method, settings, demonstrations, seed, interactions)
    )  # fmt: skip
    return built


def imitate_by_rllib(config: AdversarialPPOConfig, told: Callable[[dict[str, float]], None] | None = None) -> Imitated:
    """Play and learn for at least as many steps of the environment as the settings say.

    Args:
        config: of `algorithm_config`.
        told: is given each round's row of the history.

    Raises:
        TrainingFailed: where a learner fails, or does not have the discriminator that all have.
    """
    interactions, shown = config.imitation["interactions"], config.imitation["demonstrations"]
    start_ray(1 + config.num_env_runners + config.num_learners)
    torch.set_num_threads(1)
    algorithm: Any = config.build_algo()
    history: list[dict[str, float]] = []
    try:
        while not history or history[-1]["interactions"] < interactions:
            found = algorithm.train()
            played = found[ENV_RUNNER_RESULTS]
            row = {"interactions": float(played["num_env_steps_sampled_lifetime"])}
            row["return"] = float(played.get("episode_return_mean", float("nan")))
            history.append(row | {name: float(value) for name, value in found[IMITATION].items()})
            if told is not None:
                told(history[-1])
        module = algorithm.get_module()
    finally:
        algorithm.stop()
    return Imitated(acting(module, shown.spaces), module, algorithm.agent, history)
