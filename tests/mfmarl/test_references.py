"""The table of reference policies: its figures against playing by hand, reasons in place of values, and its CSV."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

import envs
from envs.inventory.reference import reference_policy
from mfmarl.cli import run_command
from mfmarl.errors import UserError
from mfmarl.reference_table import show
from mfmarl.references import References, tabulate
from mfmarl.seeding import stream

SHORT = {"horizon": 6, "jitter": 0.0}


@pytest.fixture(scope="module")
def easy() -> References:
    return tabulate(
        "inventory/market-easy", policies=["random", "base_stock", "smoothing"], episodes=3, num_agents=10, seed=4,
        options=SHORT,
    )  # fmt: skip


def test_figures_are_those_of_playing(easy: References) -> None:
    env = envs.make("inventory/market-easy", num_envs=3, num_agents=10, seed=0, **SHORT)
    step = env.reset(stream(4, "env"))
    policy = reference_policy("base_stock", env, 0)  # type: ignore[arg-type]
    rewards = []
    for _ in range(6):
        step = env.step(policy(step))
        rewards.append(step.reward.astype(float))
    row = easy.rows[1]
    returns = np.tensordot(0.99 ** np.arange(6), np.array(rewards), 1).mean(1)
    assert row.policy == "base_stock"
    assert row.value == pytest.approx(returns.mean())
    # Student's t with 2 degrees of freedom: 4.303
    assert row.high - row.value == pytest.approx(4.30265 * returns.std(ddof=1) / np.sqrt(3), rel=1e-5)
    profits = np.mean(rewards, (0, 1))
    assert row.profits == pytest.approx(
        {"convenience": profits[:3].mean(), "supermarket": profits[3:7].mean(), "discounter": profits[7:].mean()}
    )
    assert row.value < row.bound


def test_exact_values_stand_beside_what_was_played(easy: References) -> None:
    random, base_stock, smoothing = easy.rows
    # six periods of infinitely many; NashConv as a share of the size of the value, also of a negative one
    assert base_stock.exact == pytest.approx(base_stock.value, rel=0.05)
    assert random.nash_conv > base_stock.nash_conv > 0
    assert np.isnan(smoothing.exact)
    assert "so it is no profile" in smoothing.notes[0]


def test_what_cannot_be_played_says_why_in_its_row() -> None:
    found = tabulate(
        "inventory/market-easy", policies=["constant", "base_stock", "equilibrium"], episodes=1, num_agents=4, seed=0,
        options={"action_mode": "order_up_to", "action_grid": (0, 20, 40), "horizon": 4},
    )  # fmt: skip
    constant, base_stock, equilibrium = found.rows
    assert "a constant order cannot be played" in constant.notes[0]
    assert "action_mode is order_up_to" in equilibrium.notes[0]
    assert np.isfinite(base_stock.value)
    # one episode has no interval
    assert np.isnan(base_stock.high)
    assert any("no exact value or NashConv: action_mode is order_up_to" in note for note in found.notes)


def test_what_holds_for_all_rows_is_said_once() -> None:
    found = tabulate(
        "inventory/market-easy", policies=["base_stock", "smoothing"], episodes=1, num_agents=4, seed=0,
        options={"horizon": 3, "action_mode": "order_up_to", "action_grid": (0, 20, 40), "unmet": "backlog"},
    )  # fmt: skip
    assert [row.notes for row in found.rows] == [(), ()]
    assert "no bound: orders up to a position" in found.notes[0]


def test_more_episodes_than_copies_go_on_into_the_next() -> None:
    found = tabulate(
        "inventory/market-easy", policies=["smoothing"], episodes=40, num_agents=2, seed=0, options={"horizon": 2}
    )
    assert np.isfinite([found.rows[0].value, found.rows[0].high, found.rows[0].bound]).all()


def test_a_bound_that_would_take_minutes_is_left_out() -> None:
    found = tabulate("inventory/market-orange-juice", policies=["base_stock"], episodes=2, seed=0)
    assert np.isnan(found.rows[0].bound)
    assert found.rows[0].notes == ("no bound: too many agents, or units, for its dynamic program",)
    assert np.isfinite(found.rows[0].value)


def test_the_table_and_its_csv(easy: References, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    show(easy, tmp_path / "t.csv")
    told = capsys.readouterr().out
    assert "inventory/market-easy, N = 10, seed 4" in told
    assert f"{easy.rows[1].value:,.1f} ±" in told
    with (tmp_path / "t.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["policy"] for row in rows] == ["random", "base_stock", "smoothing"]
    assert float(rows[1]["return"]) == easy.rows[1].value
    assert float(rows[1]["profit_discounter"]) == easy.rows[1].profits["discounter"]
    assert rows[2]["exact"] == ""
    assert "no profile" in rows[2]["note"]


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "t.csv"
    arguments = ["references", "inventory/market-easy", "--policies", "constant", "base_stock", "--episodes", "2"]
    arguments += ["--num-agents", "4", "--seed", "1", "--set", "horizon=3", "jitter=0", "--out", str(out)]
    assert run_command(arguments) == 0
    first = capsys.readouterr().out
    assert "constant" in first
    assert len(out.read_text().splitlines()) == 3
    # the same seed, the same table
    assert run_command(arguments) == 0
    assert capsys.readouterr().out == first


def test_bad_input() -> None:
    with pytest.raises(UserError, match="unknown policy 'base-stok'; did you mean 'base_stock'"):
        tabulate("inventory/market-easy", policies=["base-stok"])
    with pytest.raises(envs.UnknownName, match="did you mean 'inventory/market-easy'"):
        tabulate("inventory/market-eazy")
    with pytest.raises(envs.UnknownName, match="did you mean 'jitter'"):
        tabulate("inventory/market-easy", options={"jiter": 0})
