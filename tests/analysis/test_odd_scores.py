"""One seed, equal seeds, seeds of unequal lengths, numbers that are none: marked or refused, never a flat line."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import same_color
from matplotlib.figure import Figure

from analysis.equilibrium.audit_file import audit_path, read_audit, write_audit
from analysis.equilibrium.gaps import Gaps, TypeGap
from analysis.equilibrium.learned import estimate
from analysis.equilibrium.relaxed import estimated
from analysis.figures.forest import Row, forest
from analysis.figures.gaps import gaps
from analysis.figures.imitation_curves import imitation_curves
from analysis.figures.imitation_samples import imitation_samples
from analysis.figures.intervals import intervals
from analysis.figures.learning_curves import AXES, learning_curves, over_seeds
from analysis.figures.magail_interactive import magail_interactive
from analysis.figures.magail_mixture import magail_mixture
from analysis.figures.style import looks
from analysis.figures.violins import violins
from analysis.imitations import imitations_in, load_imitations
from analysis.interval_words import intervals_told
from analysis.load import load_study
from analysis.magail_market_results import gaps_by_type
from analysis.magail_results import spread
from analysis.magail_zero_sum_rows import bands
from analysis.report.audit import gap_table
from analysis.report.comparison import Comparison
from analysis.report.imitation.curves import curve_table
from analysis.report.interval_row import COLUMNS, interval_row
from analysis.report.learning import learning_section
from mfmarl.errors import DamagedFile
from tests.analysis.small_imitations import make_imitation
from tests.analysis.test_equilibria_report import LOW, audit
from tests.analysis.written_runs import write_run

ODD: Mapping[str, Sequence[float]] = {"one": [3.0], "two": [3.0, 5.0], "equal": [4.0, 4.0, 4.0]}
"""Seeds that have no interval; those of three others have one."""
SOUND = {"sound": [3.0, 4.0, 6.0]}


def journal(**curves: Sequence[Sequence[tuple[int, float]]]) -> pd.DataFrame:
    """Method -> of each seed (step, value)."""
    return pd.DataFrame(
        [
            {"method": method, "seed": seed, "return_mean": value} | dict.fromkeys(AXES, float(step))
            for method, seeds in curves.items()
            for seed, points in enumerate(seeds)
            for step, value in points
        ]
    )


def marks(figure: Figure) -> dict[str, tuple[bool, bool]]:
    """Policy -> whether its mark is filled, and whether a bar of some length is drawn."""
    found: dict[str, tuple[bool, bool]] = {}
    for axis in figure.axes:
        for line in axis.lines:
            policy = str(line.get_gid() or "").removeprefix("series method ")
            shown = len(line.get_xdata()) > 0 and line.get_marker() not in ("None", "", "|", "_")
            # single runs are grey
            if policy and shown and line.get_color() != "#7A7A7A":
                filled, bar = found.get(policy, (False, False))
                found[policy] = (filled or not same_color(line.get_markerfacecolor(), "white"), bar)
        # lines between types are of nobody
        for policy, length in ((who, length) for who, length in _bars(axis) if who):
            filled, bar = found.get(policy, (False, False))
            found[policy] = (filled, bar or length > 0)
    return found


def _bars(axis: Axes) -> list[tuple[str, float]]:
    made = [
        (one.get_gid(), float(np.ptp(np.asarray(segment), 0).max()))
        for one in axis.collections
        if isinstance(one, LineCollection)
        for segment in one.get_segments()
        if len(segment)
    ]
    made += [
        (line.get_gid(), float(np.ptp(np.asarray(line.get_xdata(), float))))
        for line in axis.lines
        if len(line.get_xdata()) == 2 and line.get_marker() in ("None", "")
    ]
    return [(str(gid or "").removeprefix("series method "), length) for gid, length in made]


@pytest.mark.parametrize("statistic", ["mean", "iqm", "median"])
def test_a_forest_has_bars_of_what_has_intervals_alone(statistic: Any) -> None:
    every = {**ODD, **SOUND}
    told = {name: interval_row(np.array(scores), statistic) for name, scores in every.items()}
    rows = [
        Row(name, row["estimate"], row.get("low", np.nan), row.get("high", np.nan), "", every[name])  # type: ignore[arg-type]
        for name, row in told.items()
    ]
    assert marks(forest(rows, looks(list(every)), "", "")) == _only_sound()


def _only_sound() -> dict[str, tuple[bool, bool]]:
    return {name: (name in SOUND, name in SOUND) for name in (*ODD, *SOUND)}


def test_so_has_the_figure_by_type() -> None:
    every = {**ODD, **SOUND}
    rows = [
        {"metric": "profit", "type": t, "policy": p} | interval_row(np.array(v)) for p, v in every.items() for t in "ab"
    ]
    table = pd.DataFrame(rows).reindex(columns=["metric", "type", "policy", *COLUMNS])
    assert marks(intervals(table, "profit", list(every), looks(list(every)))) == _only_sound()
    words = "95 % intervals (n = 1 to 3; constant, t; below 3 seeds none)"
    assert intervals_told(table) == words
    assert intervals_told(table[table["policy"] == "one"]) == "no intervals (n = 1; 3 seeds give one)"


def test_so_has_magails_figure_of_gaps() -> None:
    names = {"expert": [4.0, 4.0, 4.0], "bc": SOUND["sound"], "magail": [3.0, 4.0]}
    rows = [
        {"method": m, "by": "exact", "type": t, "figure": "gap"} | interval_row(np.array(v))
        for m, v in names.items()
        for t in "ab"
    ]
    table = pd.DataFrame(rows).reindex(columns=["method", "by", "type", "figure", *COLUMNS])
    figure = gaps_by_type(table, "exact")
    assert marks(figure) == {"expert": (False, False), "bc": (True, True), "magail": (False, False)}
    note = figure.get_supxlabel().replace("\n", " ")
    assert note == f"Means over seeds, {intervals_told(table)}; hollow marks have none."


def test_so_have_marks_of_imitators(tmp_path: Path) -> None:
    for seed in range(3):
        make_imitation(tmp_path, "bc", seed, level=300.0 - seed)
        make_imitation(tmp_path, "dagger", seed, level=400.0)
    make_imitation(tmp_path, "gail", 0, level=350.0)
    study = load_imitations(imitations_in([tmp_path]))[0]["CartPole-v1"]
    table = curve_table(study.curves[study.curves["acting"] == "mode"], "demonstrations")
    figure = imitation_curves(table, "demonstrations", looks(study.methods), {}, (0.0, 500.0))
    assert marks(figure) == {"bc": (False, False), "dagger": (True, True), "gail": (False, False)}
    assert table.set_index("method")["interval"].fillna("").to_dict() == {"bc": "constant", "dagger": "t", "gail": ""}


def test_curves_run_over_what_all_seeds_have() -> None:
    lines = journal(
        unequal=[
            [(s, s + off) for s in range(first, last + 1, 10)]
            for first, last, off in ((0, 60, 0), (20, 100, 1), (10, 80, 5))
        ],
        one=[[(s, 1.0) for s in range(0, 50, 10)]],
        equal=[[(s, 2.0 * s) for s in range(0, 50, 10)]] * 3,
        point=[[(0, 1.0), (10, 2.0)], [(10, 3.0), (20, 4.0)], [(10, 5.0)]],
        apart=[[(0, 1.0), (10, 2.0)], [(20, 3.0), (30, 4.0)], [(0, 1.0), (30, 2.0)]],
    )
    drawn = looks(["unequal", "one", "equal", "point", "apart"])
    for (along, (_, scale)), figure in zip(AXES.items(), learning_curves(lines, drawn)[0], strict=True):
        shown = {str(line.get_label()): line for line in figure.axes[0].lines}
        assert set(shown) == {"unequal", "one", "equal", "point"}
        x, y = (np.asarray(values, float) for values in shown["unequal"].get_data())
        assert (x[0] * scale, x[-1] * scale) == pytest.approx((20, 60)), along
        # each seed is a diagonal: it is drawn on nowhere
        assert (np.diff(y) > 0).all()
        assert [(len(line.get_xdata()), line.get_marker()) for line in shown.values()][-1] == (1, drawn["point"].marker)
    table = over_seeds(lines, "return_mean")
    assert table.groupby("method")["interval"].first().to_dict() == {
        "unequal": "t", "one": None, "equal": "constant", "point": "t"
    }  # fmt: skip
    bands_of = table.assign(width=table["high"] - table["low"]).groupby("method")["width"].max()
    assert (bands_of["equal"], bool(np.isnan(bands_of["one"]))) == (pytest.approx(0), True)
    assert table.set_index("method").loc["point", "mean"] == pytest.approx((2 + 3 + 5) / 3)


def test_values_that_are_missing_are_no_points() -> None:
    gone = journal(a=[[(0, np.nan), (10, 1.0), (20, np.nan), (30, 3.0), (40, np.nan)]] * 2 + [[(0, 0.0), (40, 4.0)]])
    table = over_seeds(gone, "return_mean", bins=5)
    assert (table["env_steps"].min(), table["env_steps"].max()) == (10, 30)
    assert table["n"].unique().tolist() == [3]


def test_the_pages_words_name_methods_without_a_curve(tmp_path: Path) -> None:
    runs = [write_run(tmp_path, "is", seed, curve=[1.0, 2.0 + seed][: 1 + (seed > 1)]) for seed in (1, 2, 3)]
    runs += [write_run(tmp_path, "mf", seed, curve=[None] * seed + [float(seed)]) for seed in (1, 2, 3)]
    study = load_study(runs)
    files: dict[str, pd.DataFrame] = {}
    section = learning_section(Comparison(study, "mf"), files)
    assert section.text == ["No curve of MF: no episode ended at steps that all seeds have."]
    assert "with 95 % intervals (n = 3; constant). Lines run over" in section.figures[0].caption
    table = files["learning_curves.csv"]
    assert table[["along", "method"]].drop_duplicates().to_numpy().tolist() == [[along, "is"] for along in AXES]


def test_violins_and_bands_of_few_and_equal_seeds() -> None:
    figure = Figure()
    axis = figure.subplots()
    every = {**ODD, **SOUND}
    table = pd.DataFrame([{"x": name, "y": v, "of": "a run"} for name, values in every.items() for v in values])
    violins(axis, table, "x", "y", {"a run": "#000000"}, "of")
    assert [len(line.get_xdata()) for line in axis.lines] == [len(values) for values in every.values()]
    assert len([one for one in axis.collections if len(one.get_paths())]) == len(SOUND)
    rows = pd.DataFrame(
        [
            {"method": "bc", "fallback": "first", "samples": n, "gap": v}
            for n in (1, 2)
            for v in every[("one", "sound")[n - 1]]
        ]
    )
    found = bands(rows, "gap", 10.0)
    assert found["low"].isna().tolist() == [True, False]
    assert intervals_told(found) == "95 % intervals (n = 1 to 3; t; below 3 seeds none)"
    with pytest.raises(ValueError, match="score 1 is nan"):
        spread([1.0, np.nan, 2.0], 10.0)


def test_figures_outside_of_pages_say_n_and_how() -> None:
    rows = [
        {"method": m, "expert": "one", "queries": q, "epoch": q, "mean": 2.0 + q} for m in "ab" for q in range(1, 4)
    ]
    table = pd.DataFrame(rows).assign(low=1.0, high=9.0, n=16, interval="BCa")
    samples = [
        {"learner": "BC", "samples": m, "seed": seed, "NIG": 1.0 + seed * m} for m in (1, 10) for seed in range(3)
    ]
    told = {
        "95 % intervals (n = 16; BCa)": [
            magail_interactive({"a game": table}), magail_mixture(table, {"one": 0.1}, 0.05)
        ],
        "95 % intervals (n = 3; t)": [imitation_samples({"a game": pd.DataFrame(samples)})],
    }  # fmt: skip
    for words, figures in told.items():
        for figure in figures:
            assert figure.get_supxlabel().replace("\n", " ") == f"Means over seeds, {words}."


def test_audits_keep_over_how_many_episodes_a_number_is(tmp_path: Path) -> None:
    learned, bound = estimate(np.arange(4.0)), estimated(np.arange(10.0).reshape(5, 2))
    assert (learned.episodes, bound.episodes) == (4, 5)
    kinds = [TypeGap(name, 0.5, gap, gap, gap) for name, gap in (("a", learned), ("b", bound))]
    whole = audit(LOW, gaps=(Gaps("unilateral gap", "learned", tuple(kinds)),))
    (tmp_path / "audit").mkdir()
    write_audit(tmp_path, whole)
    table = gap_table([("is", 1, read_audit(tmp_path))])
    assert dict(zip(table["type"], table["episodes"], strict=True)) == {"a": 4, "b": 5, "NashConv": 4}


def test_exact_gaps_have_no_bar_and_say_so() -> None:
    table = gap_table([("is", 1, audit(LOW)), ("is", 2, audit(LOW))])
    figure = gaps(table, ["is"])
    bars = [one.get_segments() for one in figure.axes[0].collections if isinstance(one, LineCollection)]
    assert [float(np.ptp(np.asarray(one), 0).max()) for segments in bars for one in segments] == [0.0] * 4
    assert set(table["episodes"]) == {0}


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_files_with_numbers_that_are_none_are_refused(number: str, tmp_path: Path) -> None:
    (tmp_path / "audit").mkdir()
    write_audit(tmp_path, audit(LOW, value=100.5))
    path = audit_path(tmp_path)
    path.write_text(path.read_text().replace("100.5", number, 1))
    with pytest.raises(DamagedFile, match=r"audit\.json is damaged: it is no JSON object of ours"):
        read_audit(tmp_path)
    folder = make_imitation(tmp_path / "in", "bc", 0, level=321.5)
    record, evaluations = folder / "imitation.json", folder / "evaluations.csv"
    good = record.read_text()
    record.write_text(good.replace("321.5", number, 1))
    with pytest.raises(DamagedFile, match=r"imitation\.json is damaged: it is no JSON object of ours"):
        load_imitations([folder])
    record.write_text(good)
    assert json.loads(good)["metrics"]["return_mode"]["mean"] == 321.5
    evaluations.write_text(evaluations.read_text().replace(",9\n", f",{number}\n"))
    load_imitations([folder])
    table = pd.read_csv(evaluations).astype({"return": object})
    table.loc[3, "return"] = number
    table.to_csv(evaluations, index=False)
    with pytest.raises(DamagedFile, match=r"evaluations\.csv: row 5 has a return that is no number"):
        load_imitations([folder])
