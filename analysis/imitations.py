"""Folders of imitations, as `mfmarl imitate` writes them, as tidy tables: what their report is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from analysis.labels import flattened
from analysis.load import BadRun
from mfmarl.errors import DamagedFile, UserError
from mfmarl.imitation.folder import MEND
from mfmarl.model_text import one_line
from mfmarl.runs.files import read_capped, storing, to_json, unpacking
from mfmarl.runs.summed import read_summed

RECORD, EVALUATIONS, HISTORY = "imitation.json", "evaluations.csv", "history.csv"
LARGEST, LARGEST_TABLE = 64 << 20, 1 << 30
"""Bytes of the record and of a table that are read."""
EXPERT, RANDOM = "expert", "random"
"""Reference levels; random is also the expert of a survival probe: what a method makes of
demonstrations of random play."""
COUNTS = ("demonstrations", "interactions", "queries", "updates")
BUDGETS = ("interactions", "updates")
"""What an imitation is planned to use up."""
NEEDED = (*COUNTS, "acting", "episode", "return")
"""Columns of evaluations."""


class Spread(BaseModel):
    """A mean over episodes of one run, with its interval."""

    model_config = ConfigDict(allow_inf_nan=False)

    mean: float
    low: float | None = None
    high: float | None = None


class Shown(BaseModel):
    """The demonstrations."""

    episodes: int = 0
    steps: int = 0
    expert: str | None = None


class Converged(BaseModel):
    """Of MaxEnt IRL."""

    converged: bool


class Record(BaseModel):
    """imitation.json."""

    model_config = ConfigDict(frozen=True, populate_by_name=True, allow_inf_nan=False)

    schema_number: Literal[1] = Field(alias="schema")
    method: str
    env: str
    seed: int
    config: dict[str, Any]
    demonstrations: Shown | None
    expert: str | None
    counts: dict[str, int]
    cpu_seconds: float
    complete: bool
    metrics: dict[str, Spread | None]
    expert_return: Spread | None = None
    planned: dict[str, Any] = {}
    convergence: Converged | None = None

    @property
    def settings(self) -> dict[str, Any]:
        """What makes it another method than one by the same agent: its configuration and its budget."""
        return self.config | {name: self.planned[name] for name in BUDGETS if name in self.planned}

    @property
    def shown(self) -> int:
        """Episodes of the demonstrations."""
        return 0 if self.demonstrations is None else self.demonstrations.episodes

    @property
    def probe(self) -> bool:
        """Whether it imitates random play."""
        return RANDOM in (self.expert, self.demonstrations and self.demonstrations.expert)


@dataclass(frozen=True)
class Imitation:
    """One folder."""

    folder: Path
    record: Record
    evaluations: pd.DataFrame
    """A row per evaluation and episode: COUNTS, acting (mode or sampled), episode, return; none before the end."""
    history: pd.DataFrame
    """A row per round, or empty."""


def is_imitation(path: Path) -> bool:
    """Whether it is the folder of one."""
    return (path / RECORD).exists()


def imitations_in(paths: Sequence[Path]) -> list[Path]:
    """Those among `paths` that are imitations, and those one or two folders below the others, by their names."""
    found: list[Path] = []
    for path in paths:
        if is_imitation(path):
            found.append(path)
        elif path.is_dir():
            with storing(path, "cannot read"):
                found += sorted(one.parent for depth in ("*", "*/*") for one in path.glob(f"{depth}/{RECORD}"))
    return found


def read_imitation(folder: Path) -> Imitation:
    """One folder.

    Raises:
        UserError: where it is none.
        DamagedFile: names the file and what is wrong with it.
    """
    path = folder / RECORD
    if not path.exists():
        raise UserError(f"{folder} holds no imitation; `mfmarl imitate METHOD --env ENV --out {folder}` makes one")
    try:
        record = Record.model_validate_json(to_json(read_summed(path, LARGEST, MEND)))
    except ValidationError as error:
        raise DamagedFile(one_line(error, {}, str(path), Record)) from None
    if not record.complete:
        return Imitation(folder, record, pd.DataFrame(), pd.DataFrame())
    evaluations = _table(folder / EVALUATIONS)
    missing = [name for name in NEEDED if name not in evaluations]
    if missing:
        raise DamagedFile(f"{folder / EVALUATIONS}: no column {missing[0]!r}; want {', '.join(NEEDED)}")
    with unpacking(folder / EVALUATIONS):
        numbers = evaluations[[*COUNTS, "episode", "return"]].astype(float)
    # a mean would go over the others as if it were not there
    if len(bad := np.argwhere(~np.isfinite(numbers.to_numpy()))):
        row, column = bad[0]
        what = "count" if (name := numbers.columns[column]) in COUNTS else name
        raise DamagedFile(f"{folder / EVALUATIONS}: row {row + 2} has a {what} that is no number")
    history = _table(folder / HISTORY) if (folder / HISTORY).exists() else pd.DataFrame()
    return Imitation(folder, record, evaluations, history)


def _table(path: Path) -> pd.DataFrame:
    with unpacking(path):
        table: pd.DataFrame = pd.read_csv(BytesIO(read_capped(path, LARGEST_TABLE)))
    return table


@dataclass(frozen=True)
class Imitations:
    """All complete ones of one environment."""

    env: str
    runs: list[Imitation]
    names: list[str]
    """Of each run its method, and the settings that tell it from others of that method."""
    labels: list[str]
    """Of each run its name, and the number of demonstrations where those of that name differ in it."""
    probes: list[Imitation]
    """Survival probes: what imitates random play, and is compared with nothing."""

    @property
    def methods(self) -> list[str]:
        """Labels, in the order of the alphabet; of one name by the number of demonstrations."""
        order = zip(self.names, [run.record.shown for run in self.runs], self.labels, strict=True)
        return list(dict.fromkeys(label for _, _, label in sorted(order)))

    @property
    def references(self) -> list[str]:
        """The levels that methods are seen against."""
        return [EXPERT, RANDOM]

    @property
    def type_names(self) -> list[str]:
        """Of agents there is one kind."""
        return []

    @cached_property
    def table(self) -> pd.DataFrame:
        """A row per run: method, name, seed, folder, COUNTS, episodes (shown), cpu_seconds, and its metrics' means."""
        rows = [
            {
                "method": label, "name": name, "seed": run.record.seed, "folder": str(run.folder),
                "episodes": run.record.shown, **{count: run.record.counts.get(count, 0) for count in COUNTS},
                "cpu_seconds": run.record.cpu_seconds,
                **{metric: found.mean for metric, found in run.record.metrics.items() if found is not None},
            }
            for label, name, run in zip(self.labels, self.names, self.runs, strict=True)
        ]  # fmt: skip
        return pd.DataFrame(rows)

    def scores(self, metric: str, policy: str, type_name: str | None = None) -> pd.Series:
        """By seed: what intervals are taken over."""
        mine = self.table[self.table["method"] == policy].set_index("seed")
        return mine[metric].dropna().sort_index() if metric in mine else pd.Series(dtype=float)

    @cached_property
    def curves(self) -> pd.DataFrame:
        """A row per run, evaluation and way to act: method, name, seed, acting, COUNTS, and the mean return."""
        tables = []
        for label, name, run in zip(self.labels, self.names, self.runs, strict=True):
            means = run.evaluations.groupby(["acting", *COUNTS], as_index=False)["return"].mean()
            tables.append(means.assign(method=label, name=name, seed=run.record.seed))
        found: pd.DataFrame = pd.concat(tables, ignore_index=True)
        return found

    @property
    def expert(self) -> float | None:
        """What the expert's episodes return, a mean over the runs that know."""
        known = [run.record.expert_return.mean for run in self.runs if run.record.expert_return is not None]
        return sum(known) / len(known) if known else None


