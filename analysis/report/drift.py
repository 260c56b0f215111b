"""The section on drift and weights: one figure over all methods, and one with a table row for each that weighs."""

from __future__ import annotations

import pandas as pd

from analysis.figures.drift import drift
from analysis.figures.style import label
from analysis.figures.weights import HEAVIEST, LEAST, TRUSTED, diagnosed, weights
from analysis.interval_words import intervals_told
from analysis.load import Study
from analysis.report.comparison import Comparison
from analysis.report.parts import Cell, Section, Table, drawing, side_by_side

DIAGNOSTICS = {
    "ess": "ESS / n",
    "k_hat": "k-hat",
    "weight_mean": "mean w",
    "weight_max": "largest w",
    "drift_tv": "drift (TV)",
    "temper": "alpha",
}
"""Journal metric -> heading."""


def weighted(study: Study) -> list[str]:
    """The methods that weigh stored steps, and took gradient steps with them."""
    known = study.journal["ess"].notna() if "ess" in study.journal else pd.Series(False, study.journal.index)
    taken = set(study.journal.loc[known, "method"])
    return sorted({name for name, run in zip(study.labels, study.runs, strict=True) if run.config.corrected} & taken)


def weight_table(study: Study) -> pd.DataFrame:
    """method, diagnostic, median over iterations and seeds, mean over seeds of the last value, share of iterations
    with it, and what share of those lies beyond the line where weights stop being trusted (k-hat) or tempered (alpha).

    A diagnostic that a method never had has no numbers.
    """
    rows = []
    for method in weighted(study):
        lines = study.journal[(study.journal["method"] == method) & study.journal["ess"].notna()]
        for name in DIAGNOSTICS:
            values = lines[name] if name in lines else pd.Series(float("nan"), lines.index)
            known = values.dropna()
            row = {"method": method, "diagnostic": name, "known": len(known) / len(lines)}
            if len(known):
                row |= {"median": known.median(), "last": lines.assign(v=values).groupby("seed")["v"].last().mean()}
                row |= {"k_hat": {"beyond": (known > TRUSTED).mean()}, "temper": {"beyond": (known < 1).mean()}}.get(
                    name, {}
                )
            rows.append(row)
    return pd.DataFrame(rows, columns=["method", "diagnostic", "median", "last", "known", "beyond"])


def drift_section(compared: Comparison, files: dict[str, pd.DataFrame]) -> Section:
    """The section; the tables behind it are put into `files`."""
    study = compared.study
    section = Section("drift", "Drift and weights")
    if "drift_tv" not in study.journal or study.journal["drift_tv"].notna().sum() == 0:
        section.text.append("No gradient step was taken on replayed population steps, so there is no drift to show.")
        return section
    methods = weighted(study)
    figures, files["drift.csv"] = drift(study.journal, methods, compared.looks)
    section.text.append(
        "While policies learn, the mean action drifts away from the one that stored steps were played at. A method "
        "with weights multiplies each stored step by how likely the neighbours' actions are now against when they were "
        "played; the effective sample size says how much of the replay that leaves in use."
    )
    others = [label(m) for m in study.methods if m not in methods]
    if others:
        section.text.append(f"Without weights: {', '.join(others)}.")
    section.figures.append(
        side_by_side(
            [(figure, {}) for figure in figures],
            "drift",
            "Drift of the mean action and effective sample size while learning",
            f"Means over seeds, with {intervals_told(files['drift.csv'])}. Drift is total variation between the action "
            "histograms of the drawn replay and of the newest fragments.",
            "drift.csv",
            study.methods,
        )
    )
    if methods:
        _weights(section, compared, methods, files)
    return section


def _weights(section: Section, compared: Comparison, methods: list[str], files: dict[str, pd.DataFrame]) -> None:
    study, looks = compared.study, compared.looks
    journal = study.journal[study.journal["method"].isin(methods) & study.journal["ess"].notna()]
    known = [m for m in DIAGNOSTICS if m in journal]
    files["weights.csv"] = journal[["method", "seed", "iteration", *known]]
    for i, method in enumerate(methods):
        lines = journal[journal["method"] == method]
        told = f"{label(method)}, every iteration: thin lines are seeds, the thick one their mean. "
        told += f"Drawn are weights from {LEAST:g} and k-hat up to {HEAVIEST[1]:g}."
        if "k_hat" not in diagnosed(lines):
            told += " There is no k-hat: weights hardly differed, or an iteration drew fewer than 25 steps."
        section.figures.append(
            drawing(
                weights(lines, looks[method].colour),
                f"weights{i}",
                f"Weights of {label(method)}",
                told,
                "weights.csv",
                keys={"method": method},
            )
        )
    table = files["weight_summary.csv"] = weight_table(study)
    rows = []
    for method in methods:
        mine = table[table["method"] == method]
        rows.append([Cell(label(method)), *(_cell(row) for _, row in mine.iterrows())])
    caption = "weights while learning: median over iterations and seeds; below it the last value, mean over seeds"
    keys = [{"method": method} for method in methods]
    section.tables.append(Table(caption, ["", *DIAGNOSTICS.values()], rows, "weight_summary.csv", row_keys=keys))


def _cell(row: pd.Series) -> Cell:
    name = str(row["diagnostic"])
    if pd.isna(row["median"]):
        return Cell("–", "not tempered" if name == "temper" else "missing")
    beyond = {"k_hat": f"above {TRUSTED}", "temper": "below 1"}.get(name)
    told = f"; {beyond} in {100 * row['beyond']:.0f} %" if beyond else ""
    return Cell(f"{row['median']:.3g}", f"last {row['last']:.3g}{told}")
