"""RLlibTrainer: the LocalTrainer's interface over the RLlib algorithm."""

from __future__ import annotations

from typing import Any

import torch
from ray.exceptions import RayError

from mfmarl.algorithms.learner import COUNTERS, Metrics
from mfmarl.config import TrainConfig
from mfmarl.errors import TrainingFailed
from mfmarl.rllib.algorithm import MeanFieldConfig
from mfmarl.rllib.quiet import start_ray
from mfmarl.rollout import batch_arrays
from mfmarl.trainer import States, Tensors, unpack_pending


class RLlibTrainer:
    """One run on RLlib: local or remote runners, a local or a remote learner."""

    def __init__(self, config: TrainConfig, *, address: str | None = None, verbose: bool = False) -> None:
        # Ray sets this in actors only; spinning threads in the driver triple the time of small products
        torch.set_num_threads(1)
        self.config = config
        start_ray(num_cpus=max(2, config.num_env_runners + config.num_learners + 1), address=address, verbose=verbose)
        self.algorithm = MeanFieldConfig.of(config).build_algo()
        self._progress = dict.fromkeys(COUNTERS, 0)

    def iterate(self) -> Metrics:
        """One training iteration; returns the metrics of its journal line."""
        try:
            self.algorithm.train()
        except RayError as error:
            first = str(error).strip().splitlines()[-1]
            raise TrainingFailed(
                f"a Ray worker failed ({type(error).__name__}: {first}); the last checkpoint stands: `mfmarl train "
                "--resume` goes on from it, with --verbose for the workers' output"
            ) from error
        self._progress = self.algorithm.last_result["progress"]
        return dict(self.algorithm.last_result["metrics"])

    def progress(self) -> dict[str, int]:
        """The counters of the run so far."""
        return self._progress

    def _on_learner(self, function: Any) -> Any:
        results = list(self.algorithm.learner_group.foreach_learner(function))
        if len(results) != max(1, self.config.num_learners) or not all(r.ok for r in results):
            raise TrainingFailed("the learner died; `mfmarl train --resume` goes on from the last checkpoint")
        return results[0].get()

    def _on_runners(self, functions: list[Any]) -> list[Any]:
        group = self.algorithm.env_runner_group
        if self.config.num_env_runners == 0:
            return [functions[0](group.local_env_runner)]
        results: list[Any] = group.foreach_env_runner(functions, local_env_runner=False)
        if len(results) != len(functions):
            raise TrainingFailed("an environment runner died while its state was taken or given")
        return results

    def get_state(self) -> tuple[Tensors, States]:
        """Checkpoint contents, the same as the local trainer's."""
        tensors, learner, shape = self._on_learner(
            lambda learner: (*learner.core.get_state(), learner.core.network.shape.to_json())
        )
        states: States = {"learner": learner, "policy": shape}
        runners = self._on_runners([lambda runner: runner.export()] * max(1, self.config.num_env_runners))
        for r, (arrays, rest) in enumerate(runners):
            tensors[f"runner_{r}"], states[f"runner_{r}"] = arrays, rest
        for r, batch in enumerate(self.algorithm.fragments()):
            tensors[f"pending_{r}"], states[f"pending_{r}"] = batch_arrays(batch)
        return tensors, states

    def set_state(self, tensors: Tensors, states: States) -> None:
        """Go on from checkpoint contents, bit for bit."""
        learner_tensors = {k: v for k, v in tensors.items() if not k.startswith(("runner_", "pending_"))}
        learner_state = states["learner"]
        self._on_learner(lambda learner: learner.core.set_state(learner_tensors, learner_state))

        def give(r: int) -> Any:
            arrays, rest = tensors[f"runner_{r}"], states[f"runner_{r}"]
            return lambda runner: runner.restore(arrays, rest)

        self._on_runners([give(r) for r in range(max(1, self.config.num_env_runners))])
        self.algorithm.set_fragments(unpack_pending(tensors, states))

    def close(self) -> None:
        """Stop runners and learners; Ray itself stays up for the next run of this process."""
        self.algorithm.stop()
