"""The sections of a whole study's page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from analysis.figures.forest import Row, forest
from analysis.figures.style import Look, label
from analysis.interval_words import spanned
from analysis.report.across import across_improvement, across_table, shared
from analysis.report.aggregates import NAMES
from analysis.report.differences import MARKS, tests_told
from analysis.report.game_result import GameResult
from analysis.report.interval_row import COLUMNS, interval_row
from analysis.report.normalised import WORDS
from analysis.report.numbers import estimate, gap, listed, p_value
from analysis.report.parts import Cell, Keys, Section, Table, side_by_side
from analysis.report.profiles import add_profiles, profile_table
from analysis.report.study_tests import family_words
from analysis.statistics import MIN_RUNS

Files = dict[str, pd.DataFrame]


def profit_table(games: Sequence[GameResult], tests: pd.DataFrame) -> pd.DataFrame:
    """game, env, agents, policy, estimate (IQM of profit over seeds), low, high, n, interval, note, mark."""
    marks = {(t["game"], t["method"]): str(t["mark"]) for _, t in tests.iterrows()}
    rows = []
    for game in games:
        for policy, series in game.scores.items():
            row: dict[str, object] = {"game": game.name, "env": game.env, "agents": game.agents, "policy": policy}
            row |= interval_row(series.to_numpy(float), "iqm") | {"mark": marks.get((game.name, policy), "")}
            rows.append(row)
    return pd.DataFrame(rows, columns=["game", "env", "agents", "policy", *COLUMNS, "mark"])


def games_section(games: Sequence[GameResult], methods: Sequence[str], tests: pd.DataFrame, files: Files) -> Section:
    """Every game with every method's profit and its mark; the main table."""
    table = files["games.csv"] = profit_table(games, tests)
    files["tests.csv"] = tests
    section = Section("games", "Games and methods")
    against = listed([label(name) for name in dict.fromkeys(game.against for game in games)])
    section.text.append(
        "A game's name leads to its own page, with learning curves, densities, drift and weights, single types, and "
        "audits where there are any."
    )
    if len(tests):
        section.text.append(f"{MARKS}, against {against}. {family_words(tests)}")
    policies = [*methods, *(p for p in dict.fromkeys(table["policy"]) if p not in methods)]
    indexed = table.set_index(["game", "policy"])
    seeds = spanned(len(game.scores[method]) for game in games for method in game.methods)
    ways = ", ".join(sorted({str(way) for way in table["interval"].dropna()})) or "none"
    section.tables.append(
        Table(
            "interquartile mean of profit over seeds, $ / period per agent; below it the 95 % interval "
            f"(n = {seeds}; {ways})",
            ["", *map(label, policies)],
            [
                [
                    Cell(game.name, link=f"{game.folder}/index.html"),
                    *(_profit(indexed, game.name, policy) for policy in policies),
                ]
                for game in games
            ],
            "games.csv",
            row_keys=[game.keys for game in games],
            column_keys=[{}, *({"method": policy} for policy in policies)],
        )
    )
    return section


def _profit(indexed: pd.DataFrame, game: str, policy: str) -> Cell:
    if (game, policy) not in indexed.index:
        return Cell("–", "no runs")
    row: Any = indexed.loc[(game, policy)]
    cell = estimate(row)
    return Cell(f"{cell.main} {row['mark']}".strip(), cell.small)


def differences_section(
    games: Sequence[GameResult], tests: pd.DataFrame, looks: Mapping[str, Look], files: Files
) -> Section:
    """A forest per game of every method minus the reference method, and the table of tests."""
    section = Section("differences", "Paired differences by game")
    figures: list[tuple[Figure, Keys]] = []
    for game in games:
        mine = tests[tests["game"] == game.name]
        if mine.empty:
            section.text.append(f"{game.name}: no method has {MIN_RUNS} seeds in common with {label(game.against)}.")
            continue
        rows = [
            Row(
                str(t["method"]), t["estimate"], t["low"], t["high"], str(t["mark"]),
                game.pairs.loc[game.pairs["method"] == t["method"], "difference"].to_numpy(float),
            )
            for _, t in mine.iterrows()
        ]  # fmt: skip
        unit = f"profit less that of {label(game.against)}, $ / period"
        figures.append((forest(rows, looks, game.name, unit, line=0.0), game.keys))
    if not figures:
        return section
    files["differences.csv"] = pd.concat([game.pairs.assign(game=game.name) for game in games], ignore_index=True)
    ways = ", ".join(sorted(set(tests["interval"])))
    section.figures.append(
        side_by_side(
            figures,
            "differences",
            "Paired differences in profit from the reference method, by game",
            f"Mean over seeds with 95 % interval (n = {spanned(tests['n'])}; {ways}), dots below "
            "are single seeds; marks as in the table. Each game has an axis of its own.",
            "differences.csv",
        )
    )
    section.tables.append(_tests(tests))
    return section


