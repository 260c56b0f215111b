"""RLlib's own PPO and DQN over the MultiAgentEnv view, as baselines: one policy per agent type.

What agents observe is what ours observe: their own entries and the mean action of the step before. Checkpoints hold
our tensors and no pickle. A resumed run has its weights, Adam's moments and counters back; it plays new episodes, and
DQN fills its replay anew, so it is no bit-equal continuation.
"""

from __future__ import annotations

import uuid
import warnings
from functools import partial
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from numpy.typing import NDArray
from ray.exceptions import RayError
from ray.rllib.algorithms.algorithm import Algorithm
from ray.rllib.algorithms.algorithm_config import AlgorithmConfig
from ray.rllib.algorithms.dqn import DQNConfig as StockDQN
from ray.rllib.algorithms.ppo import PPOConfig as StockPPO
from ray.rllib.core.rl_module.default_model_config import DefaultModelConfig
from ray.rllib.policy.policy import PolicySpec
from ray.tune.registry import register_env

from envs.population import type_slices
from mfmarl.algorithms.learner import COUNTERS, Metrics
from mfmarl.config import TrainConfig
from mfmarl.errors import TrainingFailed, UserError
from mfmarl.policy import module_arrays
from mfmarl.rllib.baseline_config import BaselineConfig
from mfmarl.rllib.pulse import watch_calls
from mfmarl.rllib.quiet import start_ray
from mfmarl.rllib.stock_env import StockEnv, follow_streams, reward_spread
from mfmarl.rllib.stock_weights import are_finite, flat, nested, optimiser_tables, policy_of, with_moments
from mfmarl.seeding import stream
from mfmarl.trainer import States, Tensors, make_env, root_seed

SPREAD_STEPS = 52


def settings_of(config: TrainConfig) -> BaselineConfig:
    """The section of the run's baseline."""
    return config.ppo if config.algorithm == "ppo" else config.dqn


