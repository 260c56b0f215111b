"""The report on several equilibria and on other numbers of agents, from audits made by hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.equilibrium.audit_file import Audit, write_audit
from analysis.equilibrium.gaps import By, Estimate, Gaps, TypeGap
from analysis.equilibrium.rates import FiniteAgents, Size, fitted_rates
from analysis.equilibrium.several import clusters
from analysis.figures.finite_agents import finite_agents
from analysis.figures.mean_orders import mean_orders
from analysis.load import load_study
from analysis.report.audit import audit_section
from analysis.report.equilibria import add_equilibria, several_in_words
from analysis.report.finite_agents import add_finite
from analysis.report.parts import Section
from mfmarl.config import TrainConfig
from mfmarl.evaluate import evaluate
from mfmarl.train import train

Path_ = tuple[tuple[float, ...], ...]
T = 4


def path(**shares: float) -> Path_:
    """Shares of easy's 11 actions, the same in every period: a0=.5, a2=.5."""
    law = np.zeros(11)
    for name, share in shares.items():
        law[int(name[1:])] = share
    return tuple(tuple(law.tolist()) for _ in range(T))


LOW, NEARLY, HIGH = path(a0=0.5, a2=0.5), path(a0=0.48, a2=0.52), path(a0=0.25, a4=0.75)


def audit(
    mean_actions: Path_, value: float = 100.0, gap: float = 2.0, by: Sequence[By] = ("exact",), **more: object
) -> Audit:
    exactly = Estimate.exactly
    kinds = (TypeGap("convenience", 1.0, exactly(value), exactly(value + gap), exactly(gap)),)
    settings: dict[str, Any] = {
        "run": "a", "policy": "trained", "label": "is", "env": "inventory/market-easy", "num_agents": 30,
        "checkpoint": 1, "seed": 0, "discount": 0.99, "value": exactly(value),
        "gaps": tuple(Gaps("unilateral gap", way, kinds) for way in by), "left_out": (), "deviations": (), "lines": (),
        "subject": "", "absent": (), "jitter": 0.0, "mean_actions": mean_actions,
    }  # fmt: skip
    return Audit(**(settings | more))


def section_of(
    *audits: Audit, methods: Sequence[str] = ("is", "is", "mf", "mf", "mf")
) -> tuple[Section, dict[str, pd.DataFrame]]:
    section, files = Section("audit", "Audit"), dict[str, pd.DataFrame]()
    told = [(method, seed, one) for seed, (method, one) in enumerate(zip(methods, audits, strict=False), 1)]
    add_equilibria(section, told, {}, files)
    return section, files


def rows(section: Section, table: int = 0) -> list[list[tuple[str, str]]]:
    return [[(cell.main, cell.small) for cell in row] for row in section.tables[table].rows]


def test_two_equilibria_are_told_by_cluster() -> None:
    section, files = section_of(audit(LOW, 90.0, 1.0), audit(HIGH, 50.0, 4.0), audit(NEARLY, 100.0, 3.0))
    assert rows(section) == [
        [
            ("1", ""), ("IS 1, MF 3", ""), ("95.0", "90.0 to 100.0"), ("2.0", "exact"), ("0.020", ""),
            ("2", "at 0.750"),
        ],
        [("2", ""), ("IS 2", ""), ("50.0", ""), ("4.0", "exact"), ("–", ""), ("1", "at 0.750")],
    ]  # fmt: skip
    assert section.text == [
        "Equilibria: 3 runs play 2 different paths: mean actions differ by at most 0.02 of total variation on average "
        "over periods within a path, and by at least 0.75 between two. A path is an equilibrium only as far as the "
        "NashConv of its runs is near 0."
    ]
    assert list(files["audit_clusters.csv"]["cluster"]) == [1, 2, 1]
    # easy orders multiples of mean demand
    paths = files["audit_paths.csv"]
    assert len(paths) == 3 * T
    grid = np.array([0, 0.25, 0.5, 0.75, 1])
    assert paths.groupby("seed")["shown"].first().tolist() == pytest.approx(
        [0.5 * grid[2], 0.75 * grid[4], 0.52 * grid[2]]
    )
    axis = mean_orders(paths, "mean order, periods of own mean demand").axes[0]
    colours = [line.get_color() for line in axis.lines]
    assert len(axis.lines) == 3
    assert len(set(colours)) == 2
    assert axis.get_ylabel() == "mean order,\nperiods of own mean demand"
    assert [line.get_label() for line in axis.lines] == ["cluster 1 (2 runs)"] * 2 + ["cluster 2 (1 run)"]


def test_how_many_equilibria_in_words() -> None:
    def words(*paths: Path_) -> str:
        return several_in_words(clusters(np.array(paths), [1.0] * len(paths)))

    assert "3 runs play one path: mean actions differ by at most 0.02 of total" in words(LOW, NEARLY, LOW)
    assert "2 runs play as many different paths: mean actions differ by 0.75 of total" in words(LOW, HIGH)
    other = path(a9=1.0)
    assert "3 runs play as many different paths: mean actions differ by 0.75 to 1.00 of" in words(LOW, HIGH, other)


def test_nash_conv_is_by_a_way_that_all_runs_have() -> None:
    learned: tuple[By, ...] = ("learned",)
    section, _ = section_of(audit(LOW, by=("exact", "learned")), audit(LOW, by=learned))
    assert rows(section)[0][3] == ("2.0", "learned")
    section, files = section_of(audit(LOW), audit(LOW, by=learned))
    assert rows(section)[0][3] == ("–", "")
    assert files["audit_clusters.csv"]["nash_conv"].isna().all()


