"""What a study would do: cells by kind and state, and what is left in processor hours and on disk."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table
from rich.text import Text

from mfmarl.launch.cell_state import STATES, CellState, state_of
from mfmarl.launch.games import Game, games_of, kind_of
from mfmarl.launch.probe import Cost, of_done, probe
from mfmarl.launch.study import Study
from mfmarl.runs.progress import short


@dataclass(frozen=True)
class Kind:
    """Cells that differ by their seed alone."""

    states: tuple[CellState, ...]
    game: Game
    cost: Cost | None
    """None where it was not measured."""

    @property
    def core_hours(self) -> float | None:
        """What is left of its cells."""
        if self.cost is None:
            return None
        left = sum(1 - s.share for s in self.states if s.state != "done")
        return left * self.cost.seconds / 3600

    @property
    def disk_bytes(self) -> float | None:
        """What all of its cells take in the end."""
        return None if self.cost is None else self.cost.disk_bytes * len(self.states)


def plan(
    study: Study, folder: Path, *, probing: bool = True, told: Callable[[str], None] = lambda doing: None
) -> list[Kind]:
    """All kinds of cells, in the study's order; what a kind costs is taken from its cells that are done, else probed.

    Raises:
        UserError: for a cell that cannot play its game.
    """
    games = games_of(study)
    kinds: dict[str, list[CellState]] = {}
    for cell in study.cells:
        kinds.setdefault(kind_of(cell.config), []).append(state_of(folder, cell))
    found = []
    for number, states in enumerate(kinds.values(), 1):
        cell = states[0].cell
        done = [s for s in states if s.state == "done"]
        cost = of_done(folder, done) if done else None
        if cost is None and probing and not cell.config.is_baseline:
            told(f"probing {number} of {len(kinds)}: {_place(study, states)}")
            cost = probe(cell.config, games[cell.digest], study.config.evaluation.episodes)
        found.append(Kind(tuple(states), games[cell.digest], cost))
    told("")
    return found


def _place(study: Study, states: list[CellState]) -> str:
    """Where on the grid cells of one kind are, without their seeds."""
    point = states[0].cell.point
    return ", ".join(f"{axis} {point[axis]}" for axis in _axes(study))


def _axes(study: Study) -> list[str]:
    return [axis for axis in study.axes if axis != "seed"]


def plan_table(study: Study, kinds: list[Kind]) -> Table:
    """A line a kind, and one for all."""
    axes = _axes(study)
    table = Table(box=None, pad_edge=False)
    for axis in axes:
        table.add_column(Text(axis))
    for heading in ("agents", "cells", *STATES, "steps/s", "core-hours left", "disk", "known from"):
        table.add_column(heading, justify="left" if heading == "known from" else "right")
    total: Counter[str] = Counter()
    for kind in kinds:
        counts = Counter(s.state for s in kind.states)
        total.update(counts)
        rate = "-" if kind.cost is None else short(kind.cost.rate)
        source = kind.cost.source if kind.cost else "not measured"
        places = [Text(kind.states[0].cell.point[axis]) for axis in axes]
        numbers = [str(kind.game.num_agents), str(len(kind.states)), *(str(counts[s] or "") for s in STATES)]
        table.add_row(*places, *numbers, rate, _hours(kind.core_hours), _megabytes(kind.disk_bytes), source)
    measured = any(kind.cost for kind in kinds)
    hours = sum(k.core_hours or 0.0 for k in kinds) * study.config.resources.cpus if measured else None
    disk = sum(k.disk_bytes or 0.0 for k in kinds) if measured else None
    blank = [""] * max(0, len(axes) - 1)
    table.add_row(
        *(["all", *blank] if axes else []), "", str(len(study.cells)), *(str(total[s] or "") for s in STATES), "",
        _hours(hours), _megabytes(disk), "",
    )  # fmt: skip
    return table


def plan_words(study: Study, kinds: list[Kind], jobs: int) -> str:
    """What is left, in a sentence."""
    if not any(kind.cost for kind in kinds):
        return "core-hours left: not measured"
    hours = sum(k.core_hours or 0.0 for k in kinds) * study.config.resources.cpus
    unknown = sum(k.cost is None for k in kinds)
    least = "at least " if unknown else ""
    note = f"; {unknown} kind{'s' * (unknown != 1)} of cells not measured" if unknown else ""
    wall = hours / study.config.resources.cpus / max(1, jobs)
    return f"{least}{_hours(hours)} core-hours left, {_hours(wall)} hours with --jobs {jobs}{note}"


def _hours(hours: float | None) -> str:
    if hours is None:
        return "-"
    return f"{hours:.1f}" if hours >= 10 else f"{hours:.2f}" if hours >= 0.01 or hours == 0 else "< .01"


def _megabytes(size: float | None) -> str:
    if size is None:
        return "-"
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"
