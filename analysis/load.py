"""Run folders as tidy tables: what the figures and the report are made of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.labels import labels
from mfmarl.errors import UserError
from mfmarl.runs.journal import read_journal
from mfmarl.runs.schema import RunInfo, open_run
from mfmarl.runs.store import EVALUATION, Evaluation, read_evaluation

REFERENCES = ("base_stock", "constant", "random")


class BadRun(UserError):
    """A run that cannot be compared: the folder, why, and the mend."""


@dataclass(frozen=True)
class Study:
    """Evaluated runs of one environment."""

    runs: list[RunInfo]
    labels: list[str]
    """What each run is called: runs of one name differ by their seed alone."""
    evaluations: list[Evaluation]
    agents: pd.DataFrame
    """One row per run, policy and agent: method (the run's label), seed, policy, agent, type, and the mean of each
    metric over episodes; policy is the run's label for trained policies. A metric that is missing is NaN."""
    episodes: pd.DataFrame
    """One row per run, policy, episode and agent with `profit` and `return`: what the density figures show."""
    journal: pd.DataFrame
    """One row per run and iteration: method, seed, counters and metrics."""
    missing: dict[str, str]
    """metric -> why it is missing somewhere."""

    @property
    def methods(self) -> list[str]:
        """Labels in the order of the alphabet."""
        return sorted(set(self.labels))

    @property
    def references(self) -> list[str]:
        """The reference policies that were played."""
        played = set(self.agents["policy"].unique())
        return [name for name in REFERENCES if name in played]

    @property
    def type_names(self) -> list[str]:
        """Agent types, in the order of the population."""
        return self.evaluations[0].type_names

    def scores(self, metric: str, policy: str, type_name: str | None = None) -> pd.Series:
        """Mean over agents (of one type) per seed: what intervals are taken over."""
        means, key = (self._means, policy) if type_name is None else (self._means_by_type, (policy, type_name))
        return means[metric].loc[key].dropna() if key in means.index else pd.Series(dtype=float)

    @cached_property
    def _means(self) -> pd.DataFrame:
        """Mean over agents of each metric, by policy and seed."""
        return self.agents.groupby(["policy", "seed"]).mean(numeric_only=True)

    @cached_property
    def _means_by_type(self) -> pd.DataFrame:
        """Mean over agents of each metric, by policy, type and seed."""
        return self.agents.groupby(["policy", "type", "seed"]).mean(numeric_only=True)


def load_study(folders: Sequence[Path]) -> Study:
    """Read run folders that were evaluated.

    Raises:
        BadRun: for a run without evaluation, one given twice, or runs of different environments in one comparison.
        UserError: for a folder that is no run.
        StorageFailed: for a damaged file; names it.
    """
    if not folders:
        raise BadRun("no runs given; want e.g. mfmarl report runs/*")
    infos = [open_run(Path(folder)) for folder in folders]
    evaluations = [_evaluation(Path(folder)) for folder in folders]
    names = labels([info.config for info in infos])
    _check_comparable(folders, infos, names, evaluations)
    journals = [_journal(*each) for each in zip(map(Path, folders), infos, names, strict=True)]
    told = list(zip(infos, names, evaluations, strict=True))
    return Study(
        infos,
        names,
        evaluations,
        pd.concat([_agents(*each) for each in told], ignore_index=True),
        pd.concat([_episodes(*each) for each in told], ignore_index=True),
        pd.concat(journals, ignore_index=True),
        {m: why for e in evaluations for t in e.policies.values() for m, why in t.why.items()},
    )


def _evaluation(folder: Path) -> Evaluation:
    if not (folder / EVALUATION).exists():
        raise BadRun(f"{folder} was not evaluated; run `mfmarl evaluate {folder}` first")
    return read_evaluation(folder / EVALUATION)


def _check_comparable(
    folders: Sequence[Path], infos: list[RunInfo], names: list[str], evaluations: list[Evaluation]
) -> None:
    kinds = [
        (i.config.env, i.num_agents, e.split, e.discount, e.periods, _options(i), _episodes_of(e))
        for i, e in zip(infos, evaluations, strict=True)
    ]
    for folder, kind in zip(folders, kinds, strict=True):
        if kind != kinds[0]:
            say = "{} with N = {}, played on {} with discount {} over {} periods, options {}, {} episodes"
            raise BadRun(
                f"{folder} is of {say.format(*kind)}, but {folders[0]} of {say.format(*kinds[0])}; "
                "one report compares runs of one environment, evaluated alike"
            )
    demand: dict[int, tuple[Path, int]] = {}
    for folder, info, evaluation in zip(folders, infos, evaluations, strict=True):
        first, root = demand.setdefault(info.seed, (folder, evaluation.seed))
        if evaluation.seed != root:
            raise BadRun(
                f"{folder} and {first} have seed {info.seed}, but were evaluated on other demand (seeds "
                f"{evaluation.seed} and {root}), so they are no pair; evaluate both with the same --seed, or without"
            )
    seen = Counter((name, info.seed) for name, info in zip(names, infos, strict=True))
    for (method, seed), count in seen.items():
        if count > 1:
            raise BadRun(f"{count} runs of method {method} have seed {seed}; give one run per method and seed")


def _episodes_of(evaluation: Evaluation) -> int:
    """Of each policy, the trained one among them."""
    return len(next(iter(evaluation.policies["trained"].metrics.values())))


def _options(info: RunInfo) -> str:
    """The environment's own settings, without the part of the data, which evaluation chooses."""
    mine = {k: v for k, v in sorted(info.config.env_options.items()) if k != "split"}
    return ", ".join(f"{k}={v}" for k, v in mine.items()) or "none"


def _journal(folder: Path, info: RunInfo, name: str) -> pd.DataFrame:
    lines = read_journal(folder)
    rows = [{k: v for k, v in line.items() if k != "metrics"} | dict(line["metrics"]) for line in lines]
    return pd.DataFrame(rows).assign(method=name, seed=info.seed)


def _agents(info: RunInfo, name: str, evaluation: Evaluation) -> pd.DataFrame:
    types = [evaluation.type_names[k] for k in evaluation.agent_types]
    tables = []
    for policy, table in evaluation.policies.items():
        with np.errstate(all="ignore"):
            columns = {m: _mean(values) for m, values in table.metrics.items()}
        tables.append(
            pd.DataFrame({"agent": evaluation.agent_names, "type": types, **columns}).assign(
                policy=name if policy == "trained" else policy, method=name, seed=info.seed
            )
        )
    return pd.concat(tables, ignore_index=True)


def _mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean over episodes [E, N] -> [N]; NaN where every episode is."""
    known = np.isfinite(values)
    total = np.where(known, values, 0.0).sum(0)
    count = known.sum(0)
    mean: NDArray[np.float64] = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
    return mean


def _episodes(info: RunInfo, name: str, evaluation: Evaluation) -> pd.DataFrame:
    types = np.array(evaluation.type_names)[evaluation.agent_types]
    tables = []
    for policy, table in evaluation.policies.items():
        profit = table.metrics["profit"]
        tables.append(
            pd.DataFrame(
                {
                    "policy": name if policy == "trained" else policy,
                    "seed": info.seed,
                    "episode": np.repeat(np.arange(profit.shape[0]), profit.shape[1]),
                    "type": np.tile(types, profit.shape[0]),
                    "profit": profit.ravel(),
                }
            )
        )
    return pd.concat(tables, ignore_index=True)
