"""The table of `mfmarl ls`."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from mfmarl.runs.schema import RunSummary


def runs_table(runs: Sequence[RunSummary]) -> Table:
    """One line a run."""
    colours = {"complete": "green", "running": "cyan", "resumable": "yellow", "broken": "red"}
    table = Table(box=None, pad_edge=False)
    for heading in ("run", "method", "environment"):
        table.add_column(heading, no_wrap=heading == "method")
    for heading in ("N", "seed", "iteration", "return"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("status")
    for run in runs:
        info = run.info
        told = (info.config.label, info.config.env, str(info.num_agents), str(info.seed)) if info else ("-",) * 4
        iteration = "-" if run.iteration is None else str(run.iteration)
        value = "-" if run.return_mean is None else f"{run.return_mean:,.1f}"
        status = run.status if not run.detail else f"{run.status}: {run.detail}"
        cells = (run.path.name, *told, iteration, value)
        table.add_row(*(Text(_printable(c)) for c in cells), Text(_printable(status), style=colours[run.status]))
    return table


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text)
