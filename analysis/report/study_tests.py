"""The tests of all games of a study together, corrected as one family, and what they say in words."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from analysis.figures.style import label
from analysis.report.comparisons import LEVEL, judged, least_p
from analysis.report.game_result import GameResult
from analysis.report.numbers import counted, listed
from analysis.statistics import holm, stars

FIRST = ["game", "env", "agents", "method", "against"]


def study_tests(games: Sequence[GameResult]) -> pd.DataFrame:
    """The overall tests of all games: p_holm_game is corrected over the game's tests, p_holm_study over all, and p_holm
    is the one that marks are of: over all, or, where so many tests could tell nothing whatever the scores, by game.
    """
    tables = [
        game.tests.assign(game=game.name, env=game.env, agents=game.agents).rename(columns={"p_holm": "p_holm_game"})
        for game in games
        if len(game.tests)
    ]
    if not tables:
        return pd.DataFrame(columns=[*FIRST, "estimate", "p", "p_holm"])
    table = pd.concat(tables, ignore_index=True)
    table["p_holm_study"] = holm([float(p) for p in table["p"]])
    table["p_holm"] = table["p_holm_game" if powerless(table) else "p_holm_study"]
    table["mark"] = [stars(float(p)) for p in table["p_holm"]]
    first = [*FIRST, "estimate", "low", "high", "n", "interval", "test", "p", "p_holm_game", "p_holm_study"]
    return table[[*first, *(name for name in table if name not in (*first, "type"))]]


def powerless(tests: pd.DataFrame) -> bool:
    """Whether Holm's correction over all tests leaves no score of theirs a way below the level.

    It depends on the numbers of tests and pairs alone, never on scores.
    """
    return bool(len(tests)) and least_p(tests) >= LEVEL


def family_words(tests: pd.DataFrame) -> str:
    """Over what the tests were corrected, and why."""
    games = tests["game"].nunique()
    what = f"{counted(len(tests), 'comparison')} over {counted(games, 'game')}"
    if not powerless(tests):
        return f"Holm's correction is over all {what}, at {LEVEL:g}."
    most = int(tests.groupby("game").size().max())
    return (
        f"Holm's correction is over the up to {most} comparisons of each game, at {LEVEL:g}: over all {what} no scores "
        f"could have come below it, Wilcoxon's least p over {tests['n'].max()} pairs being "
        f"{2.0 ** (1 - int(tests['n'].max())):.2g}, {least_p(tests):.2g} after correction. Expect up to "
        f"{LEVEL * games:.2g} games with a false finding."
    )


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
