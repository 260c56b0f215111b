"""The table of games and solvers says what was solved, what came how near, and what was refused."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pandas as pd
import pytest

from benchmarks.mean_field_solvers import Run, cell, fastest, main, read


def runs(*rows: Run) -> pd.DataFrame:
    return pd.DataFrame([asdict(row) for row in rows])


SOLVED = Run("sis", "mf_omo", "50 x 2 x 2", 10.0, 7, 1.234, 1e-4, True, "")
NEAR = Run("sis", "mirror_prox", "50 x 2 x 2", 10.0, 90, 10.1, 0.1234, False, "")
REFUSED = Run("sis", "omi", "50 x 2 x 2", 10.0, 0, 0.0, float("nan"), False, "refused")


def test_cells() -> None:
    table = runs(SOLVED, NEAR, REFUSED)
    assert [cell(run) for _, run in table.iterrows()] == ["1.2 s", "(0.12)", "-"]


def test_the_fastest_is_told_with_how_many_solve() -> None:
    line = fastest(runs(SOLVED, NEAR, REFUSED)).splitlines()[-1]
    assert line == "| sis | 50 x 2 x 2 | mf_omo | 7 | 1.2 | 0.0001 | 1 of 2 |"
    # where nobody solves it, who comes nearest
    assert "| mirror_prox | 90 |" in fastest(runs(NEAR, REFUSED))


def test_a_small_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "new" / "table.csv"
    told = ["--games", "left-right", "sis", "--seconds", "5", "--out", str(out)]
    assert main([*told, "--solvers", "forward_sweep", "omi"]) == 0
    printed = capsys.readouterr()
    assert "| game | forward_sweep | omi |" in printed.out
    rows = read(out).set_index(["game", "solver"])
    assert rows.loc[("sis", "forward_sweep"), "converged"]
    assert rows.loc[("sis", "omi"), "note"]
    # what is done is not done again
    assert len(printed.err.splitlines()) == 4
    assert main([*told, "--solvers", "forward_sweep", "omi"]) == 0
    assert not capsys.readouterr().err
    # sis is left to nobody
    assert main(["--games", "sis", "--seconds", "1", "--out", str(tmp_path / "other.csv"), "--solvers", "omi"]) == 1
