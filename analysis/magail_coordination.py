"""The coordination study in a folder: trained, and written with its figures, as `mfmarl imitate` does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from analysis.figures.magail_classes import magail_classes
from analysis.figures.magail_distance import magail_distance
from analysis.figures.magail_joint import magail_joint
from analysis.figures.magail_probability import magail_probability
from analysis.figures.magail_scatter import magail_scatter
from analysis.figures.magail_training import magail_training
from analysis.figures.written import write_figures
from analysis.magail_results import (
    HISTORY,
    RUNS,
    STUDY,
    TABLES,
    Expert,
    Results,
    Theory,
    files_of,
    of_beta,
    read,
)
from mfmarl.imitation.magail.coordination import SAMPLES, CoordinationStudy, study
from mfmarl.imitation.magail.coordination_settings import CoordinationSettings
from mfmarl.imitation.magail.history import History
from mfmarl.imitation.magail.joint import coordination_rate, js_distance
from mfmarl.imitation.magail.study_folder import CHECKPOINT, SCHEMA, claimed, finish
from mfmarl.runs.checkpoint import versions
from mfmarl.runs.files import to_json, write_whole
from mfmarl.runs.sealed import Arrays, write_sealed


def study_into(
    folder: Path, settings: CoordinationSettings, *, save: bool = False, told: Callable[[str], None] | None = None
) -> Results:
    """Train, or go on, and write all files; what is there whole is only read.

    Args:
        save: tables of every record too, and figures as SVG.
        told: gets a line of progress every epoch.

    Raises:
        UserError: where the folder has another study, or another process writes to it.
        DamagedFile: where its results or training were cut short or changed.
        StorageFailed: where it cannot be made, or takes no file.
    """
    plain = settings.model_dump(mode="json")
    with claimed(folder, STUDY, plain) as words:
        if words is not None and all(path.exists() for path in files_of(folder, save)):
            return read(words, folder)
        found = study(settings, checkpoint=folder / CHECKPOINT, told=told)
        results = results_of(found)
        _write(folder, found, results, save)
        # the last, which says that the others are there
        own = results.model_dump(mode="json", include={"cpu_seconds", "expert", "theory", "betas", "runs"})
        return read(finish(folder, STUDY, plain, own), folder)


def results_of(found: CoordinationStudy) -> Results:
    """The figures of a study over seeds."""
    expert = found.expert.tolist()
    by_beta = [
        of_beta(beta, [one for one in found.outcomes if one.beta == beta]) for beta in found.settings.betas
    ]  # fmt: skip
    return Results(
        settings=found.settings,
        versions=versions(),
        cpu_seconds=found.cpu_seconds,
        expert=Expert(samples=SAMPLES, joint=expert, coordination_rate=float(coordination_rate(found.expert))),
        theory=Theory(
            independent_limit=found.independent_limit,
            threshold=found.thresholds.unbounded,
            lowest_logit=found.thresholds.lowest_logit,
            threshold_at_lowest_logit=found.thresholds.at_lowest_logit,
        ),
        betas=tuple(by_beta),
        runs=found.outcomes,
    )


def runs_frame(found: CoordinationStudy) -> pd.DataFrame:
    """A row a run."""
    return pd.DataFrame([asdict(one) for one in found.outcomes])


def history_frame(found: CoordinationStudy) -> pd.DataFrame:
    """A row a record and run, records in the order of epochs."""
    history = found.history
    records, runs = len(history.epochs), len(history.runs)
    joint = history.joint[:, :, 0].reshape(records * runs, 4)
    each = np.repeat(np.arange(records), runs)
    columns = {
        "epoch": history.epochs[each],
        "beta": [run.beta for run in history.runs] * records,
        "seed": [run.seed for run in history.runs] * records,
        "p_a_1": history.policies[0][:, :, 0, 0].ravel(),
        "p_a_2": history.policies[1][:, :, 0, 0].ravel(),
        **dict(zip(("AA", "AB", "BA", "BB"), joint.T, strict=True)),
        "coordination_rate": coordination_rate(joint.reshape(-1, 2, 2)),
        "js_distance": js_distance(found.expert.ravel(), joint),
        "discriminator_loss": history.discriminator_loss.ravel(),
        "entropy_1": history.entropy[..., 0].ravel(),
        "entropy_2": history.entropy[..., 1].ravel(),
        "expert_samples": history.expert_samples[each],
        "rollouts": history.rollouts[each],
    }
    return pd.DataFrame(columns)


def figures_of(found: CoordinationStudy, results: Results) -> dict[str, Figure]:
    """All figures, by the names of their files."""
    runs, history = runs_frame(found), history_frame(found)
    settings, theory = results.settings, results.theory
    several = f"{len(settings.seeds)} seed{'s' * (len(settings.seeds) > 1)}"
    shared = f" Agents share a signal of {settings.signals} values." if settings.signals > 1 else ""
    title = f"MAGAIL, expert {settings.expert_type}, {several}"
    note = (
        f"{settings.discriminator_told(theory.lowest_logit)} after {settings.epochs:,} Adam steps of "
        f"{settings.lr_disc:g}. Reward {settings.reward_style}, policies' steps {settings.lr_policy:g}.{shared}"
    )
    return {
        "probability": magail_probability(runs, title, note),
        "distance": magail_distance(
            runs, theory.independent_limit, results.expert.coordination_rate, title, note
        ),
        "scatter": magail_scatter(runs, title, note),
        "classes": magail_classes(runs, title, note),
        "joint": magail_joint(runs, found.expert, title, note),
        "training": magail_training(history, runs, title, note),
    }  # fmt: skip


def signal_arrays(history: History) -> Arrays:
    """What agents who share a signal play, given it."""
    if history.weights is None:
        return {}
    given = {f"given.{i}": np.ascontiguousarray(pi) for i, pi in enumerate(history.given)}
    return {"weights": np.ascontiguousarray(history.weights), **given}


def _write(folder: Path, found: CoordinationStudy, results: Results, save: bool) -> None:
    for name, frame in ((RUNS, runs_frame(found)), (HISTORY, history_frame(found))):
        write_whole(folder / name, frame.to_csv(index=False, lineterminator="\n").encode())
    write_figures(folder, figures_of(found, results), svg=save)
    if save:
        history = found.history
        arrays = {
            "epochs": history.epochs,
            "betas": np.array([run.beta for run in history.runs]),
            "seeds": np.array([run.seed for run in history.runs]),
            **signal_arrays(history),
            **{f"policies.{i}": np.ascontiguousarray(pi) for i, pi in enumerate(history.policies)},
            **{f"logits.{i}": np.ascontiguousarray(logits) for i, logits in enumerate(history.logits)},
        }
        told = {"schema": SCHEMA, "settings": found.settings.model_dump(mode="json")}
        write_sealed(folder / TABLES, "study", to_json(told), arrays)
