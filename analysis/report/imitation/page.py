"""The report on imitations: one page for each environment, and one over several."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from analysis.figures.style import label
from analysis.imitations import EXPERT, RANDOM, Imitations, load_imitations
from analysis.report.comparison import Compared, reference_of
from analysis.report.comparisons import differences_of
from analysis.report.differences import Measure, difference_words, differences_section
from analysis.report.imitation.caveats import caveats_section
from analysis.report.imitation.curves import curves_section
from analysis.report.imitation.index import EnvResult, write_index
from analysis.report.imitation.results import interval_table, metrics_section, returns_section, runs_section
from analysis.report.numbers import counted, listed, number
from analysis.report.render import TABLES, Page, policy_filter, write_page
from mfmarl.errors import UserError

USUAL = "bc"
EPISODES = 50
"""Of random play."""
SHARED = "demonstrations, first networks and the starts of evaluation episodes"
MEASURES = [
    Measure("return_mode", "return of likeliest actions", "", "", "return", SHARED, "_mode"),
    Measure("return_sampled", "return of sampled actions", "", "", "return", SHARED, "_sampled"),
]


def write_imitations(folders: Sequence[Path], out: Path, against: str | None = None) -> list[Path]:
    """Compare imitations: OUT/index.html, and where environments are several OUT/<environment>/index.html of each.

    Returns the pages, the one over all first.

    Args:
        folders: as `mfmarl imitate` writes them; those that are not complete are left out.
        against: the method that all others are compared against; bc where it is among them, else the first.

    Raises:
        UserError: where none is complete, or none of the method `against`.
        BadRun: for two of one method and seed.
        DamagedFile: for a file that cannot be read; names it.
        StorageFailed: where the disk does not take the files.
    """
    found, left_out = load_imitations(folders)
    methods = sorted(set().union(*(study.methods for study in found.values())))
    if against is not None:
        reference_of(methods, against)
    several, results = len(found) > 1, []
    below = folders_of(list(found))
    for env, study in found.items():
        named = against if against in study.methods else None
        usual = next((method for method in study.methods if method.split()[0] == USUAL), USUAL)
        compared = Compared(study, reference_of(study.methods, named, usual))
        results.append(_write(compared, len(left_out), out, below[env] if several else ""))
    index = [write_index(results, out)] if several else []
    return index + [one.page for one in results]


def folders_of(envs: Sequence[str]) -> dict[str, str]:
    """Environment -> the folder of its page: one name inside of the report's folder, no two alike."""
    named: dict[str, str] = {}
    taken = {TABLES, "index.html", "returns.csv"}
    for env in envs:
        plain = re.sub(r"[^A-Za-z0-9._+-]", "-", env)[:60].lstrip(".") or "environment"
        name, number = plain, 2
        # some disks hold a and A for one
        while name.casefold() in taken:
            name, number = f"{plain}-{number}", number + 1
        taken.add(name.casefold())
        named[env] = name
    return named


def _write(compared: Compared[Imitations], left_out: int, out: Path, folder: str) -> EnvResult:
    """The page of one environment, in `folder` of `out` where there are several."""
    study = compared.study
    files: dict[str, pd.DataFrame] = {}
    levels = levels_of(study)
    table = interval_table(compared)
    found = {of: differences_of(compared, of.metric) for of in MEASURES if of.metric in study.table}
    caveats = caveats_section(compared, levels, files)
    sections = [
        returns_section(compared, table, levels, files),
        *(differences_section(compared, tests, files, of) for of, tests in found.items()),
        curves_section(compared, levels, files),
        caveats,
        metrics_section(compared, table, files),
        runs_section(compared, files),
    ]
    words = [
        sentence
        for of, tests in found.items()
        for sentence in _of(of, compared, difference_words(compared, tests.overall, of))
    ]
    few = f"; {counted(left_out, 'imitation')} not complete, left out" if left_out else ""
    page = Page(
        f"{listed([label(method) for method in study.methods])} on {study.env}",
        f"{counted(len(study.runs), 'imitation')} of {compared.seeds} seeds a method{few}. A score is one run's mean "
        "over its last evaluation's episodes; intervals are over seeds.",
        [*_level_words(table, levels), *words, *caveats.answer],
        sections,
        [policy_filter(compared.policies)],
        parent="../index.html" if folder else "",
    )
    path = write_page(page, files, out / folder)
    return EnvResult(study.env, folder, path, study.methods, table, levels, page.answer)


def _of(of: Measure, compared: Compared[Imitations], said: list[str]) -> list[str]:
    return [f"By {of.name}: {said[0]}", *said[1:]] if said and compared.others else said


def _level_words(table: pd.DataFrame, levels: Mapping[str, float]) -> list[str]:
    """What the best returns, beside expert and random play."""
    mine = table[(table["metric"] == "return_mode") & (table["n"] > 0)]
    if mine.empty:
        return []
    most = mine["estimate"].max()
    best = [label(str(policy)) for policy in mine[mine["estimate"] == most]["policy"]]
    beside = ", ".join(f"{name} {number(level)}" for name, level in levels.items())
    many = "return most" if len(best) > 1 else "returns most" if len(mine) > 1 else "returns"
    return [
        f"{listed(best)} {many} by {'their' if len(best) > 1 else 'its'} likeliest actions, {number(most)}"
        f"{f' ({beside})' if beside else ''}."
    ]


def levels_of(study: Imitations) -> dict[str, float]:
    """Returns of the expert, as its episodes were recorded, and of random play, of 50 episodes played now.

    Random play is missing where the environment cannot be made here; code of a module that a folder names is not run.
    """
    levels = {} if study.expert is None else {EXPERT: study.expert}
    if ":" in study.env:
        return levels
    import gymnasium as gym

    from mfmarl.imitation.rollout import episodes, spaces_of
    from mfmarl.imitation.survival import random_actions

    try:
        played = episodes(study.env, random_actions(spaces_of(study.env), 0), EPISODES, 0)
    except (UserError, ImportError, gym.error.Error):
        return levels
    return levels | {RANDOM: float(np.mean([one.rewards.sum() for one in played]))}
