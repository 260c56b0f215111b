"""Folders of run folders, e.g. of a study: the runs in them that were evaluated, by the game that they play."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mfmarl.errors import UserError
from mfmarl.runs.files import storing
from mfmarl.runs.schema import RUN, RunInfo, open_run
from mfmarl.runs.store import EVALUATION


@dataclass(frozen=True)
class Found:
    """The runs below some folders."""

    by_game: dict[str, list[Path]]
    """Name of the game, fit for a folder -> its evaluated runs."""
    unevaluated: tuple[Path, ...]


def is_folder_of_runs(path: Path) -> bool:
    """Whether `path` is no run itself, and holds some."""
    if (path / RUN).exists() or not path.is_dir():
        return False
    with storing(path, "cannot read"):
        return any((below / RUN).exists() for below in path.iterdir())


def evaluated_runs(folders: Sequence[Path]) -> Found:
    """The evaluated runs in `folders`, in the order of their names.

    Raises:
        UserError: where none is evaluated.
        StorageFailed: for a damaged run.json; names it.
    """
    games: dict[tuple[str, int, str], list[Path]] = {}
    left_out: list[Path] = []
    for folder in folders:
        with storing(folder, "cannot read"):
            runs = sorted(p for p in folder.iterdir() if (p / RUN).exists())
        for run in runs:
            if (run / EVALUATION).exists():
                games.setdefault(_game(open_run(run)), []).append(run)
            else:
                left_out.append(run)
    if not games:
        raise UserError(f"no run in {folders[0]} was evaluated yet; `mfmarl ls {folders[0]}` shows how far they are")
    named: dict[str, list[Path]] = {}
    for (env, agents, _), runs in sorted(games.items()):
        leaf = re.sub(r"[^A-Za-z0-9._+-]", "-", env.split("/")[-1])[:60]
        name, number = f"{leaf}-n{agents}", 2
        while name in named:
            name, number = f"{leaf}-n{agents}-{number}", number + 1
        named[name] = runs
    return Found(named, tuple(left_out))


def _game(info: RunInfo) -> tuple[str, int, str]:
    """What runs of one report have in common; evaluation chooses the part of the data."""
    options = {key: value for key, value in info.config.env_options.items() if key != "split"}
    return info.config.env, info.num_agents, repr((sorted(options.items()), info.config.discount))