@pytest.mark.parametrize(
    "audits",
    [
        (audit(LOW),),
        # continuous actions have means, not shares
        (audit(((0.5,),) * T), audit(((0.4,),) * T)),
        # runs of other lengths
        (audit(LOW), audit(LOW[:2])),
    ],
)
def test_nothing_is_said_where_there_is_nothing_to_compare(audits: tuple[Audit, ...]) -> None:
    section, files = section_of(*audits)
    assert (section, files) == (Section("audit", "Audit"), {})


def test_games_without_units_show_the_share_that_differs_most() -> None:
    env = {"env": "markov/coordination"}
    section, files = section_of(audit(LOW, **env), audit(HIGH, **env))
    assert "share of agents that play action 4" in section.figures[0].caption
    assert files["audit_paths.csv"].groupby("seed")["shown"].first().tolist() == [0.0, 0.75]


def finite(constant: float, *notes: str) -> FiniteAgents:
    offs = {15: 0.2, 30: -0.3, 300: 0.5, 3000: -0.4, 10_005: 0.5}
    sizes = tuple(Size(n, 1000, 1437.0 + constant / n + 0.2 * off, 0.2, 1437.0) for n, off in offs.items())
    return FiniteAgents(sizes, fitted_rates(sizes), notes)


def test_rates_are_drawn_and_told() -> None:
    section, files = Section("audit", "Audit"), dict[str, pd.DataFrame]()
    audits = [("is", 1, audit(LOW, finite=finite(-300.0, "what is left out"))), ("mf", 2, audit(LOW))]
    add_finite(section, audits, files)
    values, fits = (rows(section, k) for k in (0, 1))
    assert values[0] == [
        ("IS", "seed 1"), ("15", ""), ("1,000", ""), ("1,417.04 ± 0.20", ""), ("1,437.00", ""), ("-19.96", "")
    ]  # fmt: skip
    assert len(values) == len(files["audit_finite.csv"]) == 5
    (fit,) = fits
    rates = finite(-300.0).rates
    assert fit[1][0] == f"{rates[0].constant:.1f} ± {rates[0].constant_error:.1f}"
    assert fit[1][1] == f"p {rates[0].p_value:.2g}"
    assert fit[2][1] == "p < .001"
    assert fit[3][0] == f"{rates[2].power:.3f} ± {rates[2].power_error:.3f}"
    assert fit[4][0].startswith("C/N describes the gaps (C = -300 ± 3 $")
    assert section.notes == ["The value among infinitely many: what is left out."]
    assert list(files["audit_rates.csv"]["rate"]) == ["C/N", "C/sqrt(N)", "C N^a"]


def test_the_figure_of_rates() -> None:
    section, files = Section("audit", "Audit"), dict[str, pd.DataFrame]()
    audits = [(m, s, audit(LOW, finite=finite(-300.0))) for m, s in (("is", 1), ("is", 2), ("mf", 1))]
    add_finite(section, audits, files)
    figure = finite_agents(files["audit_finite.csv"], files["audit_rates.csv"], [(m, s) for m, s, _ in audits])
    assert [axis.get_visible() for axis in figure.axes] == [True, True, True, False]
    axis = figure.axes[0]
    assert (axis.get_xscale(), axis.get_yscale(), axis.get_title("left")) == ("log", "log", "IS, seed 1")
    lines = {line.get_label(): line for line in axis.lines}
    n, y = (np.asarray(values, float) for values in lines["fitted C/N"].get_data())
    np.testing.assert_allclose(y * n, abs(finite(-300.0).rates[0].constant))
    below, above = axis.containers
    assert below[0].get_xdata().tolist() == [15, 30, 300, 3000]
    assert above[0].get_xdata().tolist() == [10_005]


def test_no_finite_agents_no_part() -> None:
    section, files = Section("audit", "Audit"), dict[str, pd.DataFrame]()
    add_finite(section, [("is", 1, audit(LOW))], files)
    assert (section, files) == (Section("audit", "Audit"), {})


def test_the_section_of_audited_runs_has_both(tmp_path: Path) -> None:
    runs = []
    for seed, mean_actions in ((1, LOW), (2, HIGH)):
        config = TrainConfig.model_validate(
            {"num_agents": 9, "num_episodes": 4, "num_envs": 2, "seed": seed, "env_options": {"horizon": T}}
            | {"mfq": {"hidden": [4]}}
        )
        runs.append(train(config, tmp_path, name=f"run-{seed}", backend="local"))
        evaluate(runs[-1], episodes=1)
        (runs[-1] / "audit").mkdir()
        write_audit(runs[-1], audit(mean_actions, finite=finite(-300.0)))
    files: dict[str, pd.DataFrame] = {}
    section = audit_section(load_study(runs), runs, files)
    assert section is not None
    assert {"audit_clusters.csv", "audit_paths.csv", "audit_finite.csv", "audit_rates.csv"} < set(files)
    assert any("2 runs play as many different paths" in text for text in section.text)
    assert any(row[-1].main.startswith("C/N describes the gaps") for table in section.tables for row in table.rows)
    assert {"<svg" in str(figure.panels[0].svg) for figure in section.figures} == {True}
    assert len(section.figures) == 4