def load_imitations(folders: Sequence[Path]) -> tuple[dict[str, Imitations], list[Path]]:
    """Imitations by environment, and the folders that are left out as they are not complete.

    Raises:
        UserError: where none is complete.
        BadRun: for two of one method, settings and seed.
        DamagedFile: for a file that cannot be read; names it.
    """
    read = [read_imitation(folder) for folder in folders]
    whole = [run for run in read if run.record.complete]
    if not whole:
        raise UserError(f"no imitation of {len(read)} is complete; `mfmarl imitate ... --resume {folders[0]}` goes on")
    found = {}
    for env in sorted({run.record.env for run in whole}):
        mine = [run for run in whole if run.record.env == env]
        runs = [run for run in mine if not run.record.probe]
        if not runs:
            raise BadRun(f"{env}: all {len(mine)} imitations are of random play; give some of an expert too")
        names = _names([run.record for run in runs])
        labels = _with_shown(names, [run.record.shown for run in runs])
        _check_unique(runs, labels)
        probes = [run for run in mine if run.record.probe]
        found[env] = Imitations(env, runs, names, labels, probes)
    return found, [run.folder for run in read if not run.record.complete]


def _names(records: Sequence[Record]) -> list[str]:
    """The method, and the settings in which its runs differ, as in `dagger beta=linear`."""
    flat = [flattened(record.settings) for record in records]
    told = []
    for record, mine in zip(records, flat, strict=True):
        alike = [other for one, other in zip(records, flat, strict=True) if one.method == record.method]
        keys = sorted(set().union(*alike))
        differing = [key for key in keys if len({repr(other.get(key)) for other in alike}) > 1]
        told.append(" ".join([record.method, *(f"{key.rsplit('.', 1)[-1]}={mine.get(key)}" for key in differing)]))
    return told


def _with_shown(names: Sequence[str], shown: Sequence[int]) -> list[str]:
    several = {name for name in names if len({n for one, n in zip(names, shown, strict=True) if one == name}) > 1}
    return [
        f"{name} {n} episode{'s' * (n != 1)}" if name in several else name for name, n in zip(names, shown, strict=True)
    ]


def _check_unique(runs: Sequence[Imitation], labels: Sequence[str]) -> None:
    met: dict[tuple[str, int], Path] = {}
    for label, run in zip(labels, runs, strict=True):
        key = label, run.record.seed
        if key in met:
            raise BadRun(f"{met[key]} and {run.folder} are both {label} with seed {key[1]}; give one of each seed")
        met[key] = run.folder
