"""The report on one game: its sections in order, and what they say together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from analysis.figures.style import label
from analysis.load import REFERENCES, Study, load_study
from analysis.report.aggregates import aggregates_section
from analysis.report.audit import audit_section
from analysis.report.comparison import Comparison, reference_of
from analysis.report.comparisons import Differences, differences_of
from analysis.report.differences import difference_words, differences_section
from analysis.report.drift import drift_section
from analysis.report.learning import learning_section
from analysis.report.measures import density_section, metrics_section, profit_section, types_section
from analysis.report.numbers import counted, listed
from analysis.report.parts import Section
from analysis.report.profiles import profiles_section
from analysis.report.provenance import runs_section
from analysis.report.render import Page, named_filter, policy_filter, write_page
from analysis.report.tables import ALL, interval_table

MANY = 4
"""Methods from which the answer tells the best alone beside the reference policies."""


def write_report(runs: Sequence[Path], out: Path, against: str | None = None) -> Path:
    """Compare evaluated runs of one game: OUT/index.html, self-contained, and the CSV and LaTeX of its tables.

    Args:
        against: the method that all others are compared against; mf where it is among them, else the first.

    Raises:
        BadRun: for runs that cannot be compared; names the folder and the mend.
        UserError: where no run is of the method `against`.
        StorageFailed: where the disk does not take the files.
    """
    study = load_study(runs)
    compared = Comparison(study, reference_of(study.methods, against))
    return write_game(compared, differences_of(compared), runs, out)


def write_game(
    compared: Comparison, found: Differences, runs: Sequence[Path], out: Path, parent: str = ""
) -> Path:
    """The page of one game.

    Args:
        found: differences from the reference method.
        runs: folders of the runs, in the order of the study's.
        parent: link to the page of the whole study, or nothing.

    Raises:
        StorageFailed: where the disk does not take the files.
    """
    study = compared.study
    files: dict[str, pd.DataFrame] = {}
    table = interval_table(compared)
    audited = audit_section(study, runs, files)
    sections: list[Section | None] = [
        profit_section(compared, table, files),
        differences_section(compared, found, files),
        aggregates_section(compared, files),
        profiles_section(compared, files),
        audited,
        learning_section(compared, files),
        density_section(compared, files),
        types_section(compared, table, files),
        drift_section(compared, files),
        metrics_section(compared, table, files),
        runs_section(compared, files),
    ]
    shown = [section for section in sections if section is not None]
    page = Page(
        f"{listed([label(m) for m in study.methods])} on {study.evaluations[0].env}",
        _subtitle(compared, audited is not None),
        [
            *difference_words(compared, found.overall),
            *_profit_words(compared, table),
            *(sentence for section in shown for sentence in section.answer),
        ],
        shown,
        [policy_filter(compared.policies), named_filter("type", "Agent types", study.type_names)],
        parent,
    )
    return write_page(page, files, out)


def _subtitle(compared: Comparison, audited: bool) -> str:
    study, evaluation = compared.study, compared.study.evaluations[0]
    counts = set(compared.counts.values())
    if len(study.methods) >= MANY and len(counts) == 1:
        shown = f"{counted(counts.pop(), 'run')} of each method"
    else:
        shown = ", ".join(f"{counted(n, 'run')} of {label(m)}" for m, n in compared.counts.items())
    where = "the held-out weeks" if evaluation.split == "test" else f"the {evaluation.split} environment"
    return (
        f"{evaluation.num_agents} agents of {len(study.type_names)} types; {shown}{_learned(study)}; every policy "
        f"played on {where} over {evaluation.periods} periods. Intervals are over seeds"
        f"{'; those of the audit over episodes' if audited else ''}."
    )


def _learned(study: Study) -> str:
    """By which algorithm, where the names of the methods do not say it."""
    found = {run.config.algorithm for run in study.runs if not run.config.is_baseline}
    return f", learned by {label(found.pop())}" if len(found) == 1 else ""


def _profit_words(compared: Comparison, table: pd.DataFrame) -> list[str]:
    """What methods earn on average, beside the reference policies: each one, or of many the best alone."""
    rows = table[(table["metric"] == "profit") & (table["type"] == ALL)]
    profit = {str(p): float(v) for p, v in zip(rows["policy"], rows["estimate"], strict=True)}
    methods, first = compared.study.methods, ""
    if len(methods) >= MANY:
        methods, first = [max(methods, key=lambda method: profit[method])], "On average "
    said = []
    for method in methods:
        more = [_plain(p) for p in REFERENCES if p in profit and profit[method] > profit[p]]
        less = [_plain(p) for p in REFERENCES if p in profit and profit[method] < profit[p]]
        earned = f"{profit[method]:.4g} $ per agent and period"
        text = f"{first}{label(method)} earns {f'most, {earned}' if first else f'{earned} on average'}"
        text += f", more than {' and '.join(more)}" if more else ""
        text += f", less than {' and '.join(less)}" if less else ""
        said.append(text + ".")
    return said


def _plain(policy: str) -> str:
    names = {"base_stock": "newsvendor base stock", "constant": "constant orders", "random": "random orders"}
    return names.get(policy, policy)
