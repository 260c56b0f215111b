"""Tables of errors and gaps of the toys against their closed forms, and figures that show what the tables hold."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from analysis.figures.imitation_gap import (
    NIG,
    plot_error_curves,
    plot_gap_bounds,
    plot_gap_growth,
    plot_gap_surface,
    plot_pareto_eps_vs_nig,
    plot_pareto_grid,
)
from analysis.figures.imitation_samples import imitation_samples
from analysis.imitation_gap import (
    PROXIES,
    error_curves,
    gap_bounds,
    gap_differences,
    gap_growth,
    gap_intervals,
    gap_surface,
    learners,
    pareto,
)
from envs.mean_field import AttractorMFG, CrowdAvoidanceMFG, TriStateCongestionMFG


def test_one_learner_or_several() -> None:
    assert learners(AttractorMFG, 0.2).shape == (1,)
    assert learners(AttractorMFG, (0.2, 0.3)).shape == (2,)
    assert learners(TriStateCongestionMFG, (0.4, 0.5)).shape == (1, 2)
    with pytest.raises(ValueError, match=r"shape \(3,\); want \[K, 2\]"):
        learners(TriStateCongestionMFG, (0.1, 0.2, 0.3))
    with pytest.raises(ValueError, match=r"shape \(2, 2\); want \[K\]"):
        learners(AttractorMFG, [[0.1, 0.2], [0.3, 0.4]])


def test_pareto_holds_the_largest_errors_and_the_gap() -> None:
    table = pareto(AttractorMFG, [0.0, 0.2, 1.0], 10, {"L": 0.5}).set_index(["proxy", "learner"])
    assert not table.xs(0, level="learner").to_numpy().any()
    assert table["error"]["VAN", 1] == pytest.approx(1.785252, abs=1e-6)
    assert table["error"]["MFC", 1] == pytest.approx(1.995460, abs=1e-6)
    assert table["error"]["BC", 1] == pytest.approx(0.4)
    assert table["NIG"]["MFC", 1] == table["NIG"]["BC", 1] == pytest.approx(1.585545122, abs=1e-9)
    assert list(table.loc[PROXIES[0]].index) == [0, 1, 2]


def test_growth_is_of_games_with_the_first_steps() -> None:
    table = gap_growth(CrowdAvoidanceMFG, 0.25, 3, [{"L": 0.5}])
    mine = table[table["proxy"] == "MFC"]
    # one step has no gap: nobody has left yet, so rows begin with two
    assert list(mine["n"]) == [2, 3]
    np.testing.assert_allclose(mine["NIG"], [0.25, 0.681640625], atol=1e-12)
    error = 2 * (0.25 + 0.75 * np.array([0.25, 0.431640625]))
    np.testing.assert_allclose(mine["error"], error, atol=1e-12)
    np.testing.assert_allclose(mine["loglog"], np.log(np.log(1 + mine["NIG"] / error)), atol=1e-12)
    with pytest.raises(ValueError, match="2 learners"):
        gap_growth(CrowdAvoidanceMFG, [0.1, 0.2], 3, [{"L": 0.5}])
    with pytest.raises(ValueError, match="has no gap"):
        gap_growth(AttractorMFG, 0.0, 3, [{"L": 0.5}])


def test_growth_begins_where_a_gap_is_more_than_rounding() -> None:
    table = gap_growth(AttractorMFG, 0.1, 4, [{"L": 0.5, "rho0": 0.3}])
    assert table["n"].min() == 2
    assert table["loglog"].min() > -5


def test_surface_is_zero_where_nobody_leaves() -> None:
    table = gap_surface(10, {"L1": 0.5, "L2": 0.5}, points=6)
    assert len(table) == 36
    table.index = pd.MultiIndex.from_frame(table[["a1", "a2"]].round(6))
    table = table["NIG"]
    # s1 is the gateway to s2: with nobody in it nobody leaves
    assert not table.xs(0.0, level="a1").to_numpy().any()
    assert table[0.2, 0.2] == pytest.approx(5.899794861, abs=1e-9)
    assert table[1.0, 1.0] == pytest.approx(table[0.6, 0.6], abs=1e-12)


def test_figures_show_the_tables() -> None:
    grid = np.linspace(0, 1, 5)
    axis = plot_pareto_eps_vs_nig(CrowdAvoidanceMFG, grid, 8, {"L": 0.8}).axes[0]
    table = pareto(CrowdAvoidanceMFG, grid, 8, {"L": 0.8})
    for line in axis.get_lines():
        mine = table[table["proxy"] == line.get_label()]
        np.testing.assert_array_equal(line.get_xydata(), mine[["error", "NIG"]])
    assert "low is good" in axis.get_ylabel() == NIG
    assert len(plot_pareto_grid(AttractorMFG, grid, (3, 5), [{"L": 0.2}, {"L": 0.9}]).axes) == 4
    axis = plot_error_curves(TriStateCongestionMFG, (0.4, 0.5), 6, {"L1": 0.5, "L2": 0.7}).axes[0]
    curves = error_curves(TriStateCongestionMFG, (0.4, 0.5), 6, {"L1": 0.5, "L2": 0.7})
    assert {line.get_label() for line in axis.get_lines()} == set(PROXIES)
    np.testing.assert_array_equal(axis.get_lines()[1].get_ydata(), curves[curves["proxy"] == "VAN"]["error"])
    assert len(plot_error_curves(AttractorMFG, [0.1, 0.2], 4, {"L": 0.5}).axes) == 2
    growth = plot_gap_growth(AttractorMFG, 0.1, 5, [{"L": 0.2}, {"L": 0.9}])
    assert [len(axis.get_lines()) for axis in growth.axes] == [2, 2, 2]
    table = gap_bounds(CrowdAvoidanceMFG, [0.1, 0.5], 6, {"L": 0.8})
    axis = plot_gap_bounds(CrowdAvoidanceMFG, [0.0, 0.1, 0.5], 6, {"L": 0.8}).axes[0]
    # who never leaves has no gap, and no place on a logarithmic axis
    drawn = {str(line.get_label()): line.get_xydata() for line in axis.get_lines()}
    assert len(drawn) == 5
    np.testing.assert_array_equal(drawn["NIG"], table[["BC error", "NIG"]])
    np.testing.assert_array_equal(drawn["bound by VAN"], table[["BC error", "VAN"]])
    surface = plot_gap_surface(5, {"L1": 0.5, "L2": 0.7}, points=4)
    assert surface.axes[1].get_ylabel() == NIG
    image = surface.axes[0].images[0].get_array()
    assert image is not None
    # a1 runs along x
    assert not image[:, 0].any()
    assert image[0, 1:].all()


def sampled(first: list[float], second: list[float]) -> pd.DataFrame:
    rows = [
        (name, 10, seed, gap) for name, gaps in (("BC", first), ("MFC-ADV", second)) for seed, gap in enumerate(gaps)
    ]
    return pd.DataFrame(rows, columns=["learner", "samples", "seed", "NIG"])


def test_intervals_over_seeds_by_hand() -> None:
    # mean 2, standard deviation 1, and Student's t at 2 degrees of freedom is 4.302653
    found = gap_intervals(sampled([1.0, 2.0, 3.0], [5.0, 5.0, 5.0])).set_index("learner")
    half = 4.302653 / np.sqrt(3)
    assert found.loc["BC"].tolist()[1:4] == pytest.approx([2, 2 - half, 2 + half], abs=1e-6)
    assert found.loc["MFC-ADV"].tolist()[1:] == [5, 5, 5, 3, "constant"]
    assert gap_intervals(sampled([1.0, 2.0], [1.0, 2.0]))["low"].isna().all()


def test_differences_are_paired_by_seed() -> None:
    table = sampled([1.0, 12.0, 23.0], [0.0, 10.0, 20.0])
    found = gap_differences(table, [("MFC-ADV", "BC"), ("BC", "MFC-ADV")])
    half = 4.302653 / np.sqrt(3)
    assert found.loc[0, ["mean", "low", "high"]].tolist() == pytest.approx([-2, -2 - half, -2 + half], abs=1e-6)
    assert found["mean"].tolist() == [-2, 2]
    assert found["p"][0] == pytest.approx(found["p"][1])
    assert found["p_holm"][0] == pytest.approx(2 * found["p"][0])


def test_figure_of_samples_leaves_out_what_has_no_gap() -> None:
    figure = imitation_samples(
        {"a game": sampled([0.0, 0.0, 0.0], [1.0, 2.0, 3.0]), "b": sampled([1, 2, 3], [2, 2, 4])}
    )
    assert [len(axis.get_lines()) for axis in figure.axes] == [1, 2]
    assert figure.axes[0].get_ylabel() == NIG
