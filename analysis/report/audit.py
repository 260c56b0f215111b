"""The audit's section: how far the learned policies are from an equilibrium."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from analysis.equilibrium.audit_file import Deviation, audit_path, read_audit
from analysis.equilibrium.gaps import CERTIFIES, By, Estimate, at_least_nothing
from analysis.figures.deviator_density import deviator_density
from analysis.figures.gaps import gaps
from analysis.figures.style import label
from analysis.figures.value_and_gap import value_and_gap
from analysis.interval_words import spanned
from analysis.load import Study
from analysis.report.equilibria import Told, add_equilibria
from analysis.report.finite_agents import add_finite
from analysis.report.parts import Cell, Section, Table, drawing
from mfmarl.runs.checkpoint import newest_iteration

WHOLE = "NashConv"
WAYS: tuple[By, ...] = ("learned", "exact", "bound")


def audit_section(study: Study, runs: Sequence[Path], files: dict[str, pd.DataFrame]) -> Section | None:
    """The section, or None where no run was audited; the tables behind it are put into `files`."""
    found: list[Told] = []
    older: list[str] = []
    for folder, name, info in zip(runs, study.labels, study.runs, strict=True):
        if audit_path(Path(folder)).exists():
            found.append((name, info.seed, read_audit(Path(folder))))
            older += _older(Path(folder), found[-1])
    if not found:
        return None
    methods = sorted({name for name, _, _ in found})
    section = Section("audit", "Equilibrium audit")
    section.text.append(
        "An agent leaves the profile alone and plays its best response while everyone else stays: what it gains is the "
        "gap of its type, and the mean over the population is NashConv, 0 at an equilibrium. Learned gaps are lower "
        "bounds, bounds by information relaxation upper ones; exact gaps are of agents alike within their type. "
        "Profit alone cannot rank policies: more of it may be what a single agent would leave."
    )
    section.answer += _answer(found, methods)
    section.text += older
    without = len(study.runs) - len(found)
    if without:
        section.text.append(f"{without} of {len(study.runs)} runs were not audited.")
    table = files["audit_gaps.csv"] = gap_table(found)
    mine = table[table["what"] == "unilateral gap"]
    if len(mine):
        none = (mine["by"] == "learned") & (mine["low"] == 0) & (mine["high"] == 0)
        section.figures.append(
            drawing(
                gaps(mine, methods),
                "gaps",
                "Best-response gaps by type and method",
                f"Gap by type and seed; bars are {_over_episodes(mine)}. "
                + " ".join(f"{by.capitalize()}: {CERTIFIES[by]}." for by in WAYS if by in set(mine["by"]))
                + (" A learned mark at 0 without a bar is of no deviator that gained: ≥ 0." if none.any() else ""),
                "audit_gaps.csv",
            )
        )
    _density(section, found, methods, study, files)
    _apart(section, found)
    _against_value(section, found, methods, files)
    if len(mine):
        section.tables.append(_gaps_shown(mine))
    together = table[table["what"] == "type deviation"]
    if len(together):
        section.tables.append(_type_deviations(together))
    _left_out(section, found, files)
    add_equilibria(section, found, study.runs[0].config.env_options, files)
    add_finite(section, found, files)
    notes = {note for _, _, audit in found for note in audit.notes}
    every = [one for _, _, audit in found for one in audit.gaps]
    section.notes += sorted(f"{note[0].upper()}{note[1:]}." for note in notes)
    section.notes += sorted({f"{one.by.capitalize()}, {one.what}: {note}." for one in every for note in one.notes})
    return section


def _older(folder: Path, told: Told) -> list[str]:
    """A sentence where a run was trained on after its audit."""
    (method, seed, audit), newest = told, newest_iteration(folder)
    if newest is None or newest == audit.checkpoint:
        return []
    return [
        f"{label(method)}, seed {seed}: the audit is of iteration {audit.checkpoint}, the run is at {newest} since; "
        f"run `mfmarl audit {folder}` again."
    ]


def _answer(found: Sequence[Told], methods: list[str]) -> list[str]:
    """NashConv of each method in a sentence, a mean over its audited runs."""
    said = []
    for method in methods:
        mine = [audit for name, _, audit in found if name == method and any(audit.nash_conv)]
        ways: dict[str, list[float]] = {}
        for audit in mine:
            for by, one in zip(("learned", "exact", "bound"), audit.nash_conv, strict=True):
                if one is not None:
                    ways.setdefault(by, []).append(one.value)
        told = {by: sum(values) / len(values) for by, values in ways.items() if len(values) == len(mine)}
        size = sum(abs(audit.value.value) for audit in mine) / max(1, len(mine))
        share = {by: f"{value:,.1f} $" + (f" ({value / size:.1%})" if size else "") for by, value in told.items()}
        if "exact" in share:
            much = share["exact"]
        elif {"learned", "bound"} <= set(share):
            much = f"between {share['learned']} and {share['bound']}"
        elif share:
            much = f"at least {share['learned']}" if "learned" in share else f"at most {share['bound']}"
        else:
            continue
        who = "an agent that leaves the profile alone gains, on average over the population,"
        said.append(f"Where all play what {label(method)} learned, {who} {much} an episode (NashConv).")
    return said


def gap_table(found: Sequence[Told]) -> pd.DataFrame:
    """method, seed, num_agents, what, by, type, share, base, gap, low, high, episodes; NashConv, where all types are
    there, as a row of its own with the fewest episodes of a type."""
    rows = []
    for method, seed, audit in found:
        for one in audit.gaps:
            kinds = [(g.type_name, g.share, g.base.value, g.gap) for g in one.types]
            if one.what == "unilateral gap" and one.complete:
                kinds.append((WHOLE, 1.0, audit.value.value, one.nash_conv))
            for name, share, base, gap in kinds:
                where = (method, seed, audit.num_agents, one.what, one.by)
                rows.append((*where, name, share, base, gap.value, gap.low, gap.high, gap.episodes))
    heads = ["method", "seed", "num_agents", "what", "by", "type", "share", "base", "gap", "low", "high", "episodes"]
    return pd.DataFrame(rows, columns=heads)


def _density(
    section: Section, found: Sequence[Told], methods: list[str], study: Study, files: dict[str, pd.DataFrame]
) -> None:
    left = _left(found)
    frames = [
        pd.DataFrame({"episode": range(len(returns)), "return": returns}).assign(
            method=method, seed=seed, type=one.type_name, who=who
        )
        for method, seed, one in left
        if one.what == "unilateral gap"
        for who, returns in (("stays", one.base_returns), ("learned deviator", one.best_returns))
    ]
    if not frames:
        return
    table = files["audit_returns.csv"] = pd.concat(frames, ignore_index=True)
    figure = deviator_density(table, methods, study.type_names)
    if figure is None:
        return
    whole = len({*zip(table["type"], table["method"], strict=True)}) == len(study.type_names) * len(methods)
    section.figures.append(
        drawing(
            figure,
            "deviators",
            "Density of returns: agents that stay and learned deviators",
            f"Kernel density over episodes (N = {found[0][2].num_agents}, all seeds together) of an agent that stays "
            "and of a learned deviator in the same episodes; dashed lines are means."
            + ("" if whole else " Types whose deviators were not trained, or did not gain, are left out."),
            "audit_returns.csv",
        )
    )


def _left(found: Sequence[Told]) -> list[tuple[str, int, Deviation]]:
    """Deviators that gained: where none did, who stays is none."""
    return [(method, seed, one) for method, seed, audit in found for one in audit.deviations if one.start != "stay"]


def _apart(section: Section, found: Sequence[Told]) -> None:
    rows = []
    for method, seed, one in _left(found):
        apart = one.distance
        between = [Cell("–"), Cell("–")]
        if apart is not None:
            divergence = Cell(f"{apart.kl:.3g}", f"reversed {apart.kl_reversed:.3g}")
            between = [divergence, Cell(f"{apart.wasserstein:.3g}")]
        rows.append(
            [
                Cell(label(method), f"seed {seed}"),
                Cell(one.type_name, one.what),
                *between,
                Cell(f"{one.test.ks:.3f}", _p(one.test.ks_p)),
                Cell(f"{one.test.higher:.2f}", _p(one.test.rank_p)),
            ]
        )
    if not rows:
        return
    head = ["", "type", "KL, nats", "2-Wasserstein, u", "KS of returns", "P(deviator beats stayer)"]
    n = spanned(len(one.base_returns) for _, _, one in _left(found))
    caption = "base policy against the learned deviator: in states that the deviator visits, and in returns "
    caption += f"(Kolmogorov-Smirnov and Mann-Whitney over episodes, n = {n})"
    section.tables.append(Table(caption, head, rows, words=(0, 1)))


def _p(value: float) -> str:
    return f"p {value:.2g}" if value >= 0.001 else "p < .001"


def _against_value(section: Section, found: Sequence[Told], methods: list[str], files: dict[str, pd.DataFrame]) -> None:
    rows: list[tuple[object, ...]] = []
    lines: dict[str, tuple[str, float, float]] = {}
    for method, seed, audit in found:
        if not any(audit.nash_conv):
            continue
        learned, exact, bound = audit.nash_conv
        by, shown = next((n, e) for n, e in (("exact", exact), ("learned", learned), ("bound", bound)) if e is not None)
        v = audit.value
        counts = (v.episodes, shown.episodes)
        rows.append((method, seed, v.value, v.low, v.high, shown.value, shown.low, shown.high, by, *counts))
        lines |= {line.name: (line.name, line.value, line.nash_conv) for line in audit.lines}
    # a single mark is held against nothing
    if len(rows) + len(lines) < 2:
        return
    heads = ["method", "seed", "value", "value_low", "value_high", "nash_conv", "low", "high", "by"]
    heads += ["value_episodes", "episodes"]
    table = files["audit_values.csv"] = pd.DataFrame(rows, columns=heads)
    drawn = files["audit_lines.csv"] = pd.DataFrame(lines.values(), columns=["name", "value", "nash_conv"])
    told = "Squares are the exact mean field's equilibrium and planner." if len(drawn) else (
        "This game has no exact mean field, so there are no lines of its equilibrium and planner."
    )  # fmt: skip
    section.figures.append(
        drawing(
            value_and_gap(table, drawn, methods),
            "value-gap",
            "Mean return against NashConv",
            f"A mark a run: NashConv ({', '.join(sorted(set(table['by'])))}) and mean return with "
            f"{_over_episodes(table.assign(value_by='mean return'), 'value_')}. {told}",
            "audit_values.csv",
        )
    )


def _over_episodes(table: pd.DataFrame, *others: str) -> str:
    """What is to be said of a table's intervals: columns low, high, by, episodes, and those that begin as `others`."""
    counts: dict[str, set[int]] = {}
    for first in ("", *others):
        sure = table[table[f"{first}low"] < table[f"{first}high"]]
        for by, mine in sure.groupby(f"{first}by", sort=False):
            counts[str(by)] = set(mine[f"{first}episodes"])
    if not counts:
        return "no intervals, as numbers are exact"
    told = [f"{by} n = {spanned(n - {0})}" for by, n in counts.items() if n - {0}]
    told += ["of older audits n was not kept"] if any(0 in n for n in counts.values()) else []
    return f"95 % t intervals over episodes ({'; '.join(told)})"


