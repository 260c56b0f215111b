"""An audit for a terminal: a line a type, a column a way, and what each column certifies."""

from __future__ import annotations

import sys
from pathlib import Path
from textwrap import fill

from rich.console import Console
from rich.table import Table
from rich.text import Text

from analysis.equilibrium.audit_file import TRAINED, Audit, read_audit
from analysis.equilibrium.gaps import CERTIFIES, By, Estimate, at_least_nothing, largest
from analysis.equilibrium.rates import in_words

TEXT = 110
"""Letters in a line of text, at most."""
ORDER: tuple[By, ...] = ("learned", "exact", "bound")


def show(run: Path, policy: str = TRAINED) -> None:
    """Print the audit of a run, or of a reference policy there."""
    audit = read_audit(run, policy)
    # without a terminal, the table is not folded
    console = Console(width=None if sys.stdout.isatty() else 200)
    console.print(table_of(audit))
    width = min(console.width, TEXT)
    for line in lines_of(audit):
        console.print(Text(fill(line, width, subsequent_indent="  ", break_long_words=False)))


def table_of(audit: Audit) -> Table:
    """Unilateral gaps and type deviations by type, NashConv below; in $ per agent and episode.

    Values are simulated where deviators were, else as the first way has them; shares are of the value in their row.
    """
    who = audit.policy if audit.policy != TRAINED else f"{audit.run} ({audit.label})"
    table = Table(box=None, pad_edge=False, title=f"{who} on {audit.env}, N = {audit.num_agents}")
    table.add_column("type", no_wrap=True)
    ways = [(by, found) for by in ORDER if (found := audit.found(by)) is not None]
    together = audit.found("learned", "type deviation")
    table.add_column("value, $", justify="right", overflow="fold")
    for by, _ in ways:
        table.add_column(f"gap, {by}", justify="right", overflow="fold")
    if together is not None:
        table.add_column("type deviation", justify="right", overflow="fold")
    columns = [found for _, found in ways] + ([] if together is None else [together])
    # types in the game's order, which a way that has all of them knows
    whole_first = sorted(columns, key=lambda found: not found.complete)
    for name in dict.fromkeys(one.type_name for found in whole_first for one in found.types):
        cells = [next((one for one in found.types if one.type_name == name), None) for found in columns]
        base = next(one.base for one in cells if one is not None)
        gaps = [
            "–" if one is None else _share(one.gap, base.value, found.by)
            for found, one in zip(columns, cells, strict=True)
        ]
        table.add_row(name, _number(base), *gaps)
    if any(found.complete for _, found in ways):
        whole = [_share(found.nash_conv, audit.value.value, by) if found.complete else "–" for by, found in ways]
        table.add_row("all (NashConv)", _number(audit.value), *whole, *([""] if together is not None else []))
    return table


def _number(estimate: Estimate) -> str:
    return f"{estimate.value:,.1f}" + ("" if estimate.low == estimate.high else f" ±{_half(estimate):,.1f}")


def _half(estimate: Estimate) -> float:
    return (estimate.high - estimate.low) / 2


def _share(estimate: Estimate, of: float, by: By) -> str:
    if at_least_nothing(estimate, by):
        return "≥ 0"
    return _number(estimate) + (f" ({estimate.value / of:.1%})" if of > 0 else "")


def lines_of(audit: Audit) -> list[str]:
    """What the table's columns prove, the lines it is held against, and what could not be worked out."""
    lower, exact, upper = audit.nash_conv
    lines = []
    if exact is not None:
        alike = ", agents alike within their type" if audit.jitter else ""
        lines.append(f"NashConv is {exact.value:,.1f} $ per agent and episode, exactly{alike}.")
    if lower is not None and upper is not None:
        lines.append(
            f"NashConv is between {max(0.0, lower.low):,.1f} and {upper.high:,.1f} $ per agent and episode (95 % over "
            "episodes, apart from what the notes leave out)."
        )
    first = next((found for by in ORDER[::-1] if (found := audit.found(by)) is not None), None)
    if first is not None and len(first.types) > 1:
        most = largest(first.types)
        much = "≥ 0" if at_least_nothing(most.gap, first.by) else f"{most.gap.value:,.1f}"
        lines.append(f"largest gap ({first.by}): {most.type_name}, {much} $")
    lines += [f"{by}: {CERTIFIES[by]}" for by in ORDER if audit.found(by) is not None]
    for line in audit.lines:
        worth = f"value {line.value:,.1f} $, NashConv {line.nash_conv:,.1f} $"
        lines.append(f"{line.name} of the exact mean field: {worth}")
    if len(audit.lines) == 2:
        equilibrium, planner = audit.lines
        lost = planner.value - equilibrium.value
        lines.append(f"price of anarchy: the equilibrium earns {lost / abs(planner.value):.1%} less than the planner")
    if audit.left_out:
        lines.append("a type left out, infinitely many agents: change of the others' values (of their gaps), $")
    for left_out in dict.fromkeys(one.left_out for one in audit.left_out):
        changes = [
            f"{one.type_name} {one.value_without - one.value_with:+,.1f} ({one.gap_without - one.gap_with:+,.1f})"
            for one in audit.left_out
            if one.left_out == left_out
        ]
        lines.append(f"  without {left_out}: {', '.join(changes)}")
    if audit.finite is not None:
        lines.append(f"value among N agents less its limit: {in_words(audit.finite.sizes)}")
    for found in audit.gaps:
        which = found.by if found.what == "unilateral gap" else found.what
        lines += [f"{which}: {note}" for note in found.notes]
    return [*lines, *audit.notes]
