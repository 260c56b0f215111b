"""MeanFieldLearner: an RLlib TorchLearner whose replay and fused update are those of the core's learner."""

from __future__ import annotations

import os
import threading
import time
import traceback
from typing import Any

import torch
from ray.rllib.core.learner.torch.torch_learner import TorchLearner
from ray.rllib.core.learner.training_data import TrainingData

from mfmarl.algorithms.learner import Learner
from mfmarl.algorithms.peers import Peers
from mfmarl.config import TrainConfig
from mfmarl.errors import TrainingFailed
from mfmarl.rllib.env_runner import FailedSample
from mfmarl.rllib.pulse import learner_number, start_pulse
from mfmarl.trainer import Played, learner_progress, make_env, make_learner


class MeanFieldLearner(TorchLearner):
    """Owns its shard of the replay. What failed in a runner or here goes back as {"failed": ...} instead of raising:
    a remote learner that raises is marked unhealthy and its later updates return nothing, in silence.

    Several learners average their gradients themselves, one flat vector a step (`Learner._move`), since the fused
    update computes gradients without the module's forward pass, on which DistributedDataParallel hangs its own.
    """

    core: Learner

    def build(self) -> None:
        """Build RLlib's module, then the core's learner around its networks."""
        torch.set_num_threads(1)
        self.train_config = TrainConfig.model_validate(self.config.train_config)
        super().build()

    def _make_modules_ddp_if_necessary(self) -> None:
        """The core averages gradients; its networks stay as they are."""

    def configure_optimizers_for_module(self, module_id: str, config: Any = None) -> None:
        """Register the core's optimiser: of the online networks; RLlib's module holds the averaged ones that act."""
        env = make_env(self.train_config, num_envs=1)
        self.peers = Peers.of_process_group()
        self.core = make_learner(self.train_config, env, self.module[module_id].network, self.peers)
        self._asked = (0, 0)
        if self.config.num_learners > 0:
            start_pulse(self.config.run_name, learner_number(self.peers.rank), self._reached)
        self.register_optimizer(
            module_id=module_id,
            optimizer=self.core.optimiser,
            params=self.core.parameters,
            lr_or_lr_schedule=self.train_config.learner.learning_rate,
        )

    def _reached(self) -> tuple[int, int]:
        update, before = self._asked
        return update, self.core.gradient_steps - before

    def update(self, training_data: TrainingData | None = None, **kwargs: Any) -> dict[str, Any]:
        """Store the fragments and take the gradient steps they are due."""
        assert training_data is not None
        self._asked = (self._asked[0] + 1, self.core.gradient_steps)
        try:
            training_data.solve_refs()
            batches = list(training_data.episodes or ())
            spoilt = self.peers.first(next((b for b in batches if isinstance(b, FailedSample)), None))
            if spoilt is not None:
                return {"failed": spoilt.text, "kind": spoilt.kind, "where": "an environment runner"}
            metrics = self.core.learn(batches)
        except TrainingFailed as error:
            return {"failed": str(error), "kind": "TrainingFailed"}
        except Exception as error:
            if self.config.num_learners == 0:
                raise
            traceback.print_exc()
            if self.peers.number > 1:
                # the others wait for this one's gradients, and stop waiting when its process ends
                threading.Timer(1.0, os._exit, (1,)).start()
            told = {"failed": str(error), "kind": type(error).__name__, "where": f"learner {self.peers.rank}"}
            return told | {"time": time.time()}
        self._weights_seq_no += 1
        played = [Played.of(batch) for batch in batches]
        return {"metrics": metrics, "played": played, "progress": learner_progress(self.core)}

    def compute_loss_for_module(self, *, module_id: str, config: Any, batch: Any, fwd_out: Any) -> Any:
        """The loss is part of the fused update; RLlib's minibatch loop never runs here."""
        raise RuntimeError(f"module {module_id} is trained by Learner.learn, not through RLlib's minibatch loop")
