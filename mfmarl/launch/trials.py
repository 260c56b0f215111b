"""The trials of a search as its folder has them: runs that differ by their seed, and the mean of their scores."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mfmarl.config import TrainConfig, config_hash
from mfmarl.errors import StorageFailed, UserError
from mfmarl.launch.search_config import Point, Search, setting
from mfmarl.launch.templates import yaml_text
from mfmarl.runs.files import read_capped, write_whole
from mfmarl.runs.schema import COMPLETE, RUN, RunInfo, open_run
from mfmarl.runs.store import EVALUATION, read_evaluation

TRIALS = "trials.csv"
BEST = "best.yaml"
MAX_TABLE = 64 << 20


@dataclass
class Trial:
    """One point of the space."""

    number: int
    """From 1 on, in the order in which they were begun."""
    point: Point
    runs: Mapping[int, TrainConfig]
    """Seed -> its configuration; none where the point cannot be trained."""
    scores: dict[int, float] = field(default_factory=dict)
    """Seed -> score of its run."""
    error: str = ""
    """Why it has no score and will get none in this call."""

    @property
    def score(self) -> float | None:
        """The mean over all seeds, None before all are done."""
        if self.error or not self.runs or set(self.scores) != set(self.runs):
            return None
        return sum(self.scores.values()) / len(self.scores)

    @property
    def left(self) -> list[int]:
        """Seeds whose runs are not done."""
        return [] if self.error else [seed for seed in self.runs if seed not in self.scores]

    @property
    def words(self) -> str:
        """Its point, in a line."""
        return ", ".join(f"{key} {shown(value)}" for key, value in self.point.items())


def shown(value: Any) -> str:
    """A setting in few letters."""
    return f"{value:.4g}" if isinstance(value, float) else value if isinstance(value, str) else json.dumps(value)


def same(point: Point) -> str:
    """What points have in common that are the same."""
    return json.dumps(dict(point), sort_keys=True)


def new_trial(search: Search, number: int, point: Point) -> Trial:
    """A trial that is to be done; one whose point the configuration refuses has that as its error."""
    try:
        return Trial(number, point, {seed: search.run_config(point, seed) for seed in search.config.seeds})
    except UserError as error:
        return Trial(number, point, {}, error=str(error))


def score_of(run: Path, metric: str) -> float:
    """The metric's mean over episodes and agents of a run's trained policies.

    Raises:
        UserError: where the run's environment has no such metric, or it could not be measured.
        StorageFailed: where the evaluation is damaged.
    """
    table = read_evaluation(run / EVALUATION).policies["trained"]
    if metric not in table.metrics:
        raise UserError(f"metric: got {metric!r}; want one of {', '.join(table.metrics)}")
    mean = float(table.metrics[metric].mean())
    if not math.isfinite(mean):
        raise UserError(f"{metric} was not measured in {run}: {table.why.get(metric, 'it is not finite')}")
    return mean


def found_trials(search: Search, folder: Path) -> list[Trial]:
    """The trials that a search's folder holds, oldest first; runs of other searches or studies are passed over."""
    points: dict[str, tuple[str, Point]] = {}
    done: dict[tuple[str, int], Path] = {}
    runs = sorted(p for p in folder.iterdir() if (p / RUN).exists()) if folder.is_dir() else []
    for run in runs:
        with suppress(UserError, StorageFailed):
            info = open_run(run)
            point = _point(search, info, run)
            if point is None:
                continue
            key = same(point)
            points[key] = min((info.created, point), points.get(key, (info.created, point)), key=lambda pair: pair[0])
            if (run / COMPLETE).exists() and (run / EVALUATION).exists():
                done[key, info.seed] = run
    trials = []
    # runs that began within one second have no order of their own
    before = _numbers(search, folder)
    named = [(before.get(_texts(search, point), math.inf), made, key, point) for key, (made, point) in points.items()]
    ordered = sorted(named, key=lambda one: one[:3])
    for number, (_, _, key, point) in enumerate(ordered, 1):
        trial = new_trial(search, number, point)
        for seed in trial.runs:
            if (key, seed) in done:
                try:
                    trial.scores[seed] = score_of(done[key, seed], search.config.metric)
                except UserError as error:
                    trial.error = str(error)
        trials.append(trial)
    return trials


def _numbers(search: Search, folder: Path) -> dict[tuple[str, ...], int]:
    """What trials were called before, by their values as trials.csv has them; nothing where there is no such table."""
    try:
        text = read_capped(folder / TRIALS, MAX_TABLE).decode()
        rows = list(csv.DictReader(io.StringIO(text)))
        return {tuple(row[key] for key in search.space): int(row["trial"]) for row in rows}
    except (OSError, ValueError, KeyError, TypeError, csv.Error, StorageFailed):
        # the table is made of the folder, not the other way round
        return {}


def _texts(search: Search, point: Point) -> tuple[str, ...]:
    """A point's values as trials.csv has them."""
    return tuple(v if isinstance(v := point[key], str) else json.dumps(v) for key in search.space)


def _point(search: Search, info: RunInfo, run: Path) -> Point | None:
    """Where in the space a run is, None where it is no run of this search."""
    try:
        point = {key: setting(info.config, key) for key in search.space}
    except KeyError:
        return None
    if not all(domain.has(point[key]) for key, domain in search.space.items()):
        return None
    if info.seed not in search.config.seeds or run.name != info.config_hash:
        return None
    return point if config_hash(search.run_config(point, info.seed)) == info.config_hash else None


def best_of(search: Search, trials: Sequence[Trial]) -> Trial | None:
    """The trial with the best score, the first of equals; None where none has one."""
    sign = 1 if search.config.mode == "max" else -1
    scored = [trial for trial in trials if trial.score is not None]
    return max(scored, key=lambda trial: sign * (trial.score or 0.0), default=None)


def write_trials(search: Search, folder: Path, trials: Sequence[Trial]) -> None:
    """Write trials.csv, a line a trial, and best.yaml once one has a score; each whole or not at all.

    Raises:
        StorageFailed: where the disk does not take them.
    """
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    seeds = search.config.seeds
    metric = search.config.metric
    writer.writerow(["trial", "state", *search.space, metric, *(f"{metric} of seed {seed}" for seed in seeds), "error"])
    for trial in trials:
        state = "failed" if trial.error else "running" if trial.score is None else "done"
        scores = [_number(trial.score), *(_number(trial.scores.get(seed)) for seed in seeds)]
        writer.writerow([trial.number, state, *_texts(search, trial.point), *scores, trial.error])
    write_whole(folder / TRIALS, table.getvalue().encode())
    best = best_of(search, trials)
    if best is not None:
        write_whole(folder / BEST, _best(search, best).encode())


def _number(value: float | None) -> str:
    return "" if value is None else repr(value)


def _best(search: Search, trial: Trial) -> str:
    seeds = ", ".join(map(str, search.config.seeds))
    lines = [
        f"# Trial {trial.number} of search {search.config.name}: {search.config.metric} {trial.score}, seeds {seeds}.",
        "# It is the best of many trials, so its score is too good: train it again with other seeds.",
    ]
    settings = search.settings(trial.point, None).value
    return "\n".join([*lines, *(f"{key}: {yaml_text(value)}" for key, value in settings.items())]) + "\n"
