"""Imitators in their profile: the expert has no gap above its own, and what plays worse has one."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.audit_imitations import audit_imitations
from analysis.equilibrium.audit_settings import Settings
from analysis.imitation_audit import Imitator, Way, audit_imitators, over_seeds
from envs.mean_field.games.market import inventory_market
from envs.mean_field.imitation import occupancy
from mfmarl.cli import run_command
from mfmarl.errors import UserError
from mfmarl.imitation import BCAgent
from mfmarl.imitation.cloning import cloned
from mfmarl.imitation.rollout import episodes, spaces_of
from mfmarl.imitation.settings import of_spaces
from mfmarl.imitation.type_experts import expert_of
from mfmarl.imitation.type_game import TypeGame, type_game
from mfmarl.runs.summed import summed
from mfmarl.solvers import solve
from tests.analysis.small_runs import make_run

NAME = "inventory/market-easy,jitter=0,num_agents=15,horizon=6:discounter"
GAME = type_game(NAME)


def uniform(states: np.ndarray) -> np.ndarray:
    return np.full((len(states), 11), 1 / 11)


def audited(game: TypeGame, imitators: list[Imitator], way: Way | None = None) -> dict[Any, Any]:
    """method -> its figures, of drawn actions."""
    return audit_imitators(game, imitators, way, acting=("sampled",)).set_index("method").to_dict("index")


def test_cloning_the_whole_equilibrium_of_a_market_has_no_gap_of_its_own() -> None:
    game = inventory_market(demand=3.0, horizon=5, stock_cap=4.0)
    expert = solve(game, tol=1e-9, max_iterations=200).pi
    own = float(game.exploitability(expert))
    mu = game.flow(expert)
    pi = cloned(game, occupancy(mu, expert))
    reached = mu[:-1] > 0
    np.testing.assert_allclose(pi[reached], expert[reached], atol=1e-10)
    assert abs(float(game.exploitability(pi)) - own) < 1e-10
    worse = 0.9 * pi + 0.1 * game.uniform_policy()
    assert float(game.exploitability(worse)) > own + 1e-3


def test_the_expert_put_back_is_the_expert() -> None:
    again = Imitator("itself", 0, expert_of(GAME).law)
    table = (
        audit_imitators(GAME, [again, Imitator("uniform", 0, uniform)], acting=("sampled",))
        .set_index("method")
        .to_dict("index")
    )
    for name in ("return", "gap", "NashConv"):
        assert table["itself"][name] == pytest.approx(table["expert"][name], abs=1e-6)
    assert abs(table["itself"]["NIG"]) < 1e-6
    assert table["expert"]["NIG"] == 0
    assert table["uniform"]["NIG"] > 10
    assert table["uniform"]["return"] < table["expert"]["return"]
    excess = table["uniform"]["NashConv"] - table["expert"]["NashConv"]
    assert table["uniform"]["NIG"] == pytest.approx(excess)


def test_a_runs_own_networks_put_back_are_the_run(tmp_path: Path) -> None:
    run = make_run(tmp_path, "mf", 1, num_agents=15, env_options={"horizon": 6, "jitter": 0.0})
    name = f"{run}:discounter"
    game = type_game(name)
    expert = expert_of(game)
    table = (
        audit_imitators(game, [Imitator("itself", 0, expert.law)], acting=("sampled",))
        .set_index("method")
        .to_dict("index")
    )
    for figure in ("return", "gap", "NashConv"):
        # laws of cold networks differ in the last bits of float32
        assert table["itself"][figure] == pytest.approx(table["expert"][figure], abs=1e-3)
    shown = episodes(name, expert, 4, 0, num_envs=4)
    assert [len(one.actions) for one in shown] == [6] * 4
    assert spaces_of(name) == spaces_of(NAME)


def test_a_bound_of_the_imitated_profile_lies_above_its_gap() -> None:
    imitators = [Imitator("uniform", 0, uniform)]
    exact = audited(GAME, imitators)
    bound = (
        audit_imitators(GAME, imitators, Way("bound", episodes=16), acting=("sampled",))
        .set_index("method")
        .to_dict("index")
    )
    assert bound["uniform"]["gap_high"] > exact["uniform"]["gap"]
    assert bound["uniform"]["gap_low"] < bound["uniform"]["gap"] < bound["uniform"]["gap_high"]
    assert bound["uniform"]["NIG"] > 0


def test_a_learnt_imitator_is_between_the_expert_and_chance() -> None:
    shown = episodes(NAME, expert_of(GAME), 40, 0, num_envs=4)
    states = np.concatenate([one.observations[:-1] for one in shown])
    actions = np.concatenate([one.actions for one in shown])
    agent = BCAgent(of_spaces(spaces_of(NAME)) | {"hidden_dims": (32,), "learning_rate": 3e-3}, seed=0)
    agent.take_in(states)
    agent.fit(states, actions, 400)
    table = audit_imitators(GAME, [Imitator("BC", 0, agent.policy), Imitator("uniform", 0, uniform)])
    nig = table.set_index(["method", "acting"])["NIG"].to_dict()
    assert 0 < nig["BC", "sampled"] < 0.2 * nig["uniform", "sampled"]


def test_intervals_are_over_seeds() -> None:
    table = audit_imitators(GAME, [], acting=("sampled",))
    rows = [table.iloc[0].to_dict() | {"method": "x", "seed": i, "NIG": float(i)} for i in range(3)]
    found = over_seeds(pd.DataFrame(rows))
    mine = found[found["figure"] == "NIG"].iloc[0]
    # 1 -+ t(.975, 2) / sqrt(3)
    assert (mine["estimate"], mine["n"]) == (1.0, 3)
    assert mine["high"] == pytest.approx(1 + 4.302653 / math.sqrt(3), rel=1e-6)
    alone = over_seeds(table)
    assert alone["low"].isna().all()


def test_the_commands_go_from_the_expert_to_the_audit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shown, out = str(tmp_path / "shown.npz"), str(tmp_path / "bc")
    expert = ["--expert", "equilibrium", "--episodes", "4"]
    assert run_command(["demonstrate", "--env", NAME, *expert, "--out", shown]) == 0
    learn = ["--updates", "20", "--set", "hidden_dims=[8]", "--seeds", "2", "--out", out, "--quiet"]
    assert run_command(["imitate", "bc", "--env", NAME, "--demonstrations", shown, *learn]) == 0
    assert run_command(["audit", out]) == 0
    assert "NashConv" in capsys.readouterr().out
    table = pd.read_csv(Path(out) / "audit.csv")
    assert table["method"].tolist() == ["expert"] + ["bc"] * 4
    assert table["seed"].tolist() == [0, 0, 0, 1, 1]
    assert (table["NIG"][1:] > 0).all()


def test_imitations_of_other_environments_have_no_audit(tmp_path: Path) -> None:
    words = {"schema": 1, "env": "CartPole-v1", "method": "bc", "seed": 0}
    (tmp_path / "imitation.json").write_bytes(summed(words))
    with pytest.raises(UserError, match="imitations of CartPole-v1; an audit takes those of one GAME"):
        audit_imitations(tmp_path, Settings())


def test_learned_needs_a_folder() -> None:
    with pytest.raises(ValueError, match="give one"):
        Way("learned")
