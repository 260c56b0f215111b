"""Run folders with numbers made by hand, as `mfmarl train` and `mfmarl evaluate` write them: no game is played."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mfmarl.config import TrainConfig
from mfmarl.runs.journal import Journal
from mfmarl.runs.schema import create_run
from mfmarl.runs.store import Evaluation, PolicyTable, write_evaluation

AGENTS, EPISODES, PERIODS = 4, 3, 5
LEVELS = {"base_stock": 20.0, "constant": 5.0, "random": -10.0}
"""Reference policy -> its profit."""
NAMES = ("small", "large")


def write_run(
    folder: Path,
    method: str = "is",
    seed: int = 1,
    *,
    profit: float = 10.0,
    curve: Sequence[float | None] = (1.0, 2.0, 3.0),
    types: Sequence[str] = NAMES,
    env: str = "inventory/market-easy",
    policies: Sequence[str] = tuple(LEVELS),
    why: str = "",
    **config: Any,
) -> Path:
    """A run of four agents of two types; all of them earn `profit` in every episode.

    Args:
        curve: return_mean of each iteration; None where no episode ended.
        why: where given, there is a metric `backlog` without numbers for this reason.
        config: more fields of its configuration.
    """
    kinds = [0, 0, 1, 1]
    names = [f"{types[k]}_{i}" for i, k in enumerate(kinds)]
    settings = TrainConfig.model_validate({"env": env, "num_agents": AGENTS, "seed": seed, "method": method} | config)
    run = create_run(
        settings, folder, name=f"{method}-{len(list(folder.glob('*')))}", agent_types=kinds, type_names=types,
        agent_names=names, device="cpu",
    )  # fmt: skip
    with Journal(run) as journal:
        for i, value in enumerate(curve, 1):
            counts = {"episodes": i, "env_steps": 10 * i, "agent_steps": 40 * i, "gradient_steps": i, "time_s": 1.0 * i}
            weights = {"ess": 1 - 0.1 * i, "weight_mean": 1.0, "weight_max": 1.0 + i, "temper": 1.0}
            journal.append({"iteration": i, **counts, "metrics": {"return_mean": value, "drift_tv": 0.1, **weights}})
    told = {"trained": profit, **{name: LEVELS.get(name, 0.0) for name in policies}}
    tables = {name: _table(level, why) for name, level in told.items()}
    evaluation = Evaluation(
        run.name, method, "mfq", env, "simulated", seed, 0.99, PERIODS, np.array(kinds), names, list(types), tables
    )  # fmt: skip
    write_evaluation(run, evaluation)
    return run


def _table(profit: float, why: str) -> PolicyTable:
    values = np.full((EPISODES, AGENTS), profit, float)
    metrics = {"profit": values, "return": PERIODS * values, "stock": np.full_like(values, 2.0)}
    return PolicyTable(metrics | ({"backlog": np.full_like(values, np.nan)} if why else {}), {"backlog": why})
