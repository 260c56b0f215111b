"""The command `mfmarl study`."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro.conf import FlagCreatePairsOff, Positional

from mfmarl.arguments import GivenText, given, line, teller, whole_number
from mfmarl.errors import UserError
from mfmarl.registry import JOBS, load, suggestion

if TYPE_CHECKING:
    from rich.table import Table

    from mfmarl.launch.study import Study as StudyFile
    from mfmarl.launch.study_config import Resources

ACTIONS = ("plan", "run", "status")
OPTIONS = {"jobs": ("plan", "run"), "address": ("run",), "no_probe": ("plan",), "cells": ("plan", "status")}
"""Option -> the actions that have it."""
_Flag = Annotated[bool, FlagCreatePairsOff, given()]


@dataclass(frozen=True)
class Study:
    """Train and evaluate a grid of runs (methods, games, seeds) as cells of one study, each an ordinary run folder.

    plan: cells by state, with the processor hours and the disk that are left, from cells that are done or a short probe
    of each kind. run: do what is not done. A cell that is done is skipped, one with a checkpoint goes on from it, bit
    for bit; one that fails is tried again and does not stop the others. Killed at any moment, the same call goes on; a
    study that gets further seeds or methods runs only these. status: how far it is, and the first line of each error.
    Exit codes: 0 all done, 1 not complete yet (status), 3 a cell failed.

    Examples:
      mfmarl study plan configs/study/demo.yaml
      mfmarl study run configs/study/demo.yaml --jobs 2
      mfmarl study status configs/study/demo.yaml
      mfmarl report runs/demo --out report
      mfmarl study run configs/study/is_vs_mf.yaml --address auto
    """

    action: Annotated[str, Positional, given("plan|run|status")]
    """What to do with it."""
    file: Annotated[Path, Positional, given("STUDY.yaml")]
    """The study: name, base configuration, grid."""
    runs_dir: Annotated[Path, given("DIR", "runs")] = Path("runs")
    """Where the study's folder is, DIR/NAME; on a cluster a folder that all nodes see."""
    jobs: Annotated[GivenText, given("J", "as many as processors and memory hold")] = None
    """Cells at a time, each in a process of its own; on a cluster its resources decide."""
    address: Annotated[GivenText, given("HOST:PORT|auto", "processes of this machine")] = None
    """Ray cluster to run cells on, one task each."""
    insecure: _Flag = False
    """Join another machine's cluster without a token."""
    no_probe: _Flag = False
    """Plan without measuring what cells take."""
    cells: _Flag = False
    """Show every cell."""
    verbose: _Flag = False
    """Show workers' output, and where an error arose."""

    def run(self) -> int:
        """Plan, run, or tell the status."""
        if self.action not in ACTIONS:
            raise UserError(
                f"study {self.action}: want plan, run or status{suggestion(self.action, ACTIONS)}; e.g. mfmarl study "
                "plan STUDY.yaml"
            )
        for name, actions in OPTIONS.items():
            if getattr(self, name) not in (None, False) and self.action not in actions:
                flag = f"--{name.replace('_', '-')}"
                raise UserError(f"study {self.action} has no {flag}, only study {' and '.join(actions)}; leave it out")
        if self.jobs is not None and self.address is not None:
            raise UserError("--jobs is of this machine, --address of a cluster; leave one out")
        jobs = None if self.jobs is None else whole_number("--jobs", self.jobs, 1, 4096)
        study = load(JOBS, "study")(self.file)
        folder = self.runs_dir / study.name
        if self.action == "status":
            return self._status(study, folder)
        jobs = jobs or jobs_that_fit(study.config.resources)
        return self._plan(study, folder, jobs) if self.action == "plan" else self._run(study, folder, jobs)

    def _plan(self, study: StudyFile, folder: Path, jobs: int) -> int:
        from mfmarl.launch.plan import plan, plan_table, plan_words

        kinds = plan(study, folder, probing=not self.no_probe, told=teller(5.0))
        _show(plan_table(study, kinds))
        if self.cells:
            self._table(study, folder)
        print(plan_words(study, kinds, jobs), file=sys.stderr)
        return 0

    def _run(self, study: StudyFile, folder: Path, jobs: int) -> int:
        from mfmarl.launch.cell_state import state_of
        from mfmarl.launch.local_pool import LocalPool, Pool

        pool: Pool
        if self.address is None:
            pool = LocalPool(jobs, verbose=self.verbose)
        else:
            from mfmarl.launch.cluster_access import check_access
            from mfmarl.rllib.quiet import take_token

            check_access(self.address, insecure=self.insecure, told=line)
            take_token(self.address)
            pool = load(JOBS, "study on Ray")(study.config.resources, self.address, verbose=self.verbose)
        try:
            if pool.hint is not None:
                line(pool.hint)
            failed = load(JOBS, "study run")(study, folder, pool, load(JOBS, "study sizes")(study), told=line)
        finally:
            pool.close()
        print(folder)
        if failed:
            states = [state_of(folder, cell) for cell in study.cells if cell.digest in failed]
            first = f"{states[0].cell.digest} ({states[0].cell.label}): {failed[states[0].cell.digest]}"
            line(f"mfmarl: {len(failed)} of {len(study.cells)} cells failed; {first}")
            line(f"next: mend that, and give the same command again; all errors: mfmarl study status {self.file}")
            return 3
        line(f"next: mfmarl report {folder} --out report")
        return 0

    def _status(self, study: StudyFile, folder: Path) -> int:
        from mfmarl.launch.cell_state import state_of
        from mfmarl.launch.status import cells_table, counts_words, exit_code

        if not folder.is_dir():
            line(f"there is no folder {folder}: nothing was begun there; was it with another --runs-dir?")
        states = [state_of(folder, cell) for cell in study.cells]
        print(counts_words(study.name, states))
        table = cells_table(study.axes, states, self.cells)
        if table is not None:
            _show(table)
        return exit_code(states)

    def _table(self, study: StudyFile, folder: Path) -> None:
        from mfmarl.launch.cell_state import state_of
        from mfmarl.launch.status import cells_table

        table = cells_table(study.axes, [state_of(folder, cell) for cell in study.cells], True)
        if table is not None:
            _show(table)


def jobs_that_fit(needs: Resources) -> int:
    """As many cells as this machine's processors and memory hold."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return max(1, min(len(os.sched_getaffinity(0)) // needs.cpus, int(memory / needs.memory_gb)))


def _show(table: Table) -> None:
    from rich.console import Console

    # without a terminal, lines are not folded
    Console(width=None if sys.stdout.isatty() else 240).print(table)
