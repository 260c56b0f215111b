"""How far a study is: cells by state, those at work with their rate, those that failed with their error."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from mfmarl.launch.cell_state import STATES, CellState, State
from mfmarl.runs.progress import short

COLOURS: dict[State, str] = {
    "done": "green", "running": "cyan", "failed": "red", "resumable": "yellow", "to do": "",
}  # fmt: skip


def counts_words(name: str, states: Sequence[CellState]) -> str:
    """Cells by state, in a line."""
    counts = Counter(s.state for s in states)
    told = ", ".join(f"{counts[state]} {state}" for state in STATES if counts[state])
    return f"{name}: {len(states)} cells: {told}"


def cells_table(axes: Sequence[str], states: Sequence[CellState], every: bool) -> Table | None:
    """A line a cell: all of them, or those that run, failed or can go on; None where there are none."""
    shown = [s for s in states if every or s.state not in ("done", "to do")]
    if not shown:
        return None
    table = Table(box=None, pad_edge=False)
    table.add_column("cell", no_wrap=True)
    for axis in axes:
        table.add_column(Text(axis))
    for heading in ("iteration", "trained", "steps/s"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("state")
    for s in shown:
        begun = s.iteration > 0
        rate = short(s.agent_steps / s.seconds) if s.seconds > 0 else "-"
        told = s.state if not s.detail else f"{s.state}: {s.detail}"
        table.add_row(
            s.cell.digest, *(Text(s.cell.point[axis]) for axis in axes), str(s.iteration) if begun else "-",
            f"{s.share:.0%}" if begun else "-", rate, Text(told, style=COLOURS[s.state]),
        )  # fmt: skip
    return table


def exit_code(states: Sequence[CellState]) -> int:
    """0 where all cells are done, 3 where one failed, else 1: the study is not complete."""
    if any(s.state == "failed" for s in states):
        return 3
    return 0 if all(s.state == "done" for s in states) else 1
