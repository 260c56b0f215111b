"""Shards of episodes as RLlib's offline data, read by the learner itself: a window of steps after the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import torch
from ray.rllib.core.columns import Columns
from ray.rllib.env.single_agent_episode import SingleAgentEpisode
from ray.rllib.offline.offline_data import OfflineData
from ray.rllib.policy.sample_batch import MultiAgentBatch, SampleBatch

from mfmarl.seeding import stream

ROWS = 16
"""Episodes that are read together."""


class ShardStream(OfflineData):
    """What RLlib's BC and MARWIL sample from, in place of Ray Data.

    Ray Data starts its workers anew whenever the data end, which took 70 s here for 10,000 steps, and draws single
    steps, so that advantages would be of one step, by values as old as the stream. Here whole episodes go through the
    learner's own connectors, with its values of now.
    """

    def __init__(self, config: Any) -> None:
        self.config = config
        self.window = int(config.learner_config_dict["window"])
        """Steps that are held, in random order, for the gradient steps of one iteration."""
        self.iter_batches_kwargs: dict[str, Any] = {}
        self.learner_handles: list[Any] = []
        self.locality_hints = self.module_spec = self.spaces = None
        self.rng = np.random.default_rng(stream(config.seed, "offline"))
        self._episodes = endless([Path(path) for path in config.input_], self.rng)

    def sample(self, num_samples: int, **_: Any) -> MultiAgentBatch:
        """The next window, from which the learner takes batches of `num_samples`; steps beyond whole batches go."""
        episodes: list[SingleAgentEpisode] = []
        while sum(map(len, episodes)) < max(self.window, num_samples):
            episodes.append(next(self._episodes))
        (learner,) = self.learner_handles
        columns = learner._learner_connector(
            rl_module=learner.module, batch={}, episodes=episodes, shared_data={}, metrics=None
        )
        batches = {module: _shuffled(rows, num_samples, self.rng) for module, rows in columns.items()}
        return MultiAgentBatch(batches, env_steps=max(map(len, batches.values())))


def endless(files: Sequence[Path], rng: np.random.Generator) -> Iterator[SingleAgentEpisode]:
    """Every episode once, shards in random order, and again; of a shard `ROWS` episodes are in memory."""
    for again in count():
        for i in rng.permutation(len(files)):
            with pq.ParquetFile(files[i]) as file:
                for rows in file.iter_batches(batch_size=ROWS):
                    for row in rows.to_pylist():
                        yield _episode(row, again)


def _episode(row: dict[str, Any], again: int) -> SingleAgentEpisode:
    states = np.array([*row["obs"], row["new_obs"][-1]], np.float32)
    actions = np.array(row["actions"])
    found = SingleAgentEpisode(
        # the same episode may come twice within a window
        id_=f"{row['eps_id'][0]}_{again}",
        observations=list(states),
        actions=list(actions.astype(np.float32) if actions.ndim > 1 else actions),
        rewards=row["rewards"],
        infos=[{} for _ in states],
        terminated=row["terminateds"][-1],
        truncated=row["truncateds"][-1],
        len_lookback_buffer=0,
    )
    found.to_numpy()
    return found


def _shuffled(columns: dict[str, Any], size: int, rng: np.random.Generator) -> SampleBatch:
    """Whole batches of rows in random order, without those that RLlib added for the values at the ends."""
    number = len(next(iter(columns.values())))
    mask = columns.get(Columns.LOSS_MASK, torch.ones(number, dtype=torch.bool))
    real = torch.nonzero(mask).squeeze(1)
    order = real[torch.from_numpy(rng.permutation(len(real))[: max(len(real) // size, 1) * size])]
    return SampleBatch({name: values[order] for name, values in columns.items() if torch.is_tensor(values)})
