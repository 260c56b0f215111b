"""Numbers over all games of a study: normalised scores, runs resampled within each game."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from analysis.report.aggregates import NAMES
from analysis.report.game_result import GameResult
from analysis.report.interval_row import COLUMNS, row_of
from analysis.statistics import BOOTSTRAP_FROM, MIN_RUNS, STATISTICS, stratified_improvement, stratified_interval


def shared(games: Sequence[GameResult]) -> dict[str, list[list[float]]]:
    """Method -> normalised scores by game, of the methods with 3 runs in every game that has normalised scores.

    Of each game the seeds that all these methods have: a method that lacks runs of a hard game would seem better.
    """
    known = [game for game in games if not game.normalised.why]
    methods = sorted(set().union(*(game.methods for game in known))) if known else []
    whole = [m for m in methods if all(len(game.normalised.scores.get(m, ())) >= MIN_RUNS for game in known)]
    kept: dict[str, list[list[float]]] = {m: [] for m in whole}
    for game in known:
        together = pd.concat([game.normalised.scores[m] for m in whole], axis=1, keys=whole).dropna() if whole else None
        if together is None or len(together) < MIN_RUNS:
            return {}
        for method in whole:
            kept[method].append(together[method].to_list())
    return kept


def across_table(scores: dict[str, list[list[float]]]) -> pd.DataFrame:
    """statistic, policy, estimate, low, high, n, interval, and the note that says why there is none."""
    rows = []
    for statistic in NAMES:
        for method, by_game in scores.items():
            every = np.concatenate(by_game)
            row: dict[str, object] = {"statistic": statistic, "policy": method}
            if every.size < BOOTSTRAP_FROM:
                note = f"no interval: {every.size} of at least {BOOTSTRAP_FROM} runs"
                row |= {"estimate": float(STATISTICS[statistic](every)), "n": every.size, "note": note}
            else:
                row |= row_of(stratified_interval(by_game, statistic=statistic))
            rows.append(row)
    return pd.DataFrame(rows, columns=["statistic", "policy", *COLUMNS])


def across_improvement(games: Sequence[GameResult]) -> pd.DataFrame:
    """method, against, probability that a run of it beats one of the reference method, a mean over the games that have
    3 runs of both, with low, high, interval, n (runs) and games."""
    against = games[0].against
    rows = []
    for method in sorted(set().union(*(game.methods for game in games)) - {against}):
        pairs = [
            (game.scores[method], game.scores[against])
            for game in games
            if game.against == against
            and min(len(game.scores.get(name, ())) for name in (method, against)) >= MIN_RUNS
        ]
        if not pairs:
            continue
        found = stratified_improvement(pairs)
        rows.append((method, against, found.estimate, found.low, found.high, found.method, found.n, len(pairs)))
    columns = ["method", "against", "probability", "low", "high", "interval", "n", "games"]
    return pd.DataFrame(rows, columns=columns)
