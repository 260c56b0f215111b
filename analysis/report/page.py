"""The report's page: sections of words, figures and tables, rendered once into one file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from analysis.figures.differences import differences
from analysis.figures.intervals import intervals
from analysis.figures.learning_curves import learning_curves
from analysis.figures.profit_density import profit_density
from analysis.figures.style import label
from analysis.load import Study, load_study
from analysis.report.audit import audit_section
from analysis.report.drift import drift_section
from analysis.report.parts import Cell, Section, Table, drawing
from analysis.report.tables import (
    ALL,
    METRICS,
    difference_tables,
    differing_settings,
    headline,
    interval_table,
    policies_of,
    run_table,
)
from analysis.statistics import MIN_RUNS
from mfmarl.errors import StorageFailed


def write_report(runs: Sequence[Path], out: Path) -> Path:
    """Compare evaluated runs: OUT/index.html, self-contained, and the CSV behind each figure and table.

    Raises:
        BadRun: for runs that cannot be compared; names the folder and the mend.
        StorageFailed: where the disk does not take the files.
    """
    study = load_study(runs)
    files: dict[str, pd.DataFrame] = {}
    table = interval_table(study)
    found = difference_tables(study)
    sections = [
        _profit(study, table, files),
        _difference(study, found, files),
        _learning(study, files),
        _density(study, files),
        _by_type(study, table, files),
        drift_section(study, files, min(_counts(study).values())),
        _all_metrics(study, table, files),
        _runs(study, files),
    ]
    audited = audit_section(study, runs, files)
    if audited is not None:
        sections.insert(2, audited)
    evaluation = study.evaluations[0]
    shown = ", ".join(f"{n} run{'s' * (n != 1)} of {label(m)}" for m, n in _counts(study).items())
    where = "the held-out weeks" if evaluation.split == "test" else f"the {evaluation.split} environment"
    page = _template().render(
        title=f"{_listed([label(m) for m in study.methods])} on {evaluation.env}",
        subtitle=f"{evaluation.num_agents} agents of {len(study.type_names)} types; {shown}{_learned(study)}; every "
        f"policy played on {where} over {evaluation.periods} periods. Intervals are over seeds"
        f"{'' if audited is None else '; those of the audit over episodes'}.",
        answer=[*headline(study, table, None if found is None else found[1]), *(s for p in sections for s in p.answer)],
        sections=sections,
    )
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, frame in files.items():
            frame.to_csv(out / name, index=False, float_format="%.10g")
        temporary = out / f".index.{os.getpid()}.tmp"
        temporary.write_text(page, encoding="utf-8")
        os.replace(temporary, out / "index.html")
    except OSError as error:
        raise StorageFailed(f"cannot write the report to {out}: {error.strerror or error}") from error
    return out / "index.html"


def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("analysis.report", "."), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    return environment.get_template("page.html.j2")


def _listed(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _learned(study: Study) -> str:
    """By which algorithm, where the names of the methods do not say it."""
    found = {run.config.algorithm for run in study.runs if not run.config.is_baseline}
    return f", learned by {label(found.pop())}" if len(found) == 1 else ""


def _counts(study: Study) -> dict[str, int]:
    return {m: study.labels.count(m) for m in study.methods}


def _interval_words(study: Study) -> str:
    least = min(_counts(study).values())
    if least < MIN_RUNS:
        return f"No intervals: {least} seed{'s' * (least != 1)} of a method are too few, {MIN_RUNS} give one."
    return f"Marks are means over seeds, bars 95 % intervals (n = {least}, {'t' if least < 10 else 'BCa bootstrap'})."


def _interval_note(study: Study) -> str:
    least = min(_counts(study).values())
    if least < MIN_RUNS:
        return "no intervals"
    return f"below it the 95 % interval (n = {least} seeds, {'t' if least < 10 else 'BCa bootstrap'})"


def _number(value: float) -> str:
    if value != value:
        return "missing"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _estimate(row: Any) -> Cell:
    if pd.notna(row["low"]):
        if row["interval"] == "constant":
            return Cell(_number(row["estimate"]), f"all {row['n']} equal")
        return Cell(_number(row["estimate"]), f"{_number(row['low'])} to {_number(row['high'])}")
    return Cell(_number(row["estimate"]), str(row["note"]))


def _estimates(table: pd.DataFrame, metric: str, types: Sequence[str], policies: Sequence[str]) -> list[list[Cell]]:
    indexed = table[table["metric"] == metric].set_index(["type", "policy"])
    return [[Cell(t), *(_estimate(indexed.loc[(t, p)]) for p in policies)] for t in types]


def _profit(study: Study, table: pd.DataFrame, files: dict[str, pd.DataFrame]) -> Section:
    policies = policies_of(study)
    files["profit.csv"] = table[table["metric"].isin(["profit", "return"])]
    section = Section(
        "profit",
        "Profit",
        ["Trained policies beside policies that are computed: newsvendor base stock, constant orders, random orders."],
    )
    for metric in ("profit", "return"):
        name, unit = METRICS[metric]
        rows = _estimates(table, metric, [ALL, *study.type_names], policies)
        extra = f" ({study.evaluations[0].discount:g} per period)" if metric == "return" else ""
        section.tables.append(
            Table(
                f"{name}{extra}, {unit} per agent; {_interval_note(study)}",
                ["", *map(label, policies)],
                rows,
                "profit.csv",
            )
        )
    return section


def _difference(
    study: Study, found: tuple[pd.DataFrame, pd.DataFrame] | None, files: dict[str, pd.DataFrame]
) -> Section:
    section = Section("differences", "Paired differences")
    if found is None:
        section.text.append(
            f"No paired comparison: it needs two methods with {MIN_RUNS} or more seeds in common; "
            f"there are {', '.join(f'{n} of {label(m)}' for m, n in _counts(study).items())}."
        )
        return section
    pairs, tests = found
    first, second = study.methods
    files["differences.csv"], files["tests.csv"] = pairs, tests
    section.text.append(
        "Runs with the same seed share initial networks, training demand and evaluation demand, so they are compared "
        "in pairs. Marks: *** p < .001, ** p < .01, * p < .05, n.s. not significant; over types Holm's correction."
    )
    section.figures.append(
        drawing(
            differences(pairs, tests, f"profit of {label(first)} minus {label(second)}, $ / period"),
            "differences",
            f"Paired differences in profit, {label(first)} minus {label(second)}, by type",
            f"Profit of {label(first)} minus {label(second)}, seed by seed "
            f"(n = {tests['n'].iloc[0]}, {tests['interval'].iloc[0]}).",
            "differences.csv",
        )
    )
    rows = [
        [
            Cell(str(t["type"])),
            Cell(f"{t['estimate']:+.4g}", f"{t['low']:.4g} to {t['high']:.4g}"),
            Cell("–" if pd.isna(t["p"]) else f"{t['p']:.3g}", str(t["test"])),
            Cell("–" if pd.isna(t["p_holm"]) else f"{t['p_holm']:.3g}"),
            Cell(str(t["mark"])),
            Cell(f"{t['probability_of_improvement']:.2f}"),
        ]
        for _, t in tests.iterrows()
    ]
    head = ["", "difference, $ / period", "p", "p corrected", "mark", f"P({label(first)} beats {label(second)})"]
    section.tables.append(Table("tests of the paired differences", head, rows, "tests.csv"))
    return section


def _learning(study: Study, files: dict[str, pd.DataFrame]) -> Section:
    section = Section("learning", "Learning curves")
    if "return_mean" not in study.journal or study.journal["return_mean"].notna().sum() == 0:
        section.text.append("No episode ended while training, so there is no curve.")
        return section
    figure, files["learning_curves.csv"] = learning_curves(study.journal)
    caption = "Discounted return of the episodes played while learning, exploration included; mean over seeds"
    caption += f" and 95 % t interval (n = {min(_counts(study).values())})."
    drawn = drawing(figure, "learning", "Return while learning, by method", caption, "learning_curves.csv")
    section.figures.append(drawn)
    return section


def _density(study: Study, files: dict[str, pd.DataFrame]) -> Section:
    section = Section("density", "Profit of single agents")
    policies = policies_of(study)
    figure, files["profit_density.csv"] = profit_density(study.episodes, policies, study.type_names)
    section.figures.append(
        drawing(
            figure,
            "density",
            "Density of per-agent episode profit, by type and policy",
            "Kernel density (Gaussian, Scott's rule) of the profit of every agent in every evaluation episode, all "
            "seeds together. The axis follows the learned and computed policies; random orders may lie left of it.",
            "profit_density.csv",
        )
    )
    return section


def _by_type(study: Study, table: pd.DataFrame, files: dict[str, pd.DataFrame]) -> Section:
    metrics = ["profit", "stock", "lost", "beta_fill"]
    backlog = table.loc[table["metric"] == "backlog", "estimate"]
    if (backlog > 0).any():
        metrics.insert(2, "backlog")
    policies = [p for p in policies_of(study) if p != "random"]
    chosen = table[table["metric"].isin(metrics) & table["policy"].isin(policies)]
    files["by_type.csv"] = chosen
    section = Section("types", "Profit, stock, backlog and service by type")
    if "backlog" not in metrics:
        section.text.append("Backlog is zero throughout: unmet demand is lost in this environment.")
    section.figures.append(
        drawing(
            intervals(chosen, metrics, policies),
            "types",
            "Profit, stock, lost sales and fill rate by type and policy",
            _interval_words(study) + " Random orders are left out here; they stand in the tables.",
            "by_type.csv",
        )
    )
    return section


def _all_metrics(study: Study, table: pd.DataFrame, files: dict[str, pd.DataFrame]) -> Section:
    policies = policies_of(study)
    files["metrics.csv"] = table
    rows = []
    for metric in table["metric"].unique():
        name, unit = METRICS[str(metric)]
        cells = _estimates(table, str(metric), [ALL], policies)[0]
        rows.append([Cell(name, unit), *cells[1:]])
    section = Section("metrics", "All metrics", ["The CSV has them by type as well."])
    caption = f"means over all agents; {_interval_note(study)}"
    section.tables.append(Table(caption, ["", *map(label, policies)], rows, "metrics.csv"))
    return section


def _runs(study: Study, files: dict[str, pd.DataFrame]) -> Section:
    table = run_table(study)
    files["runs.csv"] = table
    info = study.runs[0]
    versions = ", ".join(f"{k} {v}" for k, v in info.versions.items())
    differing = differing_settings(study)
    section = Section("runs", "What was run", [f"Versions: {versions}. Device: {info.device}."])
    section.text.append(
        f"Besides method and seed, runs differ in: {', '.join(differing)}."
        if differing
        else "Besides method and seed, all runs have the same configuration."
    )
    section.text.append(
        f"The learner saw {table['gradient_steps'].iloc[0]:,} gradient steps a run; equal environment steps, not equal "
        "time, is what the methods have in common."
    )
    counts = ("episodes", "env_steps", "agent_steps", "gradient_steps", "seconds")
    rows = [
        [Cell(f"{value:,.0f}" if name in counts else str(value)) for name, value in row.items()]
        for row in table.to_dict("records")
    ]
    head = [str(name).replace("_", " ") for name in table.columns]
    section.tables.append(Table("runs", head, rows, "runs.csv", (0, 1)))
    return section