def _tests(tests: pd.DataFrame) -> Table:
    rows = [
        [
            Cell(label(str(t["method"])), str(t["game"])),
            gap(t),
            Cell(p_value(t["p"]), f"{t['test']}, n = {t['n']}"),
            Cell(p_value(t["p_holm_game"])),
            Cell(p_value(t["p_holm"])),
            Cell(str(t["mark"])),
            Cell("–" if pd.isna(t["effect"]) else f"{t['effect']:+.2f}"),
            Cell(
                f"{t['probability_of_improvement']:.2f}", f"{t['probability_low']:.2f} to {t['probability_high']:.2f}"
            ),
        ]
        for _, t in tests.iterrows()
    ]
    keys = [{"method": str(t["method"]), "env": str(t["env"]), "agents": str(t["agents"])} for _, t in tests.iterrows()]
    against = listed([label(str(name)) for name in dict.fromkeys(tests["against"])])
    head = ["", "difference, $ / period", "p", "p in its game", "p in the study", "mark", "effect d"]
    head.append(f"P(beats {against})")
    caption = f"tests of the paired differences in profit from {against}, p corrected over the game and over the "
    return Table(caption + f"study; below estimates {tests_told(tests)}", head, rows, "tests.csv", row_keys=keys)


def across_section(games: Sequence[GameResult], looks: Mapping[str, Look], files: Files) -> Section:
    """IQM, mean and median over all games' runs."""
    section = Section("across", "Over all games")
    scores = shared(games)
    section.text += _what(games, scores, looks)
    if not scores:
        return section
    table = files["across.csv"] = across_table(scores)
    figures: list[tuple[Figure, Keys]] = []
    for statistic, name in NAMES.items():
        mine = table[table["statistic"] == statistic]
        rows = [Row(str(one["policy"]), one["estimate"], one["low"], one["high"]) for _, one in mine.iterrows()]
        figures.append((forest(rows, looks, name, "normalised score"), {}))
    ways = ", ".join(sorted({str(way) for way in table["interval"].dropna()})) or "none"
    caption = "normalised scores of all runs with 95 % intervals, runs resampled within each game "
    caption += f"(n = {spanned(table['n'])} runs; {ways})"
    section.figures.append(
        side_by_side(figures, "across", "Aggregates of normalised scores, by method", f"{caption}.", "across.csv")
    )
    cells: Any = table.set_index(["statistic", "policy"])
    runs = {name: sum(map(len, by_game)) for name, by_game in scores.items()}
    body = [
        [Cell(label(name)), *(estimate(cells.loc[(one, name)]) for one in NAMES), Cell(str(runs[name]))]
        for name in scores
    ]
    keys = [{"method": name} for name in scores]
    section.tables.append(Table(caption, ["", *NAMES.values(), "runs"], body, "across.csv", row_keys=keys))
    iqms = table[table["statistic"] == "iqm"]
    best = str(iqms.set_index("policy")["estimate"].idxmax())
    told = estimate(cells.loc[("iqm", best)])
    section.answer.append(
        f"Over all games {label(best)} has the highest interquartile mean of normalised scores, {told.main}"
        f"{f' ({told.small})' if told.small else ''}."
    )
    return section


def _what(games: Sequence[GameResult], scores: Mapping[str, object], looks: Mapping[str, Look]) -> list[str]:
    """What scores are over all games, and what is not among them."""
    said = [f"Scores are normalised in each game: {WORDS}."]
    said += [f"{game.name} is left out: {game.normalised.why}." for game in games if game.normalised.why]
    said.append("Of each game the seeds count that all methods have, so that none seems better for runs it lacks.")
    missing = [label(name) for name in looks if name not in scores]
    if missing:
        few = f"with fewer than {MIN_RUNS} seeds in common with the others in some game"
        said.append(f"Left out, {few}: {listed(missing)}.")
    return said


def profiles_section(games: Sequence[GameResult], looks: Mapping[str, Look], files: Files) -> Section:
    """Share of all runs above each score."""
    section = Section("profiles", "Performance profiles over all games")
    table = profile_table(shared(games))
    if table.empty:
        section.text.append(f"No method has {MIN_RUNS} seeds in every game, so there is no profile.")
        return section
    add_profiles(section, table, looks, f"runs resampled within each game; n = {table['n'].max()} a method", files)
    return section


def improvement_section(games: Sequence[GameResult], looks: Mapping[str, Look], files: Files) -> Section:
    """Probability that a run of a method beats one of the reference method, over all games."""
    against = label(games[0].against)
    section = Section("improvement", f"Probability of improvement on {against}")
    table = across_improvement(games)
    if table.empty:
        section.text.append(f"No method has {MIN_RUNS} seeds in a game in which {against} has them.")
        return section
    files["improvement.csv"] = table
    rows = [Row(str(t["method"]), t["probability"], t["low"], t["high"]) for _, t in table.iterrows()]
    title = f"P(a run beats one of {against})"
    ways = ", ".join(sorted(set(table["interval"])))
    section.figures.append(
        side_by_side(
            [(forest(rows, looks, title, "mean over games", line=0.5), {})],
            "improvement",
            f"Probability that a run of a method beats one of {against}, a mean over games",
            f"Probability that a run of the method earns more than one of {against} on the same game, a mean over "
            f"games, with 95 % intervals (n = {spanned(table['n'])} runs of both; {ways}). At .5 neither is better; "
            "it says nothing of how much better.",
            "improvement.csv",
        )
    )
    return section
