"""The coordination study's table, for a terminal. Without torch."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.table import Table
from rich.text import Text

from analysis.magail_results import CLASSES, Results, Spread


def table_of(results: Results) -> Table:
    """A row for each beta."""
    settings = results.settings
    table = Table(box=None, pad_edge=False, title=f"MAGAIL, expert {settings.expert_type}", title_justify="left")
    # only agents who share a signal come to both
    shown = [name for name in CLASSES if name != "AA+BB" or settings.signals > 1]
    for heading in ("beta", "coordination", "/".join(shown), "JS distance", "exploitability", "NashConv"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in results.betas:
        cells = (row.coordination_rate, row.js_distance, row.exploitability, row.nash_conv)
        rate, js, exploitability, nash_conv = map(_told, cells)
        classes = "/".join(str(row.classes[name]) for name in shown)
        table.add_row(f"{row.beta:g}", rate, classes, js, exploitability, nash_conv)
    return table


def notes(results: Results) -> list[str]:
    """What the table does not say by itself."""
    expert, theory, n = results.expert, results.theory, len(results.settings.seeds)
    over = "one seed" if n == 1 else f"mean +- standard deviation over {n} seeds"
    out = [
        f"{over}; coordination: P(AA) + P(BB), the expert's {expert.coordination_rate:.4g}",
        f"JS distance from the joint law of the expert's {expert.samples:,} samples; independent policies come to "
        f"{theory.independent_limit:.4g} at best",
    ]
    if results.settings.signals > 1:
        out.append("exploitability and NashConv: gains of leaving before the signal is told")
    if theory.threshold is None or theory.threshold_at_lowest_logit is None:
        out.append(
            "no threshold of beta: theory is of independent agents, a discriminator that sees both actions, and an "
            "expert who treats A and B alike"
        )
    elif theory.threshold <= 0:
        out.append(f"theory: (1/2, 1/2) is stable at every beta (beta* = {theory.threshold:.4g})")
    else:
        bounded = max(0.0, theory.threshold_at_lowest_logit)
        out.append(
            f"theory: (1/2, 1/2) is left at beta below {theory.threshold:.4g} by the best discriminator, below "
            f"{bounded:.4g} if its logit stays above {theory.lowest_logit:.2f}, the lowest here"
        )
    return out


def _told(spread: Spread) -> str:
    return f"{spread.mean:.3f}" + ("" if spread.sd is None else f" +- {spread.sd:.3f}")


def show(results: Results) -> None:
    """Print the table with its notes."""
    # without a terminal, lines are not folded
    console = Console(width=None if sys.stdout.isatty() else 240)
    console.print(table_of(results))
    for note in notes(results):
        console.print(Text(note))
