"""MeanFieldEnvRunner: an RLlib EnvRunner around a Rollout; one PopulationBatch per sample."""

from __future__ import annotations

import time
import traceback
from collections.abc import Collection
from typing import Any

import ray
import torch
from ray.rllib.core import COMPONENT_RL_MODULE, DEFAULT_MODULE_ID
from ray.rllib.env import INPUT_ENV_SPACES
from ray.rllib.env.env_runner import EnvRunner
from ray.rllib.utils.checkpoints import Checkpointable
from ray.rllib.utils.metrics import (
    NUM_AGENT_STEPS_SAMPLED_LIFETIME,
    NUM_ENV_STEPS_SAMPLED,
    NUM_ENV_STEPS_SAMPLED_LIFETIME,
    NUM_EPISODES_LIFETIME,
    WEIGHTS_SEQ_NO,
)

from mfmarl.config import TrainConfig
from mfmarl.rllib.module import PopulationModule
from mfmarl.rllib.pulse import start_pulse
from mfmarl.rollout import Rollout
from mfmarl.trainer import make_env, make_rollout, rollout_state, set_rollout_state


class FailedSample:
    """What a runner returns in place of a fragment when its environment or policy failed.

    RLlib would hide an exception raised in a remote runner and train on without it; this reaches the driver.
    """

    def __init__(self, error: Exception) -> None:
        self.message = f"{type(error).__name__}: {error}"
        self.kind = type(error).__name__
        self.text = str(error)
        self.traceback = traceback.format_exc()

    def env_steps(self) -> int:
        """No step was taken."""
        return 0

    def agent_steps(self) -> int:
        """No step was taken."""
        return 0


class MeanFieldEnvRunner(EnvRunner, Checkpointable):
    """Runner r plays `num_envs` copies of the game; worker index 0 is the driver's own."""

    def __init__(self, *, config: Any, **kwargs: Any) -> None:
        super().__init__(config=config, **kwargs)
        torch.set_num_threads(1)
        self.train_config = TrainConfig.model_validate(self.config.train_config)
        self.worker_index = int(kwargs.get("worker_index") or 0)
        self.rollout: Rollout | None = None
        self.module: PopulationModule | None = None
        self._weights_seq_no = 0
        self._asked = (0, 0)
        self.make_env()
        self.make_module()
        if self.config.num_env_runners > 0 and self.worker_index > 0:
            start_pulse(self.config.run_name, self.worker_index, self._reached)

    def _reached(self) -> tuple[int, int]:
        assert self.rollout is not None
        fragment, before = self._asked
        return fragment, self.rollout.total_steps - before

    def make_env(self) -> None:
        """The copies of the game; the driver's own runner has none while remote runners play."""
        remote = self.config.num_env_runners > 0
        if remote and self.worker_index == 0:
            return
        epoch = 0
        if remote and ray.get_runtime_context().was_current_actor_reconstructed:
            # a restarted actor must not repeat its streams
            epoch = time.time_ns()
        self.rollout = make_rollout(self.train_config, max(0, self.worker_index - 1), epoch)
        self.env = self.rollout.env

    def make_module(self) -> None:
        """The acting copy of the policies lives in the rollout."""
        if self.rollout is not None:
            self.module = self.config.get_rl_module_spec(spaces=self.get_spaces(), inference_only=True).build()
            self.rollout.network = self.module.network

    def sample(
        self,
        *,
        num_timesteps: int | None = None,
        num_episodes: int | None = None,
        explore: bool | None = None,
        random_actions: bool = False,
        force_reset: bool = False,
        fragment: int = 0,
        **kwargs: Any,
    ) -> list[Any]:
        """One fragment, or a FailedSample; always a list of one plain object.

        Args:
            fragment: its number, under which the driver hears how far it is; all others are RLlib's, and not used.
        """
        if self.rollout is None:
            raise RuntimeError("this runner holds no environment")
        self._asked = (fragment, self.rollout.total_steps)
        try:
            batch = self.rollout.collect(self.train_config.fragment_length)
        except Exception as error:  # the learner raises it in the driver
            return [FailedSample(error)]
        for key, value in (
            (NUM_ENV_STEPS_SAMPLED_LIFETIME, batch.env_steps()),
            (NUM_AGENT_STEPS_SAMPLED_LIFETIME, batch.agent_steps()),
            (NUM_EPISODES_LIFETIME, batch.returns.shape[0]),
        ):
            self.metrics.log_value(key, value, reduce="lifetime_sum")
        self.metrics.log_value(NUM_ENV_STEPS_SAMPLED, batch.env_steps(), reduce="sum")
        return [batch]

    def get_spaces(self) -> dict[str, Any]:
        """Spaces of one agent; works without an environment of its own."""
        env = self.rollout.env if self.rollout is not None else make_env(self.train_config, num_envs=1)
        spaces = (env.observation_space, env.action_space)
        return {INPUT_ENV_SPACES: spaces, DEFAULT_MODULE_ID: spaces}

    def get_metrics(self) -> Any:
        """Counters since the last call."""
        return self.metrics.reduce()

    def assert_healthy(self) -> None:
        """Raises where the runner was not built."""
        if self.config.num_env_runners == 0 or self.worker_index > 0:
            assert self.rollout is not None

    def stop(self) -> None:
        """Nothing to release."""

    def get_state(
        self,
        components: str | Collection[str] | None = None,
        *,
        not_components: str | Collection[str] | None = None,
        **kwargs: Any,
    ) -> dict[str, Any]:
        """Weights only: a restarted runner is sent another's state, so environments and generators stay out."""
        if self.module is None:
            return {WEIGHTS_SEQ_NO: self._weights_seq_no}
        return {
            COMPONENT_RL_MODULE: {DEFAULT_MODULE_ID: self.module.get_state()},
            WEIGHTS_SEQ_NO: self._weights_seq_no,
        }

    def set_state(self, state: Any) -> None:
        """Take new weights, whatever their number."""
        if isinstance(state, ray.ObjectRef):
            state = ray.get(state)
        if self.module is not None and COMPONENT_RL_MODULE in state:
            modules = state[COMPONENT_RL_MODULE]
            if isinstance(modules, ray.ObjectRef):
                modules = ray.get(modules)
            self.module.set_state(modules.get(DEFAULT_MODULE_ID, modules))
        self._weights_seq_no = state.get(WEIGHTS_SEQ_NO, self._weights_seq_no)

    def export(self) -> tuple[Any, Any]:
        """State of the environments, generators and acting weights, for mfmarl's own checkpoint."""
        assert self.rollout is not None
        return rollout_state(self.rollout)

    def restore(self, arrays: Any, rest: Any) -> None:
        """Take back what `export` gave."""
        assert self.rollout is not None
        set_rollout_state(self.rollout, arrays, rest)

    def get_ctor_args_and_kwargs(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """What RLlib needs to make this runner again."""
        return (), {"config": self.config}

    def get_checkpointable_components(self) -> list[tuple[str, Any]]:
        """None of RLlib's: its checkpoints are pickles, ours are not."""
        return []
