"""The section of performance profiles: how many runs of each method are above every score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from analysis.figures.profiles import profiles
from analysis.figures.style import Look
from analysis.report.comparison import Comparison
from analysis.report.normalised import WORDS, normalised
from analysis.report.parts import Section, drawing
from analysis.statistics import MIN_RUNS, performance_profile

POINTS = 121


def profile_table(scores: Mapping[str, Sequence[Sequence[float]]]) -> pd.DataFrame:
    """Columns method, threshold, mean (the share of runs above), low, high, n; of methods with 3 runs in every game.

    Args:
        scores: method -> normalised scores by game. Thresholds run over those of all methods.
    """
    kept = {m: [np.asarray(one, float) for one in games] for m, games in scores.items()}
    kept = {m: games for m, games in kept.items() if games and min(map(len, games)) >= MIN_RUNS}
    columns = ["method", "threshold", "mean", "low", "high", "n"]
    if not kept:
        return pd.DataFrame(columns=columns)
    every = np.concatenate([one for games in kept.values() for one in games])
    margin = 0.03 * max(float(np.ptp(every)), 1e-9)
    thresholds = np.linspace(every.min() - margin, every.max() + margin, POINTS)
    tables = []
    for method, games in kept.items():
        share, low, high = performance_profile(games, thresholds)
        n = sum(map(len, games))
        told = {"method": method, "threshold": thresholds, "mean": share, "low": low, "high": high, "n": n}
        tables.append(pd.DataFrame(told))
    return pd.concat(tables, ignore_index=True)[columns]


def add_profiles(
    section: Section, table: pd.DataFrame, looks: Mapping[str, Look], words: str, files: dict[str, pd.DataFrame]
) -> None:
    """The figure of a profile table, which is put into `files`."""
    files["profiles.csv"] = table
    section.figures.append(
        drawing(
            profiles(table, looks),
            "profiles",
            "Share of runs above each normalised score, by method",
            "Share of runs whose normalised score is above the threshold; bands are pointwise 95 % bootstrap intervals "
            f"({words}), from 10 runs on. A line further to the right is better; where lines cross, neither is better "
            "throughout.",
            "profiles.csv",
            list(looks),
        )
    )


def profiles_section(compared: Comparison, files: dict[str, pd.DataFrame]) -> Section:
    """The section of one game; the table behind it is put into `files`."""
    section = Section("profiles", "Performance profiles")
    found = normalised(compared.study)
    if found.why:
        section.text.append(f"Scores cannot be normalised, so there is no profile: {found.why}.")
        return section
    table = profile_table({m: [scores.to_list()] for m, scores in found.scores.items()})
    if table.empty:
        section.text.append(f"No method has {MIN_RUNS} seeds, so there is no profile.")
        return section
    section.text.append(f"Scores are normalised: {WORDS}.")
    looks = {policy: one for policy, one in compared.looks.items() if policy in compared.study.methods}
    add_profiles(section, table, looks, f"runs resampled; n = {compared.seeds} a method", files)
    return section
