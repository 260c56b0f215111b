"""The sections of what was measured: profit, its density over single agents, and all metrics, by type and policy."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from analysis.figures.intervals import intervals
from analysis.figures.profit_density import MOST, profit_density
from analysis.figures.style import label
from analysis.report.comparison import Comparison
from analysis.report.numbers import estimate
from analysis.report.parts import Cell, Keys, Section, Table, side_by_side
from analysis.report.tables import ALL, METRICS

Files = dict[str, pd.DataFrame]


def profit_section(compared: Comparison, table: pd.DataFrame, files: Files) -> Section:
    """Profit and return of every policy, by type."""
    study = compared.study
    files["profit.csv"] = table[table["metric"].isin(["profit", "return"])]
    section = Section(
        "profit",
        "Profit",
        ["Trained policies beside policies that are computed: newsvendor base stock, constant orders, random orders."],
    )
    types = [ALL, *study.type_names]
    for metric in ("profit", "return"):
        name, unit = METRICS[metric]
        extra = f" ({study.evaluations[0].discount:g} per period)" if metric == "return" else ""
        section.tables.append(
            Table(
                f"{name}{extra}, {unit} per agent: means over seeds, below them {compared.how}",
                ["", *map(label, compared.policies)],
                _estimates(table, metric, types, compared.policies),
                "profit.csv",
                row_keys=[_of_type(name) for name in types],
                column_keys=_columns(compared.policies),
            )
        )
    return section


def _estimates(table: pd.DataFrame, metric: str, types: Sequence[str], policies: Sequence[str]) -> list[list[Cell]]:
    indexed = table[table["metric"] == metric].set_index(["type", "policy"])
    return [[Cell(t), *(estimate(indexed.loc[(t, p)]) for p in policies)] for t in types]


def _of_type(name: str) -> Keys:
    return {} if name == ALL else {"type": name}


def _columns(policies: Sequence[str]) -> list[Keys]:
    return [{}, *({"method": policy} for policy in policies)]


def density_section(compared: Comparison, files: Files) -> Section:
    """Density of the profit of single agents in single episodes, a figure per type."""
    section = Section("density", "Profit of single agents")
    figures, tables, thinned = [], [], False
    for name, episodes in compared.study.episodes.groupby("type", sort=False):
        title = str(name)
        found = profit_density(episodes, compared.policies, compared.against, compared.looks, title)
        if found is None:
            continue
        thinned |= bool(episodes.groupby("policy").size().max() > MOST)
        figures.append((found[0], {"type": title}))
        tables.append(found[1].assign(type=title))
    if not figures:
        section.text.append("Profit does not vary over agents and episodes, so there is no density.")
        return section
    files["profit_density.csv"] = pd.concat(tables, ignore_index=True)[["type", "policy", "profit", "density"]]
    of = f" ({MOST:,} of those of a policy and type, evenly spaced in their order, where there are more)"
    section.figures.append(
        side_by_side(
            figures,
            "density",
            "Density of per-agent episode profit, by type and policy",
            "Kernel density (Gaussian, Scott's rule) of the profit of every agent in every evaluation episode, all "
            f"seeds together{of if thinned else ''}; upright lines are means. All ridges are drawn equally high. "
            f"Dashed behind each is {label(compared.against)}. The axis follows the learned and computed policies; "
            "random orders may lie left of it, with no ridge then.",
            "profit_density.csv",
        )
    )
    return section


def types_section(compared: Comparison, table: pd.DataFrame, files: Files) -> Section:
    """Profit, stock, lost sales and service by type, as a figure per metric."""
    metrics = ["profit", "stock", "lost", "beta_fill"]
    backlog = table.loc[table["metric"] == "backlog", "estimate"]
    if (backlog > 0).any():
        metrics.insert(2, "backlog")
    policies = [p for p in compared.policies if p != "random"]
    chosen = table[table["metric"].isin(metrics) & table["policy"].isin(policies)]
    files["by_type.csv"] = chosen
    section = Section("types", "Profit, stock, backlog and service by type")
    if "backlog" not in metrics:
        section.text.append("Backlog is zero throughout: unmet demand is lost in this environment.")
    section.figures.append(
        side_by_side(
            [(intervals(chosen, metric, policies, compared.looks), {}) for metric in metrics],
            "types",
            "Profit, stock, lost sales and fill rate by type and policy",
            f"Marks are means over seeds; bars: {compared.how}. Random orders are left out here; they stand in the "
            "tables.",
            "by_type.csv",
            policies,
        )
    )
    return section


def metrics_section(compared: Comparison, table: pd.DataFrame, files: Files) -> Section:
    """All metrics, over all agents."""
    files["metrics.csv"] = table
    rows = []
    for metric in table["metric"].unique():
        name, unit = METRICS[str(metric)]
        cells = _estimates(table, str(metric), [ALL], compared.policies)[0]
        rows.append([Cell(name, unit), *cells[1:]])
    section = Section("metrics", "All metrics", ["The CSV has them by type as well."])
    caption = f"means over seeds and all agents, below them {compared.how}"
    head = ["", *map(label, compared.policies)]
    section.tables.append(Table(caption, head, rows, "metrics.csv", column_keys=_columns(compared.policies)))
    return section
