"""Mean-field Q-learning as an RLlib Algorithm on the new API stack."""

from __future__ import annotations

import time
import uuid
from typing import Any

import ray
from ray.exceptions import RayActorError
from ray.rllib.algorithms.algorithm import Algorithm
from ray.rllib.algorithms.algorithm_config import AlgorithmConfig
from ray.rllib.core import COMPONENT_LEARNER, COMPONENT_RL_MODULE
from ray.rllib.core.rl_module.rl_module import RLModuleSpec
from ray.rllib.utils.metrics import ENV_RUNNER_RESULTS, LEARNER_RESULTS

from envs.population import type_slices
from mfmarl.config import TrainConfig
from mfmarl.errors import TrainingFailed
from mfmarl.rllib.env_runner import FailedSample, MeanFieldEnvRunner
from mfmarl.rllib.learner import MeanFieldLearner
from mfmarl.rllib.module import PopulationModule
from mfmarl.rllib.pulse import Patience, end, learners_at_work, watch_calls
from mfmarl.rollout import PopulationBatch
from mfmarl.trainer import journal_metrics, make_env, merged

PROBE_S = 5.0
"""For one ping of a runner that is being restarted; it is asked again."""


class MeanFieldConfig(AlgorithmConfig):
    """RLlib's configuration of a run; everything of ours is in `train_config`, as plain data."""

    def __init__(self, algo_class: type | None = None) -> None:
        super().__init__(algo_class=algo_class or MeanFieldAlgorithm)
        self.train_config: dict[str, Any] = {}
        self.run_name = uuid.uuid4().hex
        """Under which runners tell how far they are."""

    def get_default_rl_module_spec(self) -> RLModuleSpec:
        """The stacked networks of all types as one module."""
        return RLModuleSpec(module_class=PopulationModule, model_config={"train": self.train_config})

    @classmethod
    def of(cls, config: TrainConfig) -> MeanFieldConfig:
        """The RLlib configuration that runs `config`."""
        this = cls()
        this.train_config = config.model_dump(mode="json")
        this.framework("torch")
        this.env_runners(
            env_runner_cls=MeanFieldEnvRunner,
            num_env_runners=config.num_env_runners,
            num_envs_per_env_runner=config.num_envs,
            rollout_fragment_length=config.fragment_length,
        )
        this.learners(
            learner_class=MeanFieldLearner, num_learners=config.num_learners, num_gpus_per_learner=_gpus(config)
        )
        this.training(gamma=config.learner.discount, lr=config.learner.learning_rate)
        this.fault_tolerance(
            restart_failed_env_runners=True,
            delay_between_env_runner_restarts_s=0.0,
            env_runner_health_probe_timeout_s=PROBE_S,
        )
        this.reporting(min_time_s_per_iteration=0, min_sample_timesteps_per_iteration=0)
        # runners have no connectors, so there is nothing to synchronise besides the weights
        this._dont_auto_sync_env_runner_states = True
        # RLlib's own seeds are sums and collide; ours come from the seed tree
        this.seed = None
        return this


def _gpus(config: TrainConfig) -> int:
    if config.num_learners == 0:
        return 0
    return 1 if ray.cluster_resources().get("GPU", 0) >= config.num_learners else 0


