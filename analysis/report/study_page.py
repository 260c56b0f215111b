"""The report on a whole study: a page for each of its games, and one over them all."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pandas as pd

from analysis.figures.style import label, looks
from analysis.interval_words import spanned
from analysis.labels import labels
from analysis.load import load_study
from analysis.report.comparison import Comparison, reference_of
from analysis.report.comparisons import differences_of
from analysis.report.game_result import GameResult, game_result
from analysis.report.numbers import counted, listed
from analysis.report.page import write_game
from analysis.report.parts import Section
from analysis.report.render import Choice, Filter, Page, named_filter, policy_filter, write_page
from analysis.report.study_sections import (
    across_section,
    differences_section,
    games_section,
    improvement_section,
    profiles_section,
)
from analysis.report.study_tests import study_tests, study_words
from mfmarl.runs.schema import open_run


def write_study(
    games: Mapping[str, Sequence[Path]],
    out: Path,
    title: str,
    against: str | None = None,
    told: Callable[[str], None] = lambda line: None,
) -> Path:
    """Compare the evaluated runs of a study: OUT/index.html over all its games, and OUT/<game>/index.html of each.

    Args:
        games: folder name of a game -> its runs; two games or more.
        title: what the study is called.
        against: the method that all others are compared against; mf where it is among them, else the first. A game
            that has no run of it takes its own first one, and says so.
        told: gets a line before the first page and one after each game's.

    Raises:
        BadRun: for runs that cannot be compared; names the folder and the mend.
        UserError: where no run of any game is of the method `against`.
        StorageFailed: where the disk does not take the files.
    """
    studies = {name: [open_run(run).config for run in runs] for name, runs in games.items()}
    reference = reference_of(sorted(set().union(*(labels(configs) for configs in studies.values()))), against)
    tasks = [(list(runs), out / folder, reference) for folder, runs in games.items()]
    told(f"{counted(sum(map(len, games.values())), 'run')} on {counted(len(games), 'game')}")
    results: list[GameResult] = []
    # processes of their own: a game of ninety runs is half a minute of reading, resampling and drawing
    with ProcessPoolExecutor(min(len(tasks), _processors()), mp_context=get_context("spawn")) as pool:
        for result in pool.map(_game, *zip(*tasks, strict=True)):
            results.append(result)
            told(f"page {len(results)} of {len(tasks)}: {out / result.folder / 'index.html'}")
    return _write(results, out, title)


def _processors() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _game(runs: list[Path], out: Path, reference: str) -> GameResult:
    """Write the page of one game."""
    study = load_study(runs)
    compared = Comparison(study, reference_of(study.methods, reference if reference in study.methods else None))
    found = differences_of(compared)
    write_game(compared, found, runs, out, parent="../index.html")
    return game_result(compared, found, out.name)


def _write(games: Sequence[GameResult], out: Path, title: str) -> Path:
    files: dict[str, pd.DataFrame] = {}
    methods = sorted(set().union(*(game.methods for game in games)))
    drawn, played = looks(methods), [policy for game in games for policy in game.scores]
    tests = study_tests(games)
    sections: list[Section] = [
        games_section(games, methods, tests, files),
        differences_section(games, tests, drawn, files),
        across_section(games, drawn, files),
        profiles_section(games, drawn, files),
        improvement_section(games, drawn, files),
    ]
    against = listed([label(name) for name in dict.fromkeys(game.against for game in games)])
    seeds = [len(game.scores[method]) for game in games for method in game.methods]
    page = Page(
        f"{title}: {counted(len(methods), 'method')} on {counted(len(games), 'game')}",
        f"{listed([label(name) for name in methods])}, each on {listed([game.name for game in games])}; "
        f"{spanned(seeds)} seeds of a method and game, "
        f"{counted(sum(seeds), 'run')} in all. What is compared is profit in evaluation, over seeds, against "
        f"{against}.",
        [*study_words(games, tests), *(sentence for section in sections for sentence in section.answer)],
        sections,
        [
            policy_filter([*methods, *(p for p in dict.fromkeys(played) if p not in methods)]),
            named_filter("env", "Environments", list(dict.fromkeys(game.env for game in games))),
            Filter(
                "agents",
                "Number of agents",
                [Choice(str(n), f"N = {n}") for n in sorted({game.agents for game in games})],
            ),
        ],
    )
    return write_page(page, files, out)
