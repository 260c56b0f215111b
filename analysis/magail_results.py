"""A folder of the coordination study: files, what `results.json` holds, whether there is room. Without torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from analysis.statistics import MIN_RUNS, interval
from mfmarl.errors import DamagedFile
from mfmarl.imitation.magail import study_folder
from mfmarl.imitation.magail.coordination_outcome import Outcome
from mfmarl.imitation.magail.coordination_settings import CoordinationSettings
from mfmarl.imitation.magail.joint import Collapse
from mfmarl.imitation.magail.study_folder import RESULTS

RUNS, HISTORY, TABLES = "runs.csv", "history.csv", "tables.safetensors"
FIGURES = ("probability", "distance", "scatter", "classes", "joint", "training")
STUDY: Literal["magail-coordination"] = "magail-coordination"
CLASSES: tuple[Collapse, ...] = ("AA", "BB", "AA+BB", "symmetric")
LEVEL = 0.95


def files_of(folder: Path, save: bool) -> list[Path]:
    """All that a finished study has; with `save` tables of every record and figures as SVG too."""
    kinds = ("png", "svg") if save else ("png",)
    figures = [folder / f"{name}.{kind}" for name in FIGURES for kind in kinds]
    return [folder / RESULTS, folder / RUNS, folder / HISTORY, *figures, *([folder / TABLES] if save else [])]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Spread(_Part):
    """Over seeds."""

    mean: float
    sd: float | None = Field(description="of a sample; none of one seed")
    low: float | None = Field(description="95 % interval of the mean; none below three seeds")
    high: float | None
    method: str | None = Field(description="how the interval was found")


class OfBeta(_Part):
    """All seeds of one entropy bonus."""

    beta: float
    seeds: int
    coordination_rate: Spread
    js_distance: Spread
    nash_conv: Spread
    exploitability: Spread
    classes: dict[Collapse, int]


class Expert(_Part):
    """Who was imitated."""

    samples: int
    joint: tuple[tuple[float, float], tuple[float, float]] = Field(description="of the samples: AA, AB; BA, BB")
    coordination_rate: float


class Theory(_Part):
    """What is known without training."""

    independent_limit: float = Field(description="least JS distance that independent policies come to")
    threshold: float | None = Field(description="beta below which (1/2, 1/2) is left, at the best discriminator")
    lowest_logit: float = Field(description="of the discriminators of all records")
    threshold_at_lowest_logit: float | None = Field(description="the same, if no logit may be below that")


class Results(_Part):
    """A study that is done."""

    schema_version: Literal[1] = Field(1, alias="schema")
    study: Literal["magail-coordination"] = STUDY
    complete: Literal[True] = True
    settings: CoordinationSettings
    versions: dict[str, str]
    cpu_seconds: float = Field(description="of training in all its calls, and of measuring in the last")
    expert: Expert
    theory: Theory
    betas: tuple[OfBeta, ...]
    runs: tuple[Outcome, ...]


def spread(values: Sequence[float], most: float) -> Spread:
    """Of figures from 0 to `most`, one a seed."""
    mean, n = float(np.mean(values)), len(values)
    sd = float(np.std(values, ddof=1)) if n > 1 else None
    if n < MIN_RUNS:
        return Spread(mean=mean, sd=sd, low=None, high=None, method=None)
    found = interval(values, LEVEL).within((0.0, most))
    known = bool(np.isfinite([found.low, found.high]).all())
    low, high = (found.low, found.high) if known else (None, None)
    return Spread(mean=mean, sd=sd, low=low, high=high, method=found.method)


def of_beta(beta: float, outcomes: Sequence[Outcome]) -> OfBeta:
    """What the runs of one beta have come to."""

    def over(figure: Callable[[Outcome], float], most: float) -> Spread:
        return spread([figure(one) for one in outcomes], most)

    return OfBeta(
        beta=beta,
        seeds=len(outcomes),
        coordination_rate=over(lambda one: one.coordination_rate, 1.0),
        js_distance=over(lambda one: one.js_distance, 1.0),
        nash_conv=over(lambda one: one.nash_conv, 2.0),
        exploitability=over(lambda one: one.exploitability, 1.0),
        classes={name: sum(one.collapse == name for one in outcomes) for name in CLASSES},
    )


def standing(folder: Path, settings: CoordinationSettings) -> Results | None:
    """A folder's results of this very study, None where it has none yet.

    Raises:
        UserError: where it has another study, or is no folder.
        DamagedFile: where its results were cut short or changed.
    """
    words = study_folder.standing(folder, STUDY, settings.model_dump(mode="json"))
    return None if words is None or not words["complete"] else read(words, folder)


def read(words: Mapping[str, Any], folder: Path) -> Results:
    """The words of a complete study's `results.json`.

    Raises:
        DamagedFile: where they are none.
    """
    try:
        return Results.model_validate(words)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise DamagedFile(f"{folder / RESULTS} is damaged: {where}: {first['msg']}") from error
