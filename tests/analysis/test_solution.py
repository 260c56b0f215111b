"""Solutions taken apart: shares that sum to the exploitability, and pictures of games of every kind."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from analysis.figures import flow
from analysis.figures.solution import convergence
from analysis.noise_histories import paths, some_histories, told
from analysis.solution import KINDS, audit_table
from envs.mean_field import make
from envs.mean_field.histories import histories
from envs.mean_field.populations import CoupledMFG
from envs.mean_field.stacked import StackedMFG
from mfmarl.solvers import solve

SMALL: dict[str, dict[str, Any]] = {
    "attractor": {"horizon": 4},
    "beach-bar-closing": {"size": 5, "horizon": 4, "closes": 0.3},
    "beach-bar-graphon": {"places": 2, "size": 4, "horizon": 3},
    "braess": {},
    "crowd-1d-stationary": {"size": 5},
    "inventory-market": {"demand": 2.0, "horizon": 4},
    "left-right-stationary": {},
    "predator-prey": {"size": 3, "horizon": 3},
    "sis-stationary": {},
}


def game_of(name: str) -> Any:
    made = make(name, **SMALL.get(name, {}))
    return StackedMFG(made) if isinstance(made, CoupledMFG) else made


@pytest.mark.parametrize("name", SMALL)
def test_shares_sum_to_the_exploitability(name: str) -> None:
    game = game_of(name)
    uniform = game.uniform_policy()
    raised = uniform * np.random.default_rng(0).uniform(0.1, 1.0, uniform.shape)
    # some rows deterministic, as best responses are
    pi = np.where(np.arange(uniform.shape[-2])[:, None] % 2 == 0, raised, np.eye(uniform.shape[-1])[uniform.argmax(-1)])
    pi /= pi.sum(-1, keepdims=True)
    table, gap = audit_table(game, pi), float(game.exploitability(pi))
    assert len(table) == uniform[..., 0].size
    assert gap > 1e-3
    assert table["share"].sum() == pytest.approx(gap, rel=1e-11)
    assert table["loss"].min() > -1e-10
    assert (table["best_value"] - table["value"]).min() > -1e-9


def test_left_or_right_for_ever_by_hand() -> None:
    # half go each way: left earns -1/2 and right -1, the half that goes right loses 1/2, discounted by 1 / (1 - .9)
    (row,) = audit_table(game_of("left-right-stationary"), np.full((1, 2), 0.5)).to_dict("records")
    assert row["state"] == row["best_action"] == 0
    assert row["mu"] == 1
    assert row["value"] == pytest.approx(-7.5)
    assert row["best_value"] == pytest.approx(-5.0)
    assert row["loss"] == pytest.approx(0.25)
    assert row["share"] == pytest.approx(2.5)


def test_rows_of_a_common_noise_are_named_by_its_history() -> None:
    game = game_of("beach-bar-closing")
    table = audit_table(game, game.uniform_policy())
    assert list(table.columns[:5]) == ["t", "history", "noise", "probability", "state"]
    nodes = table.drop_duplicates("history").set_index("history")
    assert nodes["noise"].tolist() == [
        "0", "0", "0; 1 from t=1", "0", "0; 1 from t=2", "0; 1 from t=1",
        "0", "0; 1 from t=3", "0; 1 from t=2", "0; 1 from t=1",
    ]  # fmt: skip
    assert nodes["probability"][[0, 2, 8]].tolist() == pytest.approx([1.0, 0.3, 0.7 * 0.3])
    assert nodes.groupby("t")["probability"].sum().tolist() == pytest.approx([1.0] * 4)


def test_rows_of_populations_are_named_by_their_own_states() -> None:
    game = game_of("predator-prey")
    table = audit_table(game, game.uniform_policy())
    assert table.loc[table["t"] == 1, "population"].tolist() == ["fox"] * 9 + ["hen"] * 9 + ["snake"] * 9
    assert table.loc[(table["t"] == 2) & (table["population"] == "hen"), "state"].tolist() == list(range(9))
    assert table.groupby(["t", "population"])["mu"].sum().to_numpy() == pytest.approx(np.ones(9))


def test_a_few_histories_change_early_and_late() -> None:
    often = histories(np.array([0.5, 0.5]), np.array([[0.8, 0.2], [0.4, 0.6]]), 6, "often")
    found = some_histories(often)
    # of first changes at t = 2 and 3 the likeliest begin with 1, since it is left more often; late ones with 0
    assert [told(whole.z.tolist()) for whole in found] == ["0", "1; 0 from t=2", "1; 0 from t=3", "0; 1 from t=5"]
    assert [whole.probability for whole in found] == pytest.approx(
        [0.5 * 0.8**5, 0.5 * 0.6 * 0.4 * 0.8**3, 0.5 * 0.6**2 * 0.4 * 0.8**2, 0.5 * 0.8**4 * 0.2]
    )
    every = paths(often)
    for whole in found:
        assert [every[n] for n in whole.nodes] == [tuple(whole.z[: t + 1]) for t in range(6)]
        assert whole.nodes[-1] == often.number - often.ends + whole.end
    still = histories(np.array([1.0]), np.array([[1.0]]), 3, "still")
    assert [whole.probability for whole in some_histories(still)] == [1.0]
    assert told((0, 0, 2, 2, 0)) == "0; 2 from t=2; 0 from t=4"


@pytest.mark.parametrize("name", ["attractor", "beach-bar-closing", "predator-prey"])
def test_a_moving_picture_has_a_frame_for_each_step_and_a_row_for_each_flow(name: str) -> None:
    game = game_of(name)
    file, picture = KINDS[type(game)].picture(game, solve(game, tol=0, max_iterations=1), name)
    assert file == "flow.gif"
    image: Any = Image.open(io.BytesIO(picture))
    steps, rows = {"attractor": (4, 1), "beach-bar-closing": (4, 4), "predator-prey": (3, 3)}[name]
    assert image.n_frames == steps + 1
    assert image.size == (352, 216 if rows == 1 else 120 * rows)


def test_histories_of_a_picture_follow_the_flow(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[flow.Panel] = []
    monkeypatch.setattr(flow, "flow_gif", lambda rows, title: shown.extend(rows))
    game = game_of("beach-bar-closing")
    found = solve(game, tol=0, max_iterations=1)
    flow.of_histories(game, found, "x")
    assert [row.title for row in shown][:2] == [
        "noise stays 0 (probability 0.34)", "noise 0; 1 from t=1 (probability 0.3)",
    ]  # fmt: skip
    # until the noise changes, all see the same population
    np.testing.assert_array_equal(shown[0].mu[:3], shown[2].mu[:3])
    assert np.abs(shown[0].mu[-1] - shown[1].mu[-1]).sum() > 1e-4
    assert all(row.mu.sum(1) == pytest.approx(np.ones(5)) for row in shown)


def test_gaps_of_zero_are_shown_at_the_foot() -> None:
    history = pd.DataFrame({"iteration": [0, 1, 2], "exploitability": [1.5, 0.0, -1e-17]})
    (axis,) = convergence(history, 1e-3, "x").axes
    foot = next(line for line in axis.lines if line.get_label() == "0, below the scale")
    assert np.asarray(foot.get_xdata()).tolist() == [1, 2]
    assert axis.get_yscale() == "log"
    (plain,) = convergence(history.assign(exploitability=0.0), 0.0, "x").axes
    assert plain.get_yscale() == "linear"


def test_places_of_a_graphon_are_told_apart() -> None:
    game = game_of("beach-bar-graphon")
    table = audit_table(game, game.uniform_policy())
    assert table.columns[:3].tolist() == ["t", "place", "state"]
    pairs = table[["place", "state"]].drop_duplicates().to_numpy().tolist()
    assert pairs == [[u, s] for u in range(2) for s in range(4)]
    # half of the agents are at each
    assert table.groupby(["t", "place"])["mu"].sum().to_numpy() == pytest.approx(0.5)