def _interval(value: float, low: float, high: float, by: By) -> Cell:
    if at_least_nothing(Estimate(value, low, high), by):
        return Cell("≥ 0", "no deviator gained")
    return Cell(f"{value:,.1f}", "" if low == high else f"{low:,.1f} to {high:,.1f}")


def _gaps_shown(table: pd.DataFrame) -> Table:
    ways = [by for by in WAYS if by in set(table["by"])]
    rows = []
    for (method, seed), mine in table.groupby(["method", "seed"], sort=False):
        for name in dict.fromkeys(mine["type"]):
            cells = [Cell(label(str(method)), f"seed {seed}"), Cell(str(name))]
            # the first way's value has the most episodes behind it
            told = mine[mine["type"] == name].set_index("by")["base"]
            base = float(told[next(by for by in ways if by in told.index)])
            cells.append(Cell(f"{base:,.1f}"))
            for by in ways:
                one = mine[(mine["type"] == name) & (mine["by"] == by)]
                if len(one) == 0:
                    cells.append(Cell("–"))
                    continue
                gap, low, high = (float(one[c].iloc[0]) for c in ("gap", "low", "high"))
                cell = _interval(gap, low, high, by)
                if base and gap:
                    cell = Cell(f"{cell.main} ({gap / abs(base):.1%})", cell.small)
                cells.append(cell)
            rows.append(cells)
    return Table(
        f"gaps, $ per agent and episode (share of the value); below it {_over_episodes(table)}",
        ["", "type", "value, $", *ways],
        rows,
        "audit_gaps.csv",
        words=(0, 1),
    )


