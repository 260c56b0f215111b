"""The zero-sum study in a folder: trained, and written with tables and figures; `mfmarl imitate`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from analysis.figures.magail_choices import magail_choices
from analysis.figures.magail_samples import magail_samples
from analysis.figures.written import write_figures
from analysis.interval_words import intervals_told
from analysis.magail_results import spread
from analysis.magail_zero_sum_rows import bands, curves, history, left_open
from analysis.magail_zero_sum_table import CURVES, HISTORY, MEASURES, OPEN, STUDY, TABLES, Words, files_of
from mfmarl.imitation.magail.study_folder import CHECKPOINT, SCHEMA, claimed, finish
from mfmarl.imitation.magail.zero_sum import DECIDING, ZeroSumStudy, study
from mfmarl.imitation.magail.zero_sum_settings import ZeroSumSettings
from mfmarl.runs.files import to_json, write_whole
from mfmarl.runs.sealed import write_sealed


def study_into(
    folder: Path, settings: ZeroSumSettings, *, save: bool = False, told: Callable[[str], None] | None = None
) -> Words:
    """Train, or go on, and write all files; what is there whole is only read. Gives what `results.json` holds.

    Args:
        save: tables of every record too, and figures as SVG.
        told: gets a line of progress every epoch, and one where the study was done before.

    Raises:
        UserError: where the folder has another study, or another process writes to it.
        DamagedFile: where its results or training were cut short or changed.
        StorageFailed: where it cannot be made, or takes no file.
    """
    plain = settings.model_dump(mode="json")
    with claimed(folder, STUDY, plain) as done:
        if done is not None and all(path.exists() for path in files_of(folder, save)):
            return done
        found = study(settings, checkpoint=folder / CHECKPOINT, told=told)
        _write(folder, found, save)
        # the last, which says that the others are there
        return finish(folder, STUDY, plain, results_of(found))


def closed_most(settings: ZeroSumSettings) -> float:
    """K = gamma^2 / (1 - gamma): what a visit of X1 from s0 on is worth, and so the most that either could gain if
    play never is there; NashConv is 2 K at most."""
    return settings.gamma**2 / (1 - settings.gamma)


def results_of(found: ZeroSumStudy) -> Words:
    """What `results.json` has beside the settings: plain data."""
    rows, most = curves(found), closed_most(found.settings)
    last = rows["samples"] == rows.groupby(["method", "fallback"])["samples"].transform("max")
    runs = rows[last & (rows["method"] == "MAGAIL")]
    means = []
    for (method, fallback, samples), mine in rows[last | (rows["method"] == "BC")].groupby(
        ["method", "fallback", "samples"], sort=False
    ):
        over = {name: spread(mine[name].tolist(), top).model_dump() for name, top in _tops(most).items()}
        means.append({"method": method, "fallback": fallback or None, "samples": samples, "seeds": len(mine), **over})
    open_rows = left_open(found.left_open).to_dict("records")
    return {
        "cpu_seconds": found.cpu_seconds,
        "K": most,
        "deciding_state": found.game.state_names[DECIDING],
        "means": means,
        "magail": runs.drop(columns=["method", "fallback"]).to_dict("records"),
        "identifiability": [{name: cell for name, cell in row.items() if not pd.isna(cell)} for row in open_rows],
        "lowest_logit": float(min(logits.min() for logits in found.history.logits)),
    }


def _tops(most: float) -> dict[str, float]:
    """The greatest that each measure can be."""
    return dict(zip(MEASURES, (2 * most, 2 * most, 1.0), strict=True))


def figures_of(found: ZeroSumStudy) -> dict[str, Figure]:
    """All figures, by the names of their files."""
    rows, settings, most = curves(found), found.settings, closed_most(found.settings)
    table = {name: bands(rows, name, top) for name, top in _tops(most).items()}
    expert = found.left_open[0].report
    ranges = {} if expert is None else {"exploitability": expert.exploitability, "NashConv": expert.nash_conv}
    lowest = float(min(logits.min() for logits in found.history.logits))
    several = "1 seed" if len(settings.seeds) == 1 else f"{len(settings.seeds)} seeds"
    title = f"MAGAIL and BC, expert who always plays {settings.expert_action}, {several}"
    lines = f"Mean over seeds, {intervals_told(pd.concat(table.values()))}. "
    bars = "Bars: mean over seeds, of the most samples; dots: seeds; lines: the way through training. "
    drawn = f"MAGAIL draws {settings.batch_size} steps an epoch from a seed's {settings.expert_total:,}, for "
    trained = f"{settings.epochs:,} epochs of {settings.rollout_episodes} rollouts; BC sees the first so many. "
    bound = f"{settings.discriminator_told(lowest)}; "
    rates = f"Adam {settings.lr_policy:g} for policies, {settings.lr_disc:g} for discriminators."
    of = f"reward {settings.reward_style}, beta {settings.beta:g}, gamma {settings.gamma:g}; "
    note = drawn + trained + bound + of + rates
    both = {"exploitability": table["exploitability"], "NashConv": table["nash_conv"]}
    distance = {"JS distance of occupancies": table["occupancy_distance"]}
    return {
        "exploitability": magail_samples(both, ranges, settings.expert_total, title, lines + note),
        "choices_s1": magail_choices(rows, most, title, bars + note),
        "occupancy": magail_samples(distance, {}, settings.expert_total, title, lines + note),
    }


def _write(folder: Path, found: ZeroSumStudy, save: bool) -> None:
    tables = {CURVES: curves(found), HISTORY: history(found), OPEN: left_open(found.left_open)}
    for name, frame in tables.items():
        write_whole(folder / name, frame.to_csv(index=False, lineterminator="\n").encode())
    write_figures(folder, figures_of(found), svg=save)
    if save:
        told = found.history
        arrays = {
            "epochs": told.epochs,
            "seeds": np.array(found.settings.seeds),
            **{f"policies.{i}": np.ascontiguousarray(pi) for i, pi in enumerate(told.policies)},
            **{f"logits.{i}": np.ascontiguousarray(logits) for i, logits in enumerate(told.logits)},
            "clone_samples": np.array(found.clone_samples),
            "clone_seeds": np.array(found.settings.cloned_seeds),
            **{
                f"clones.{fallback}.{i}": np.ascontiguousarray(pi)
                for fallback, clones in found.clones.items()
                for i, pi in enumerate(clones.policies)
            },
        }
        words = {"schema": SCHEMA, "settings": found.settings.model_dump(mode="json")}
        write_sealed(folder / TABLES, "study", to_json(words), arrays)
