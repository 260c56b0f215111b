"""The part of the audit's section on other numbers of agents: how values come to their limit as N grows."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from analysis.equilibrium.rates import Rate, in_words
from analysis.figures.finite_agents import finite_agents
from analysis.figures.style import label
from analysis.interval_words import spanned
from analysis.report.equilibria import Told
from analysis.report.parts import Cell, Section, Table, drawing


def add_finite(section: Section, found: Sequence[Told], files: dict[str, pd.DataFrame]) -> None:
    """Values over N with their limit and fitted rates, for the runs whose audit has them."""
    told = [(m, s, audit.finite) for m, s, audit in found if audit.finite is not None]
    if not told:
        return
    table = files["audit_finite.csv"] = pd.DataFrame(
        [
            (m, s, one.num_agents, one.copies, one.value, one.error, one.limit, one.gap)
            for m, s, finite in told
            for one in finite.sizes
        ],
        columns=["method", "seed", "num_agents", "copies", "value", "error", "limit", "gap"],
    )
    rates = files["audit_rates.csv"] = pd.DataFrame(
        [
            (m, s, one.name, one.power, one.power_error, one.constant, one.constant_error, one.p_value)
            for m, s, finite in told
            for one in finite.rates
        ],
        columns=["method", "seed", "rate", "power", "power_error", "constant", "constant_error", "p_value"],
    )
    section.figures.append(
        drawing(
            finite_agents(table, rates, [(m, s) for m, s, _ in told]),
            "finite",
            "Distance of the value among N agents from its limit, over N",
            "The policies played by N agents who are alike within their type, against the value among infinitely many "
            f"in the same shares, with 95 % normal intervals over episodes (n = {spanned(table['copies'])}): a bar to "
            "the bottom holds 0. Lines are fitted to all N, weighted with the errors.",
            "audit_finite.csv",
        )
    )
    section.tables.append(
        Table(
            "the value among N agents and among infinitely many, $ per agent and episode; ± standard errors",
            ["", "N", "copies", "value, $", "limit, $", "value − limit, $"],
            [
                [
                    Cell(label(row["method"]), f"seed {row['seed']}"),
                    Cell(f"{row['num_agents']:,}"),
                    Cell(f"{row['copies']:,}"),
                    Cell(f"{row['value']:,.2f} ± {row['error']:.2f}"),
                    Cell(f"{row['limit']:,.2f}"),
                    Cell(f"{row['gap']:+,.2f}"),
                ]
                for _, row in table.iterrows()
            ],
            "audit_finite.csv",
        )
    )
    section.tables.append(
        Table(
            "rates fitted to value − limit, ± standard errors; p is of a fit this bad by chance",
            ["", "C/N: C, $", "C/sqrt(N): C, $", "C N^a: a", "in words"],
            [
                [
                    Cell(label(m), f"seed {s}"),
                    *map(_rate, finite.rates),
                    Cell(in_words(finite.sizes)),
                ]
                for m, s, finite in told
            ],
            "audit_rates.csv",
            words=(0, 4),
        )
    )
    # what exact gaps leave out is told with them
    known = {note for _, _, audit in found for one in audit.gaps for note in one.notes}
    left_out = {note for _, _, finite in told for note in finite.notes} - known
    section.notes += sorted(f"The value among infinitely many: {note}." for note in left_out)


def _rate(rate: Rate) -> Cell:
    """What was fitted: the constant, or the power where that was."""
    what = f"{rate.constant:,.1f} ± {rate.constant_error:.1f}"
    if rate.power_error > 0:
        what = f"{rate.power:.3f} ± {rate.power_error:.3f}"
    return Cell(what, f"p {rate.p_value:.2g}" if rate.p_value >= 0.001 else "p < .001")