def _type_deviations(table: pd.DataFrame) -> Table:
    caption = "type deviation: all agents of a type re-learn together, the other types frozen; $ per agent, below it "
    rows = [
        [
            Cell(label(row["method"]), f"seed {row['seed']}"),
            Cell(row["type"]),
            Cell(f"{row['base']:,.1f}"),
            _interval(row["gap"], row["low"], row["high"], row["by"]),
        ]
        for _, row in table.iterrows()
    ]
    return Table(
        caption + _over_episodes(table), ["", "type", "value, $", "change, $"], rows, "audit_gaps.csv", words=(0, 1)
    )


def _left_out(section: Section, found: Sequence[Told], files: dict[str, pd.DataFrame]) -> None:
    rows = [
        (m, s, o.left_out, o.type_name, o.value_with, o.value_without, o.gap_with, o.gap_without)
        for m, s, audit in found
        for o in audit.left_out
    ]
    if not rows:
        return
    heads = ["method", "seed", "left_out", "type", "value_with", "value_without", "gap_with", "gap_without"]
    table = files["audit_left_out.csv"] = pd.DataFrame(rows, columns=heads)
    shown = [
        [
            Cell(label(row["method"]), f"seed {row['seed']}"),
            Cell(row["left_out"]),
            Cell(row["type"]),
            Cell(f"{row['value_without'] - row['value_with']:+,.1f}"),
            Cell(f"{row['gap_without'] - row['gap_with']:+,.1f}"),
        ]
        for _, row in table.iterrows()
    ]
    caption = "leave-type-out: play without one type, nobody learning anew; changes for the others, $ per agent, exact,"
    caption += " infinitely many agents"
    head = ["", "left out", "type", "its value", "its gap"]
    section.tables.append(Table(caption, head, shown, "audit_left_out.csv", words=(0, 1, 2)))
