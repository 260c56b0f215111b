"""The table of games and solvers says what was solved, what came how near, and what was refused."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from benchmarks.mean_field_solvers import Run, cell, main


def test_cells() -> None:
    assert cell(Run("sis", "mf_omo", 7, 1.234, 1e-4, True, "")) == "1.2 s"
    assert cell(Run("sis", "mf_omo", 7, 1.234, 0.1234, False, "")) == "(0.12)"
    assert cell(Run("sis", "omi", 0, 0.0, float("nan"), False, "refused")) == "-"
    assert cell(None) == "-"


def test_a_small_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "new" / "table.csv"
    told = ["--games", "left-right", "sis", "--seconds", "5", "--out", str(out)]
    assert main([*told, "--solvers", "forward_sweep", "omi"]) == 0
    printed = capsys.readouterr().out
    assert "| game | forward_sweep | omi |" in printed
    with out.open() as file:
        rows = {(row["game"], row["solver"]): row for row in csv.DictReader(file)}
    assert rows["sis", "forward_sweep"]["converged"] == "True"
    assert "transitions depend on the population" in rows["sis", "omi"]["note"]
    # sis is left to nobody
    assert main([*told, "--solvers", "omi"]) == 1