class MeanFieldAlgorithm(Algorithm):
    """Runners play fragment i + 1 while the learner learns from fragment i: a fixed staleness of one."""

    _pending: list[Any]

    @classmethod
    def get_default_config(cls) -> MeanFieldConfig:
        """RLlib asks for it."""
        return MeanFieldConfig()

    def setup(self, config: AlgorithmConfig) -> None:
        """Build runners and learners."""
        self._pending = []
        self._fragment = self._updates = 0
        env = make_env(TrainConfig.model_validate(config.train_config), num_envs=1)
        self._types, self._type_names = type_slices(env.agent_types), list(env.type_names)
        super().setup(config)
        watch_calls(self.env_runner_group, self.config.run_name)

    def training_step(self) -> None:
        """One iteration; logs through `self.metrics` and keeps the journal's numbers in `self.last_result`."""
        if not self._pending:
            self._pending = self._finish(self._ask())
        current = self._pending
        asked = self._ask()
        self.last_result = self._learn(current)
        self._pending = self._finish(asked)
        self._send_weights()
        for name, value in self.last_result["metrics"].items():
            self.metrics.log_value((LEARNER_RESULTS, name), value, window=1)
        for name, value in self.last_result["progress"].items():
            self.metrics.log_value((ENV_RUNNER_RESULTS, name), value, window=1)

    def _ask(self) -> list[int]:
        """Ask every remote runner for its next fragment; without remote runners, play it here."""
        group = self.env_runner_group
        if group.num_remote_workers() == 0:
            self._local = [ray.put(self.env_runner.sample())]
            return []
        runners = list(range(1, group.num_remote_workers() + 1))
        self._fragment += 1
        self._play(runners)
        return runners

    def _play(self, runners: list[int]) -> None:
        asked = {"fragment": self._fragment}
        self.env_runner_group.foreach_env_runner_async("sample", tag="sample", kwargs=asked, remote_worker_ids=runners)

    def _finish(self, asked: list[int]) -> list[Any]:
        """References to the fragments asked for, in the order of their runners; dead runners are replaced.

        Raises:
            TrainingFailed: within 60 s where no runner that is waited for plays on (`mfmarl.rllib.pulse` says what
                counts), all are dead, or one dies again and again.
        """
        if not asked:
            return self._local
        group = self.env_runner_group
        arrived: dict[int, Any] = {}
        patience = Patience(self.config.run_name, self._fragment)
        while len(arrived) < len(asked):
            ready = group._worker_manager.fetch_ready_async_reqs(
                tags="sample", timeout_seconds=0.5, return_obj_refs=True
            )
            for result in ready.ignore_errors():
                reference = result.get()
                try:
                    # a dead runner's error hides in the reference, and would only surface in the learner
                    ray.get(reference)
                except RayActorError:
                    group._worker_manager.set_actor_state(result.actor_id, False)
                else:
                    arrived[result.actor_id] = reference
                    patience.renew()
            missing = [r for r in asked if r not in arrived]
            if not missing:
                break
            dead = [r for r in missing if not group._worker_manager.is_actor_healthy(r)]
            if dead:
                restored = [r for r in self.restore_env_runners(group) if r in missing]
                if restored:
                    self._send_weights(restored)
                    self._play(restored)
                else:
                    # one that is not coming back answers its ping at once
                    time.sleep(0.2)
            if patience.is_over(missing):
                raise end(group, missing)
        return [arrived[r] for r in asked]

    def _learn(self, references: list[Any]) -> dict[str, Any]:
        self._updates += 1
        remote = self.learner_group._workers if self.config.num_learners else []
        with learners_at_work(remote, self.config.run_name, self._updates):
            results = self.learner_group.update(episodes_refs=list(references))
        if len(results) != max(1, self.config.num_learners):
            raise TrainingFailed(
                "a learner died: its replay and optimiser are gone; `mfmarl train --resume` goes on from the last "
                "checkpoint, with --verbose for its output"
            )
        failed = [r for r in results if "failed" in r]
        if failed:
            # after one learner the others fail too, for they lose its connection
            root = min(failed, key=lambda r: r.get("time", 0.0))
            told = "" if root["kind"] == "TrainingFailed" else f"{root['kind']} in {root['where']}: "
            raise TrainingFailed(told + root["failed"])
        played = sorted((p for r in results for p in r["played"]), key=lambda p: p.runner)
        metrics = merged([r["metrics"] for r in results]) | journal_metrics(played, self._types, self._type_names)
        return {"metrics": metrics, "progress": results[0]["progress"]}

    def _send_weights(self, runners: list[int] | None = None) -> None:
        """These runners, or all, get the learner's weights before they play on; who plays now would be waited for."""
        state = self.learner_group.get_state(
            components=f"{COMPONENT_LEARNER}/{COMPONENT_RL_MODULE}", inference_only=True
        )[COMPONENT_LEARNER]
        if self.env_runner_group.num_remote_workers() == 0:
            self.env_runner.set_state(state)
            return
        reference = ray.put(state)
        self.env_runner_group.foreach_env_runner(
            "set_state", kwargs={"state": reference}, local_env_runner=False, remote_worker_ids=runners
        )

    def fragments(self) -> list[PopulationBatch]:
        """The fragments that were asked for ahead, for a checkpoint."""
        batches = [item for reference in self._pending for item in ray.get(reference)]
        for item in batches:
            if isinstance(item, FailedSample):
                raise TrainingFailed(item.text)
        return batches

    def set_fragments(self, batches: list[PopulationBatch]) -> None:
        """Go on from fragments that a checkpoint held."""
        self._pending = [ray.put([batch]) for batch in batches]
