"""What is printed and written."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console

from analysis.bounds import Bounds, tabulate, write
from analysis.bounds.table import notes, table_of
from analysis.figures.bounds import bounds as draw
from mfmarl.errors import StorageFailed, UserError


@pytest.fixture(scope="module")
def found() -> Bounds:
    return tabulate(agents=(10, 100), steps=(100, 1000), repetitions=100, seed=0)


def test_table_has_the_specifications_values_and_marks(found: Bounds) -> None:
    console = Console(width=200)
    with console.capture() as captured:
        console.print(table_of(found))
    lines = captured.get().splitlines()
    assert "drift 0.5 -> 0.6, n = 1,000 steps, seed 0" in lines[0]
    assert sum(line.startswith(("joint", "marginal", "gaussian", "mixture")) for line in lines) == 16
    plain = next(line for line in lines if line.startswith("joint  "))
    assert " / 0.7" in plain
    assert plain.rstrip().endswith("eb")
    assert "E[w^2] of n neighbours, joint = marginal: 1.04^n; 10: 1.48024, 100: 50.5049" in notes(found)[0]


def test_too_few_repetitions_are_told_and_no_quantile_is_made_up() -> None:
    few = tabulate(agents=(5,), steps=(100,), repetitions=10, seed=0)
    assert all(row.error != row.error for row in few.rows)
    assert "fewer than 1/delta = 20 repetitions" in notes(few)[1]


def test_files_hold_every_row_and_the_figure(found: Bounds, tmp_path: Path) -> None:
    csv, png, svg = write(found, tmp_path / "a" / "b")
    table = pd.read_csv(csv)
    assert len(table) == len(found.rows) == 2 * 2 * 17 * 2
    first = found.rows[0]
    assert table.loc[0, "bound"] == pytest.approx(first.bound, rel=1e-15)
    assert set(table["usable"]) >= {"yes", "ess+bound"}
    assert png.read_bytes().startswith(b"\x89PNG")
    assert "<svg" in svg.read_text()


def test_figure_shows_error_bound_and_share_of_every_estimator(found: Bounds) -> None:
    rows = pd.DataFrame([vars(row) for row in found.rows])
    table = rows[rows["function"] == "linear"]
    figure = draw(table, floor=0.1)
    assert len(figure.axes) == 15
    joint = figure.axes[0]
    shown = {tuple(line.get_ydata()) for line in joint.lines}
    mine = table[(table["estimator"] == "joint") & (table["form"] == "plain") & (table["num_agents"] == 10)]
    assert tuple(mine["error"]) in shown
    assert tuple(mine["bound"]) in shown
    faces = {line.get_markerfacecolor() for line in joint.lines if line.get_marker() == "o"}
    assert "white" in faces
    assert len(faces) > 1
    assert not figure.axes[9].axison


def test_a_folder_that_cannot_be_made_is_one_line(found: Bounds, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageFailed, match="a file stands where a folder is needed"):
        write(found, tmp_path / "file" / "below")


@pytest.mark.parametrize(
    ("settings", "part"),
    [
        ({"delta": 1.0}, "--delta 1: want a probability above 0 and below 1"),
        ({"delta": 0.0}, "--delta 0: want"),
        ({"agents": (1,)}, "--agents: got 1; want 2 to 10,000"),
        ({"steps": ()}, "--steps: got nothing"),
        ({"clip": 0.5}, "--clip 0.5: want 1"),
        ({"bandwidth": -0.1}, "--bandwidth -0.1: want 0 or more"),
        ({"floor": 2.0}, "--floor 2: want a share"),
        ({"estimators": ("jont",)}, "no estimator 'jont'; did you mean 'joint'?"),
    ],
)
def test_bad_settings_are_one_line(settings: dict[str, object], part: str) -> None:
    with pytest.raises(UserError) as error:
        tabulate(**settings)  # type: ignore[arg-type]
    assert part in str(error.value)