class BaselineTrainer:
    """One run of RLlib's PPO or DQN; the interface of the other trainers."""

    def __init__(self, config: TrainConfig, *, address: str | None = None, verbose: bool = False) -> None:
        torch.set_num_threads(1)
        self.config = config
        env = make_env(config)
        if not isinstance(env.action_space, gym.spaces.Discrete):
            raise UserError(f"{config.algorithm} plays discrete actions here; {config.env} has {env.action_space}")
        self.types = type_slices(env.agent_types)
        self.type_names = list(env.type_names)
        self.sizes = np.array([s.stop - s.start for s in self.types], np.float64)
        self.observations = int(np.prod(env.observation_space.shape))
        self.total_steps = config.num_episodes * int(getattr(env, "horizon", 1))
        self.scale = reward_spread(env, root_seed(config), SPREAD_STEPS)
        self._type_of_agent = [self.type_names[k] for k in env.agent_types.tolist()]
        self._progress = dict.fromkeys(COUNTERS, 0)
        self._steps_before = 0
        self._verbose = verbose
        start_ray(config.num_env_runners + config.num_learners + 2, address, verbose)
        self.algorithm = self._build()

    def _build(self) -> Algorithm:
        root, run = root_seed(self.config), uuid.uuid4().hex
        register_env("mfmarl_stock", StockEnv)
        with warnings.catch_warnings():
            # RLlib registers its wrapper with gymnasium anew for every algorithm of a process
            warnings.filterwarnings("ignore", message=".*Overriding environment", category=UserWarning)
            built = self._rllib_config(run).build_algo()
        watch_calls(built.env_runner_group, run)
        if self.config.algorithm == "dqn":
            # RLlib gives its replay no seed
            drawn = stream(root, "replay", self._progress["iteration"])
            replay = built.local_replay_buffer
            replay.rng = np.random.default_rng(drawn)
            # and draws for a set of types, whose order differs from process to process
            replay.sample = partial(replay.sample, modules_to_sample=self.type_names)
        return built

    def _rllib_config(self, run: str) -> AlgorithmConfig:
        config, settings = self.config, settings_of(self.config)
        root, epoch = root_seed(config), self._progress["iteration"]
        by_agent = self._type_of_agent
        options = {
            **config.env_options, "name": config.env, "num_agents": len(by_agent), "seed": stream(root, "population"),
            "reward_scale": self.scale.tolist(), "discount": settings.discount, "root": root, "epoch": epoch,
        }  # fmt: skip
        made: AlgorithmConfig = StockPPO() if config.algorithm == "ppo" else StockDQN()
        made.environment("mfmarl_stock", env_config=options, disable_env_checking=True)
        made.env_runners(
            num_env_runners=config.num_env_runners,
            num_envs_per_env_runner=config.num_envs,
            rollout_fragment_length=config.fragment_length,
            # RLlib would go on without those that are late; `watch_calls` ends what hangs
            sample_timeout_s=None,
        )
        made.learners(num_learners=config.num_learners, num_gpus_per_learner=0)
        # a dictionary, since a set's order, and with it the initial weights, would differ from process to process
        made.multi_agent(
            policies={name: PolicySpec() for name in self.type_names},
            policy_mapping_fn=lambda agent, *_, **__: by_agent[agent],
        )
        made.rl_module(
            model_config=DefaultModelConfig(
                fcnet_hiddens=list(settings.hidden), fcnet_activation="relu", vf_share_layers=False
            )
        )
        made.training(gamma=settings.discount, lr=settings.learning_rate, grad_clip=settings.max_grad_norm)
        made.callbacks(on_environment_created=partial(follow_streams, run=run))
        made.fault_tolerance(restart_failed_env_runners=False)
        made.reporting(min_time_s_per_iteration=0, min_sample_timesteps_per_iteration=0)
        made.debugging(seed=stream(root, "rllib", epoch) % 2**31, log_level="INFO" if self._verbose else "CRITICAL")
        self._configure(made)
        return made

    def _configure(self, made: AlgorithmConfig) -> None:
        """What only one of the two has."""
        config = self.config
        copies = config.num_envs * max(1, config.num_env_runners)
        steps = copies * config.fragment_length
        if config.algorithm == "ppo":
            ppo = config.ppo
            made.training(
                train_batch_size_per_learner=steps,
                minibatch_size=ppo.batch_agent_steps,
                num_epochs=ppo.epochs,
                clip_param=ppo.clip,
                lambda_=ppo.gae_lambda,
                entropy_coeff=ppo.entropy_bonus,
                # values are returns of many steps: RLlib's default of 10 would stop their gradient
                vf_clip_param=float("inf"),
            )
            return
        dqn = config.dqn
        updates = max(1, round(dqn.gradient_steps_per_step * config.fragment_length))
        # RLlib counts the driver as a runner here, whether it plays or not
        native = dqn.batch_agent_steps / (config.fragment_length * config.num_envs * (config.num_env_runners + 1))
        made.training(
            train_batch_size_per_learner=dqn.batch_agent_steps,
            training_intensity=updates * native,
            num_steps_sampled_before_learning_starts=dqn.warmup_population_steps,
            replay_buffer_config={
                "type": "MultiAgentEpisodeReplayBuffer", "capacity": dqn.replay_population_steps
            },
            target_network_update_freq=dqn.target_every,
            epsilon=self._epsilons(),
            double_q=True,
            dueling=False,
            num_atoms=1,
        )  # fmt: skip

    def _epsilon(self, env_steps: int) -> float:
        share = min(1.0, env_steps / (self.config.dqn.epsilon_fraction * self.total_steps))
        return 1.0 + share * (self.config.dqn.epsilon_end - 1.0)

    def _epsilons(self) -> list[tuple[int, float]]:
        """RLlib's schedule from here on: it counts the environment steps of this process."""
        left = round(self.config.dqn.epsilon_fraction * self.total_steps) - self._steps_before
        return [(0, self._epsilon(self._steps_before)), (max(1, left), self.config.dqn.epsilon_end)]

    def iterate(self) -> Metrics:
        """One of RLlib's training iterations; returns the metrics of its journal line.

        Raises:
            TrainingFailed: where a worker failed, or a loss or weight is not finite; the last checkpoint stands.
        """
        try:
            result = self.algorithm.train()
            finished = [episode for runner in self._on_runners(_take_finished) for episode in runner]
        except TrainingFailed:
            raise
        except (RayError, RuntimeError) as error:
            raise _failure(error) from error
        learned = {k: v for k, v in result.get("learners", {}).items() if k in self.type_names}
        played = result.get("env_runners", {}).get("num_env_steps_sampled_lifetime", 0)
        steps = self._steps_before + int(played)
        if steps == self._progress["env_steps"]:
            raise TrainingFailed(
                f"RLlib's {self.config.algorithm} sampled no step in iteration {self._progress['iteration'] + 1}; "
                "the last checkpoint stands: `mfmarl train --resume` goes on from it, with --verbose for the workers' "
                "output"
            )
        self._progress = {
            "iteration": self._progress["iteration"] + 1,
            "env_steps": steps,
            "agent_steps": steps * len(self.scale),
            "gradient_steps": self._on_learner(_gradient_steps),
            "episodes": self._progress["episodes"] + len(finished),
        }
        metrics = self._loss_metrics(learned) if learned else {}
        if self.config.algorithm == "dqn":
            metrics["epsilon"] = self._epsilon(steps)
        if not all(np.isfinite(v) for v in metrics.values()) or not are_finite(self._on_learner(_modules)):
            raise TrainingFailed(
                f"a loss or weight of RLlib's {self.config.algorithm} is not finite in iteration "
                f"{self._progress['iteration']}; the last checkpoint stands: lower "
                f"{self.config.algorithm}.learning_rate and start anew"
            )
        return metrics | self._return_metrics(finished)

    def _loss_metrics(self, learned: dict[str, Any]) -> Metrics:
        """RLlib's, as means over agents, and the loss of each type."""

        def mean(key: str, scale: NDArray[np.float64] | float = 1.0) -> float:
            values = np.array([float(learned[name][key]) for name in self.type_names])
            return float(np.average(values * scale, weights=self.sizes))

        metrics = {"loss": mean("total_loss")}
        metrics |= {f"loss/{name}": float(learned[name]["total_loss"]) for name in self.type_names}
        if self.config.algorithm == "ppo":
            keys = {"policy_loss": "policy_loss", "vf_loss": "value_loss", "entropy": "entropy", "mean_kl_loss": "kl"}
            return metrics | {ours: mean(theirs) for theirs, ours in keys.items()}
        dollars = np.array([self.scale[s.start] for s in self.types])
        return metrics | {"q_mean": mean("qf_mean", dollars)}

    def _return_metrics(self, finished: list[tuple[NDArray[np.float64], NDArray[np.float64]]]) -> Metrics:
        if not finished:
            return {}
        returns, profits = (np.stack(arrays) for arrays in zip(*finished, strict=True))
        metrics = {"return_mean": float(returns.mean()), "profit_mean": float(profits.mean())}
        for name, agents in zip(self.type_names, self.types, strict=True):
            metrics[f"return_mean/{name}"] = float(returns[:, agents].mean())
        return metrics

    def progress(self) -> dict[str, int]:
        """The counters of the run so far."""
        return self._progress

    def _on_learner(self, function: Any) -> Any:
        results = list(self.algorithm.learner_group.foreach_learner(function))
        if len(results) != max(1, self.config.num_learners) or not all(r.ok for r in results):
            raise TrainingFailed("the learner died; `mfmarl train --resume` goes on from the last checkpoint")
        return results[0].get()

    def _on_runners(self, function: Any) -> list[Any]:
        group = self.algorithm.env_runner_group
        if self.config.num_env_runners == 0:
            return [function(group.local_env_runner)]
        return list(group.foreach_env_runner(function, local_env_runner=False))

    def get_state(self) -> tuple[Tensors, States]:
        """Checkpoint contents: our policies, RLlib's weights, Adam's moments, counters."""
        modules = {name: self._on_learner(_modules)[name] for name in self.type_names}
        version = self._progress["gradient_steps"]
        policy = policy_of(self.config.algorithm, modules, self.types, self.observations, version)
        tensors = {
            "policy": module_arrays(policy),
            "modules": flat(modules),
            "optimiser": flat(self._on_learner(_optimiser)),
        }
        learner = self._progress | {"kl_coefficients": self._on_learner(_kl_coefficients)}
        return tensors, {"learner": learner, "policy": policy.shape.to_json()}

    def set_state(self, tensors: Tensors, states: States) -> None:
        """Go on from checkpoint contents, with new episodes and an empty replay."""
        self._progress = {name: int(states["learner"][name]) for name in self._progress}
        self._steps_before = self._progress["env_steps"]
        # schedules and streams of a built algorithm cannot be moved on
        self.algorithm.stop()
        self.algorithm = self._build()
        modules, moments = nested(tensors["modules"]), nested(tensors["optimiser"])
        coefficients = states["learner"]["kl_coefficients"]

        def take(learner: Any) -> None:
            fresh = learner.get_state(components=["optimizer"])["optimizer"]
            learner.set_state({"rl_module": modules, "optimizer": with_moments(fresh, moments)})
            for name, value in coefficients.items():
                learner.curr_kl_coeffs_per_module[name].data.fill_(value)

        self._on_learner(take)
        self.algorithm.env_runner_group.sync_weights(
            from_worker_or_learner_group=self.algorithm.learner_group, inference_only=True, timeout_seconds=None
        )

    def close(self) -> None:
        """Stop runners and learners; Ray itself stays up for the next run of this process."""
        self.algorithm.stop()


