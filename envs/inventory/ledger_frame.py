"""Whole episodes as a tidy table: a row for every copy, episode, period and agent, a column for every term."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from envs.population import PopulationEnv, Step

KEYS = ("copy", "episode", "period", "agent", "type")
"""The columns before the metrics and the reward. Episodes are counted from 0 in each copy, periods from 1."""


class EpisodeRecorder:
    """Feed it every step after a reset, in order."""

    def __init__(self, env: PopulationEnv) -> None:
        names = getattr(env, "agent_names", None) or [f"agent_{i}" for i in range(env.num_agents)]
        self._agents = pd.Categorical(list(names), categories=list(names))
        self._types = pd.Categorical.from_codes(np.asarray(env.agent_types), categories=pd.Index(list(env.type_names)))
        self._copies = env.num_envs
        self._columns: dict[str, list[NDArray[np.float32]]] = {}
        """name -> [B, N] a step"""
        self._clock: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []
        """episode and period [B] a step"""
        self._episode = np.zeros(self._copies, np.int64)
        self._period = np.ones(self._copies, np.int64)
        self.ended: list[tuple[int, int]] = []
        """(copy, episode) of the episodes that are over, in the order in which they ended."""

    def add(self, step: Step) -> None:
        """Keep one step.

        Raises:
            ValueError: for a step of another shape, or one with other metrics than the steps before.
        """
        shape = (self._copies, len(self._agents))
        if step.reward.shape != shape:
            raise ValueError(f"rewards have shape {step.reward.shape}; this recorder is of {shape}, copies x agents")
        now = {**step.metrics, "reward": step.reward}
        if self._columns and now.keys() != self._columns.keys():
            differing = sorted(now.keys() ^ self._columns.keys())
            raise ValueError(f"the steps have different metrics: {', '.join(differing)} only in some of them")
        for name, values in now.items():
            self._columns.setdefault(name, []).append(values)
        self._clock.append((self._episode.copy(), self._period.copy()))
        ended = step.terminated | step.truncated
        self.ended.extend((int(copy), int(self._episode[copy])) for copy in np.flatnonzero(ended))
        self._episode += ended
        self._period = np.where(ended, 1, self._period + 1)

    def to_frame(self, episodes: Sequence[tuple[int, int]] | None = None) -> pd.DataFrame:
        """All steps so far, or those of the given (copy, episode): `KEYS`, every metric, reward.

        Rows stand by copy, episode, period and agent. Agent and type are categories, metrics and reward float32; a
        name such as ``ledger/holding_cost`` stays the column's name. `to_csv` and `to_parquet` write it.
        """
        agents, steps = len(self._agents), len(self._clock)
        clock = np.array(self._clock, np.int64).reshape(steps, 2, self._copies)
        # [B, T]: copies first, so that an episode's rows stand together
        episode, period = clock[:, 0].T, clock[:, 1].T
        kept = np.ones(episode.shape, np.bool_)
        if episodes is not None:
            wanted = set(episodes)
            kept = np.array([[(b, int(e)) in wanted for e in row] for b, row in enumerate(episode)], np.bool_)
            kept = kept.reshape(episode.shape)
        copy = np.nonzero(kept)[0]
        rows: dict[str, Any] = {
            name: np.repeat(values, agents)
            for name, values in (("copy", copy), ("episode", episode[kept]), ("period", period[kept]))
        }
        everyone = np.tile(np.arange(agents), copy.size)
        rows["agent"], rows["type"] = self._agents[everyone], self._types[everyone]
        for name, values in self._columns.items():
            rows[name] = np.stack(values, 1)[kept].ravel()
        return pd.DataFrame(rows)


def record(
    env: PopulationEnv, policy: Callable[[Step], Any], episodes: int, *, seed: int | None = None
) -> pd.DataFrame:
    """Reset, play until `episodes` episodes of all copies together are over, and return these as a table.

    Args:
        env: of the NumPy backend.
        policy: from the step just seen to actions [B, N].
        episodes: at least 1; of the copies that end together the first are kept.
        seed: of the episodes; without one the environment goes on with the streams it has.

    Raises:
        ValueError: for fewer than one episode, and as the environment and the policy do.
    """
    if episodes < 1:
        raise ValueError(f"episodes is {episodes}; at least one is played")
    recorder = EpisodeRecorder(env)
    step = env.reset(seed)
    while len(recorder.ended) < episodes:
        step = env.step(policy(step))
        recorder.add(step)
    return recorder.to_frame(recorder.ended[:episodes])


def write_frame(frame: pd.DataFrame, path: Path) -> None:
    """The table as a file, of the kind its name ends in; whole or not at all.

    Raises:
        ValueError: for an ending other than .parquet and .csv.
        OSError: where the disk does not take it.
    """
    if path.suffix not in (".parquet", ".csv"):
        raise ValueError(f"{path}: want a name that ends in .parquet or .csv")
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        if path.suffix == ".parquet":
            frame.to_parquet(temporary, index=False)
        else:
            frame.to_csv(temporary, index=False)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
