"""What the report and the console show of audits, from audits made by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import pytest

from analysis.equilibrium.audit_file import Audit, Line, TypeLeftOut
from analysis.equilibrium.audit_table import lines_of, table_of
from analysis.equilibrium.gaps import By, Estimate, Gaps, TypeGap
from analysis.figures.deviator_density import deviator_density
from analysis.figures.gaps import gaps
from analysis.report.audit import _against_value, _gaps_shown, gap_table
from analysis.report.parts import Section
from tests.analysis.test_equilibria_report import LOW, audit

NOTHING = Estimate.exactly(0.0)


def gaps_by(by: By, found: Mapping[str, Estimate]) -> Gaps:
    base = Estimate.exactly(100.0)
    return Gaps("unilateral gap", by, tuple(TypeGap(name, 1 / len(found), base, base, g) for name, g in found.items()))


def audited(*found: Gaps, **more: Any) -> Audit:
    return audit(LOW, gaps=found, **more)


def labels(table: pd.DataFrame, methods: Sequence[str]) -> list[list[str]]:
    return [[text.get_text() for text in axis.get_yticklabels()] for axis in gaps(table, methods).axes]


def test_rows_of_the_gap_figure_are_the_types_and_seeds_that_a_method_has() -> None:
    some = Estimate(5.0, 4.0, 6.0)
    both, one = gaps_by("learned", {"a": some, "b": some}), gaps_by("learned", {"b": some})
    table = gap_table([("is", 1, audited(both)), ("is", 2, audited(both)), ("mf", 2, audited(one))])
    assert labels(table, ["is", "mf", "neither"]) == [
        ["a, seed 1", "seed 2", "b, seed 1", "seed 2", "NashConv, seed 1", "seed 2"],
        ["b, seed 2", "NashConv, seed 2"],
    ]
    alone = gap_table([("is", 1, audited(both))])
    assert labels(alone, ["is"]) == [["a", "b", "NashConv"]]
    # a mark stands in the row of its seed
    axis = gaps(table, ["is"]).axes[0]
    (marks,) = (c.lines[0] for c in axis.containers)
    assert sorted(marks.get_ydata()) == [0, 1, 2, 3, 4, 5]


def test_axes_of_the_density_are_those_that_there_is_something_to_draw_on() -> None:
    def rows(kind: str, method: str, values: Sequence[float]) -> list[tuple[str, str, str, float]]:
        return [(kind, method, who, value) for who in ("stays", "learned deviator") for value in values]

    varied = (1.0, 2.0, 4.0, 8.0)
    found = rows("a", "is", varied) + rows("b", "is", varied) + rows("b", "mf", varied) + rows("c", "is", [1.0] * 4)
    table = pd.DataFrame([*found, *rows("a", "x", [2.0] * 4)], columns=["type", "method", "who", "return"])
    figure = deviator_density(table, ["is", "mf", "x"], ["a", "b", "c", "d"])
    assert figure is not None
    shown = [axis.get_title("left") for axis in figure.axes if axis.get_visible()]
    assert shown == ["a, IS", "b, IS", "b, MF"]
    assert [axis.get_xlabel() != "" for axis in figure.axes] == [False, False, True, True]
    assert deviator_density(table[table["type"] == "c"], ["is"], ["c"]) is None


def test_where_no_deviator_gained_the_gap_is_at_least_nothing() -> None:
    known = audited(gaps_by("learned", {"a": NOTHING, "b": NOTHING}), gaps_by("exact", {"a": NOTHING, "b": NOTHING}))
    shown = _gaps_shown(gap_table([("is", 1, known)]))
    assert [[cell.main for cell in row[3:]] for row in shown.rows] == [["≥ 0", "0.0"]] * 3
    console = table_of(known)
    assert [list(column.cells) for column in console.columns][2:] == [["≥ 0"] * 3, ["0.0 (0.0%)"] * 3]
    assert "largest gap (learned): a, ≥ 0 $" in lines_of(audited(known.gaps[0]))


@pytest.mark.parametrize("lines", [(), (Line("planner", 120.0, 30.0),)])
@pytest.mark.parametrize("runs", [1, 2])
def test_a_single_mark_is_drawn_only_beside_lines(runs: int, lines: tuple[Line, ...]) -> None:
    section, files = Section("audit", "Audit"), dict[str, pd.DataFrame]()
    found = [("is", seed, audit(LOW, lines=lines)) for seed in range(1, runs + 1)]
    _against_value(section, found, ["is"], files)
    there = runs > 1 or bool(lines)
    assert len(section.figures) == there
    assert sorted(files) == (["audit_lines.csv", "audit_values.csv"] if there else [])


def test_a_line_for_each_type_left_out() -> None:
    left_out = tuple(
        TypeLeftOut(left, name, 10.0, 8.5, 1.0, 3.0) for left in ("a", "b") for name in ("a", "b", "c") if name != left
    )
    lines = lines_of(audit(LOW, left_out=left_out))
    first = lines.index("a type left out, infinitely many agents: change of the others' values (of their gaps), $")
    assert lines[first + 1 : first + 3] == [
        "  without a: b -1.5 (+2.0), c -1.5 (+2.0)", "  without b: a -1.5 (+2.0), c -1.5 (+2.0)"
    ]  # fmt: skip
