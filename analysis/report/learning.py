"""The section of learning curves, against environment steps, agent steps and time."""

from __future__ import annotations

import pandas as pd

from analysis.figures.learning_curves import learning_curves
from analysis.figures.style import label
from analysis.interval_words import intervals_told
from analysis.report.comparison import Comparison
from analysis.report.numbers import listed
from analysis.report.parts import Section, side_by_side


def learning_section(compared: Comparison, files: dict[str, pd.DataFrame]) -> Section:
    """The section; the table behind it is put into `files`."""
    section = Section("learning", "Learning curves")
    journal = compared.study.journal
    if "return_mean" not in journal or journal["return_mean"].notna().sum() == 0:
        section.text.append("No episode ended while training, so there is no curve.")
        return section
    figures, table = learning_curves(journal, compared.looks)
    files["learning_curves.csv"] = table
    missing = [label(method) for method in compared.study.methods if method not in set(table["method"])]
    if missing:
        section.text.append(f"No curve of {listed(missing)}: no episode ended at steps that all seeds have.")
    caption = (
        "Discounted return of the episodes played while learning, exploration included; mean over seeds, with "
        f"{intervals_told(table)}. Lines run over what all seeds have. An agent step is an environment step of one "
        "agent. Time is training alone, by the clock, as far as the quickest seed took; it says as much of the machine "
        "and what else ran on it as of the method."
    )
    section.figures.append(
        side_by_side(
            [(figure, {}) for figure in figures],
            "learning",
            "Return while learning, by method, against environment steps, agent steps and training time",
            caption,
            "learning_curves.csv",
            compared.study.methods,
        )
    )
    return section
