"""The tests of all games of a study together, corrected as one family, and what they say in words."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from analysis.figures.style import label
from analysis.report.comparisons import LEVEL, judged
from analysis.report.game_result import GameResult
from analysis.report.numbers import counted, listed
from analysis.statistics import holm, stars

FIRST = ["game", "env", "agents", "method", "against"]


def study_tests(games: Sequence[GameResult]) -> pd.DataFrame:
    """The overall tests of all games: p_holm is corrected over all of them, p_holm_game over the game's tests alone."""
    tables = [
        game.tests.assign(game=game.name, env=game.env, agents=game.agents).rename(columns={"p_holm": "p_holm_game"})
        for game in games
        if len(game.tests)
    ]
    if not tables:
        return pd.DataFrame(columns=[*FIRST, "estimate", "p", "p_holm"])
    table = pd.concat(tables, ignore_index=True)
    table["p_holm"] = holm([float(p) for p in table["p"]])
    table["mark"] = [stars(float(p)) for p in table["p_holm"]]
    first = [*FIRST, "estimate", "low", "high", "n", "interval", "test", "p", "p_holm_game", "p_holm"]
    return table[[*first, *(name for name in table if name not in (*first, "type"))]]


def family_words(tests: pd.DataFrame) -> str:
    """Over what the tests were corrected."""
    what = f"{counted(len(tests), 'comparison')} over {counted(tests['game'].nunique(), 'game')}"
    return f"Holm's correction is over all {what}, at {LEVEL:g}."


def study_words(games: Sequence[GameResult], tests: pd.DataFrame) -> list[str]:
    """Where methods help, where they do not, and where nothing can be told: first those that correct for drift."""
    if tests.empty:
        return ["No method can be compared: it needs 3 seeds in common with the reference method in some game."]
    corrected = set().union(*(game.corrected for game in games))
    weighs = tests["method"].isin(corrected)
    said = []
    for mine, what in ((tests[weighs], "that weigh stored steps for drift"), (tests[~weighs], "without such weights")):
        if len(mine):
            said += _group(mine, what)
    return said


def _group(tests: pd.DataFrame, what: str) -> list[str]:
    names = list(dict.fromkeys(tests["method"]))
    against = listed([label(one) for one in dict.fromkeys(tests["against"])])
    above, below, neither = (sum(len(one) for one in parts) for parts in zip(*_by_game(tests), strict=True))
    number = counted(len(tests), "comparison")
    told = f"of {number} {above} earn more, {below} less, in {neither} no difference can be told"
    if not above + below:
        told = f"in none of {number} can a difference be told"
    said = [f"Methods {what} ({listed([label(name) for name in names])}) against {against}: {told}."]
    for place, verb in ((0, "more"), (1, "less")):
        places = []
        for name in names:
            where = [game for game, parts in _named(tests) if name in parts[place]]
            if where:
                places.append(f"{label(name)} on {listed(where)}")
        if places:
            said.append(f"They earn {verb}: {'; '.join(places)}.")
    return said


def _named(tests: pd.DataFrame) -> list[tuple[str, tuple[list[str], list[str], list[str]]]]:
    return [(str(game), judged(mine)) for game, mine in tests.groupby("game", sort=False)]


def _by_game(tests: pd.DataFrame) -> list[tuple[list[str], list[str], list[str]]]:
    return [parts for _, parts in _named(tests)]
