"""The plugin of `make soak`: what its tests counted goes into docs/figures/soak.csv.

Files here are named soak_*.py, so that pytest collects them only where it is told to (Makefile); tests of other
folders take part by the mark `soak`. A test notes its figures with `record_property(quantity, value)`.
"""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

FIGURES = Path(__file__).parents[2] / "docs" / "figures" / "soak.csv"
COLUMNS = ("test", "outcome", "quantity", "value")

_rows: dict[str, list[tuple[str, ...]]] = {}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Before -m chooses."""
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.soak)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    # what was skipped, or failed before or after its call, is no row of an earlier time either
    if report.when == "call" or report.outcome != "passed":
        test = report.nodeid.rsplit("/", 1)[-1]
        counted = [*report.user_properties, ("seconds", round(report.duration))]
        _rows[test] = [(test, report.outcome, quantity, str(value)) for quantity, value in counted]


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Replaces the rows of the tests that ran; the others stay."""
    if hasattr(session.config, "workerinput") or not _rows:
        return
    kept: list[tuple[str, ...]] = []
    if FIGURES.exists():
        with FIGURES.open(newline="") as file:
            kept = [tuple(row) for row in csv.reader(file) if row and row[0] not in _rows and row[0] != COLUMNS[0]]
    with FIGURES.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(sorted(kept + [row for rows in _rows.values() for row in rows], key=lambda row: row[0]))
