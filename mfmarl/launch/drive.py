"""Doing a study: what is not done yet is begun, gone on with, tried again, and told of."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from mfmarl.errors import StorageFailed
from mfmarl.launch.cell_state import check_there, notes_of, state_of, write_failure
from mfmarl.launch.local_pool import Pool
from mfmarl.launch.study import Cell, Study
from mfmarl.launch.work import Job, Outcome
from mfmarl.runs.files import storing
from mfmarl.runs.journal import last_line
from mfmarl.runs.lock import holder
from mfmarl.runs.progress import duration, short

SECONDS_BETWEEN_LINES = 10.0
BUSY_S = 2.0
"""After which a cell that another process works on is looked at again."""


@dataclass
class Tally:
    """How far a study is."""

    weights: Mapping[str, float]
    """Agent steps of each cell."""
    shares: dict[str, float]
    """Of each cell's training, 0 to 1."""
    done: int = 0
    begun: set[str] = field(default_factory=set)
    """Handed to the pool and not ended; on a cluster some still wait for a place."""
    failed: dict[str, str] = field(default_factory=dict)
    began: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self._before = self._steps()

    def _steps(self) -> float:
        return sum(self.weights[d] * share for d, share in self.shares.items())

    def line(self, running: Sequence[str]) -> str:
        """Cells by state, the rate since this call began, and the time left at that rate."""
        seconds = time.monotonic() - self.began
        # what a kill cost is done again first
        rate = max(0.0, self._steps() - self._before) / seconds if seconds > 0 else 0.0
        open_steps = sum(self.weights[d] * (1 - s) for d, s in self.shares.items() if d not in self.failed)
        left = duration(open_steps / rate) if rate > 0 else "-"
        # a new process compiles for a minute before its first step
        at = ", ".join(f"{self.shares[d]:.0%}" if self.shares[d] > 0 else "starting" for d in running[:8])
        at = f" (at {at}{', ...' if len(running) > 8 else ''})" if running else ""
        to_do = len(self.weights) - self.done - len(running) - len(self.failed)
        return (
            f"{self.done} of {len(self.weights)} done, {len(running)} running{at}, {len(self.failed)} failed, "
            f"{to_do} to do; {short(rate)} agent steps/s, {left} left"
        )


def drive(
    study: Study,
    folder: Path,
    pool: Pool,
    weights: Mapping[str, float],
    *,
    told: Callable[[str], None],
    every_s: float = SECONDS_BETWEEN_LINES,
) -> dict[str, str]:
    """Do all cells of a study that are not done; the failed ones with their errors, hash -> first line.

    A cell that fails is tried `retries` times again after the others; one that another process works on is waited for.

    Args:
        folder: of the study; made where it is not there.
        weights: hash -> agent steps of the cell.
        told: gets a line now and then, and one for each cell that ends.

    Raises:
        StorageFailed: where the folder cannot be made, or is moved away meanwhile.
    """
    with storing(folder, "cannot make"):
        folder.mkdir(parents=True, exist_ok=True)
    cells = {cell.digest: cell for cell in study.cells}
    states = {digest: state_of(folder, cell) for digest, cell in cells.items()}
    waiting = deque(digest for digest, state in states.items() if state.state != "done")
    tally = Tally(weights, {d: 1.0 if s.state == "done" else s.share for d, s in states.items()})
    tally.done = len(cells) - len(waiting)
    attempts: Counter[str] = Counter()
    resting: list[tuple[float, str]] = []
    shown = time.monotonic()
    told(f"{study.name}: {tally.done} of {len(cells)} cells are done, {len(waiting)} to do or to go on with")
    while waiting or resting or tally.begun:
        now = time.monotonic()
        waiting.extend(digest for until, digest in resting if until <= now)
        resting = [(until, digest) for until, digest in resting if until > now]
        while waiting and pool.has_room():
            digest = waiting.popleft()
            tally.begun.add(digest)
            pool.begin(_job(study, folder, cells[digest]))
        for outcome in pool.ended(1.0):
            cell = cells[outcome.digest]
            tally.begun.discard(cell.digest)
            if outcome.kind == "busy":
                resting.append((time.monotonic() + BUSY_S, cell.digest))
                continue
            if outcome.kind == "failed":
                check_there(folder)
            attempts[cell.digest] += 1
            again = outcome.kind == "failed" and outcome.again and attempts[cell.digest] <= study.config.retries
            if again:
                waiting.append(cell.digest)
            _note(tally, folder, cell, outcome, again)
            told(f"{_ending(cell, outcome, again)} [{tally.done} of {len(cells)} done]")
        if time.monotonic() - shown >= every_s:
            shown = time.monotonic()
            running = [d for d in tally.begun if holder(notes_of(folder, d)) is not None]
            for digest in running:
                tally.shares[digest] = _share(folder, cells[digest])
            told(tally.line(running))
    return tally.failed


def _job(study: Study, folder: Path, cell: Cell) -> Job:
    config = cell.config.model_dump(mode="json")
    return Job(str(folder.absolute()), cell.digest, config, study.config.evaluation.episodes)


def _note(tally: Tally, folder: Path, cell: Cell, outcome: Outcome, again: bool) -> None:
    if outcome.kind == "done":
        tally.done += 1
        tally.shares[cell.digest] = 1.0
        return
    tally.shares[cell.digest] = _share(folder, cell)
    if not outcome.kept:
        # a process that died could not do it
        with suppress(StorageFailed):
            write_failure(notes_of(folder, cell.digest), outcome.error)
    if not again:
        tally.failed[cell.digest] = outcome.error


def _share(folder: Path, cell: Cell) -> float:
    try:
        line = last_line(folder / cell.digest)
    except StorageFailed:
        return 0.0
    return min(1.0, int(line["episodes"]) / cell.config.num_episodes) if line else 0.0


def _ending(cell: Cell, outcome: Outcome, again: bool) -> str:
    if outcome.kind == "done":
        return f"{cell.digest} done ({cell.label})"
    return f"{cell.digest} failed ({cell.label}){', will be tried again' if again else ''}: {outcome.error}"
