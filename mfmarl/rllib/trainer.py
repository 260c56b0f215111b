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
from mfmarl.trainer import States, Tensors, learner_state, pack_state, unpack_pending


class RLlibTrainer:
    """One run on RLlib: local or remote runners, a local or a remote learner."""

    def __init__(self, config: TrainConfig, *, address: str | None = None, verbose: bool = False) -> None:
        # Ray sets this in actors only; spinning threads in the driver triple the time of small products
        torch.set_num_threads(1)
        self.config = config
        start_ray(config.num_env_runners + config.num_learners + 2, address, verbose)
        # RLlib's own default tells of each actor that died in several lines, before our one
        chosen = MeanFieldConfig.of(config).debugging(log_level="INFO" if verbose else "CRITICAL")
        try:
            self.algorithm = chosen.build_algo()
        except (RayError, IndexError) as error:
            # RLlib looks for the first runner, and where none came up there is none
            raise TrainingFailed(
                f"no runner or learner came up on the cluster ({type(error).__name__}); is this version of mfmarl "
                "installed on every node? --verbose shows the workers' output"
            ) from error
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

    def _on_learners(self, functions: list[Any]) -> list[Any]:
        """What each learner's function gives, in the order of the learners."""
        group = self.algorithm.learner_group
        if self.config.num_learners == 0:
            return [function(group._learner) for function in functions]
        asked = [group.foreach_learner(f, remote_actor_ids=[rank]) for rank, f in enumerate(functions)]
        found = [result for results in asked for result in results]
        if len(found) != len(functions) or not all(r.ok for r in found):
            raise TrainingFailed("a learner died; `mfmarl train --resume` goes on from the last checkpoint")
        return [result.get() for result in found]

    def _on_runners(self, functions: list[Any]) -> list[Any]:
        group = self.algorithm.env_runner_group
        if self.config.num_env_runners == 0:
            return [functions[0](group.local_env_runner)]
        results: list[Any] = group.foreach_env_runner(functions, local_env_runner=False)
        if len(results) != len(functions):
            raise TrainingFailed("an environment runner died while its state was taken or given")
        return results

    def get_state(self) -> tuple[Tensors, States]:
        """Checkpoint contents, the same as the local trainer's; further learners add what they hold alone."""
        others = max(1, self.config.num_learners) - 1
        (tensors, states), *shards = self._on_learners(
            [lambda learner: learner_state(learner.core)] + [lambda learner: learner.core.get_shard()] * others
        )
        for rank, (replay, rng) in enumerate(shards, 1):
            tensors[f"replay_{rank}"], states[f"learner_{rank}"] = replay, {"rng": rng}
        runners = self._on_runners([lambda runner: runner.export()] * max(1, self.config.num_env_runners))
        return pack_state(tensors, states, runners, self.algorithm.fragments())

    def set_state(self, tensors: Tensors, states: States) -> None:
        """Go on from checkpoint contents, bit for bit."""
        shared = {k: v for k, v in tensors.items() if not k.startswith(("runner_", "pending_", "replay_"))}

        def part(rank: int) -> Any:
            mine, state = shared, states["learner"]
            if rank:
                mine, state = mine | {"replay": tensors[f"replay_{rank}"]}, state | states[f"learner_{rank}"]
            return lambda learner: learner.core.set_state(mine, state)

        self._on_learners([part(rank) for rank in range(max(1, self.config.num_learners))])

        def give(r: int) -> Any:
            arrays, rest = tensors[f"runner_{r}"], states[f"runner_{r}"]
            return lambda runner: runner.restore(arrays, rest)

        self._on_runners([give(r) for r in range(max(1, self.config.num_env_runners))])
        self.algorithm.set_fragments(unpack_pending(tensors, states))

    def close(self) -> None:
        """Stop runners and learners; Ray itself stays up for the next run of this process."""
        self.algorithm.stop()
