"""The section of what was run: versions, settings, counts and times."""

from __future__ import annotations

import pandas as pd

from analysis.report.comparison import Comparison
from analysis.report.parts import Cell, Section, Table
from analysis.report.tables import differing_settings, run_table

COUNTS = ("episodes", "env_steps", "agent_steps", "gradient_steps", "seconds")


def runs_section(compared: Comparison, files: dict[str, pd.DataFrame]) -> Section:
    """The section; the table behind it is put into `files`."""
    study = compared.study
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
        f"A run played {_span(table['env_steps'])} environment steps, and its learner saw "
        f"{_span(table['gradient_steps'])} gradient steps."
    )
    rows = [
        [Cell(f"{value:,.0f}" if name in COUNTS else str(value)) for name, value in row.items()]
        for row in table.to_dict("records")
    ]
    head = [str(name).replace("_", " ") for name in table.columns]
    keys = [{"method": str(name)} for name in table["method"]]
    section.tables.append(Table("runs", head, rows, "runs.csv", (0, 1), row_keys=keys))
    return section


def _span(counts: pd.Series) -> str:
    low, high = counts.min(), counts.max()
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"