def _failure(error: Exception) -> Exception:
    """What stopped RLlib, which wraps what an environment raises."""
    if isinstance(error, RayError):
        first = str(error).strip().splitlines()[-1]
        return TrainingFailed(
            f"a Ray worker failed ({type(error).__name__}: {first}); the last checkpoint stands: `mfmarl train "
            "--resume` goes on from it, with --verbose for the workers' output"
        )
    cause = error.__cause__
    if cause is None:
        return error
    told = "" if isinstance(cause, TrainingFailed) else f"{type(cause).__name__} in an environment: "
    return TrainingFailed(told + str(cause))


def _take_finished(runner: Any) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    return [episode for env in runner.env.envs for episode in env.unwrapped.take_finished()]


def _modules(learner: Any) -> dict[str, dict[str, NDArray[Any]]]:
    state = learner.get_state(components=["rl_module"])["rl_module"]
    return {name: {key: np.array(value) for key, value in weights.items()} for name, weights in state.items()}


def _optimiser(learner: Any) -> dict[str, dict[str, NDArray[Any]]]:
    return optimiser_tables(learner.get_state(components=["optimizer"])["optimizer"])


def _gradient_steps(learner: Any) -> int:
    """Of each type, as Adam counts them: RLlib steps all types together."""
    counted = [table.get("0/step") for table in _optimiser(learner).values()]
    return max(0 if steps is None else int(steps) for steps in counted)


def _kl_coefficients(learner: Any) -> dict[str, float]:
    """PPO's adaptive weights of the KL term; DQN has none."""
    found = getattr(learner, "curr_kl_coeffs_per_module", {})
    return {name: float(value) for name, value in found.items()}
