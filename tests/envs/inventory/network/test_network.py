"""The network: periods by hand, conservation and ledger under random play, copies, state, refusals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import envs
from envs.check import check
from envs.inventory.metrics import EpisodeMetrics
from envs.inventory.network.ledger import TERMS
from envs.inventory.network.network import InventoryNetwork
from envs.inventory.network.tree import PUBLISHED, Tree
from envs.inventory.reference import reference_policy
from tests.envs.inventory.network.games import CHAIN, configs, make, on_tree, random_actions, trees, with_customers

CALM: dict[str, Any] = {"slip": 0.0, "action_mode": "absolute", "order_cap": 100}


def test_the_chain_of_the_specification() -> None:
    network = on_tree(
        CHAIN, num_envs=2, initial_stock=15, slip=0.0, demand_mode="uniform", demand_low=5, demand_high=5
    )
    assert network.parameters.mu.tolist() == [5, 5]
    orders_five = np.full((2, 2), network.order_levels[0].tolist().index(5))
    for t in range(365):
        step = network.step(orders_five)
        # what is ordered in period 0 arrives in period 1
        assert (step.metrics["received"] == (0 if t == 0 else 5)).all()
        assert (step.metrics["stock"] == 10).all()
        assert (step.metrics["backlog"] == 0).all()
        # (depth + 2) 5 - (depth + 1) 5 - |10 - 15| / 2
        assert (step.reward == 2.5).all()
    assert step.truncated.all()


def test_shortage_is_shared_out_backlog_first() -> None:
    network = on_tree({0: [1, 2]}, initial_stock=0, action_grid=(0, 10, 20, 30, 60, 90), **CALM)
    # the shops order 30 and 60 and the factory has none: all of it waits; the factory orders 60
    step = with_customers(network, [[0, 0]] * 4).step(np.array([[4, 3, 4]]))
    assert step.metrics["demand"].tolist() == [[90, 0, 0]]
    assert step.metrics["backlog"].tolist() == [[90, 0, 0]]
    assert network.owed.tolist() == [[0, 30, 60]]
    # 60 arrive; they go to backlog, 20 and 40; the new orders of 20 and 10 wait
    step = network.step(np.array([[5, 2, 1]]))
    assert step.metrics["sold"].tolist() == [[60, 0, 0]]
    assert network.pipeline[0].tolist() == [[90, 20, 40]]
    assert network.owed.tolist() == [[0, 10 + 20, 20 + 10]]
    assert network.inventory_position.tolist() == [[90 - 60, 20 + 30, 40 + 30]]
    # the factory and all below: nothing is in two places
    assert network.echelon_position.tolist() == [[30 + 50 + 70, 50, 70]]
    # 90 arrive: 60 pay the backlog, and 30 of the 90 ordered now are shipped, in proportion 10 : 20
    step = network.step(np.array([[0, 3, 4]]))
    assert step.metrics["received"].tolist() == [[90, 20, 40]]
    assert network.pipeline[0].tolist() == [[0, 30 + 10, 30 + 20]]
    assert network.owed.tolist() == [[0, 20, 40]]
    # prices 2, 3, 3; costs 1, 2, 2; stock 0, 20, 40 with target 15; backlog 60
    assert step.reward.tolist() == [[2 * 90 - 0 - 7.5 - 60, -60 - 2.5, -120 - 12.5]]


def test_the_odd_unit_goes_to_each_child_in_proportion() -> None:
    grid = (0, 1, 2, 3, 5)
    network = on_tree({0: [1, 2, 3]}, num_envs=4000, seed=1, initial_stock=5, action_grid=grid, **CALM)
    with_customers(network, np.zeros((3, 3)))
    # of 6 ordered, 1 + 2 + 3, 5 are there; then of 1 that is missing 1 arrives, and 1 more for 6 new orders
    network.step(np.broadcast_to([1, 1, 2, 3], (4000, 4)))
    short = network.owed[:, 1:].copy()
    assert (short.sum(1) == 1).all()
    share = np.array([1, 2, 3]) / 6
    error = np.sqrt(share * (1 - share) / 4000)
    assert (abs(short.mean(0) - share) < 4 * error).all()
    network.step(np.broadcast_to([2, 1, 2, 3], (4000, 4)))
    # the unit goes to whoever waited, and all new orders wait
    np.testing.assert_array_equal(network.pipeline[0][:, 1:], short)
    assert (network.owed[:, 1:] == [1, 2, 3]).all()
    # 2 for 6 that wait, 1, 2 and 3
    network.step(np.broadcast_to([0, 0, 0, 0], (4000, 4)))
    sent = network.pipeline[0][:, 1:]
    assert (sent.sum(1) == 2).all()
    assert (sent <= np.ceil(2 * share)).all()
    assert (abs(sent.mean(0) - 2 * share) < 4 * np.sqrt(2 * share * (1 - 2 * share) / 4000) + 1e-9).all()


def test_customers_backlog_scrap_and_both_holding_costs() -> None:
    for holding, held in (("target", (5, 0)), ("stock", (20, 15))):
        network = on_tree(
            CHAIN, initial_stock=20, stock_cap=20, holding=holding, action_grid=(0, 30), lead_time=2, **CALM
        )
        with_customers(network, [[26], [4], [0], [0]])
        step = network.step(np.array([[1, 0]]))
        assert step.metrics["sold"].tolist() == [[0, 20]]
        assert step.metrics["backlog"].tolist() == [[0, 6]]
        empty = 7.5 if holding == "target" else 0
        assert step.reward.tolist() == [[-30 - held[0] / 2, 3 * 20 - empty - 6]]
        step = network.step(np.array([[0, 1]]))
        assert step.metrics["backlog"].tolist() == [[10, 10]]
        # 30 arrive at the factory after two periods: 10 are owed, 20 stay
        step = network.step(np.array([[0, 0]]))
        assert step.metrics["received"].tolist() == [[30, 0]]
        assert step.metrics["stock"].tolist() == [[20, 0]]
        assert step.metrics["scrapped"].tolist() == [[0, 0]]
        step = network.step(np.array([[1, 0]]))
        # the 20 that were shipped in period 1 arrive in period 3
        assert step.metrics["received"].tolist() == [[0, 20]]
        assert step.metrics["stock"].tolist() == [[20, 10]]
        for _ in range(2):
            step = with_customers(network, [[0]] * 6).step(np.array([[0, 0]]))
        assert step.metrics["scrapped"].tolist() == [[30, 0]]
        assert step.metrics["stock"].tolist() == [[20, 20]]
        np.testing.assert_array_equal(step.metrics["ledger/holding_cost"][0, 0], -held[0] / 2)


def test_slips_are_one_period_late_and_as_frequent_as_they_should_be() -> None:
    network = make("100", num_envs=16, seed=3, slip=0.25)
    slipped, sent = [], []
    rng = np.random.default_rng(0)
    for _ in range(200):
        due = network.pipeline[network.t % 1].copy()
        late = network.late.copy()
        step = network.step(random_actions(network, rng))
        got = step.metrics["received"]
        # all that was due, or nothing of it; and what slipped before in any case
        slip = step.metrics["slipped"]
        assert ((slip == due) | (slip == 0)).all()
        np.testing.assert_array_equal(got, late + due - slip)
        slipped.append((slip > 0).sum())
        sent.append((due > 0).sum())
    share, trials = sum(slipped) / sum(sent), sum(sent)
    assert abs(share - 0.25) < 4 * np.sqrt(0.25 * 0.75 / trials)
    always = make(num_envs=1, slip=1.0)
    always.step(np.full((1, 30), 4))
    orders = always.pipeline[0].copy()
    assert not always.step(np.zeros((1, 30), int)).metrics["received"].any()
    np.testing.assert_array_equal(always.step(np.zeros((1, 30), int)).metrics["received"], orders)


@given(trees(), configs(), st.integers(0, 2**31), st.integers(0, 100))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_nothing_appears_or_vanishes(tree: Tree, options: dict[str, Any], seed: int, play: int) -> None:
    network = on_tree(tree, num_envs=2, seed=seed, **options)
    rng = np.random.default_rng(play)
    layout, c = network.layout, network.config
    edges = np.flatnonzero(layout.parent >= 0)
    sent: list[Any] = []
    received = np.zeros((2, network.num_agents))
    for _ in range(2 * c.horizon):
        before = {name: getattr(network, name).copy() for name in ("stock", "backlog", "owed", "late")}
        step = network.step(random_actions(network, rng))
        m = {name: step.metrics[name].astype(float) for name in step.metrics}
        for name in ("order", "received", "slipped", "demand", "sold", "scrapped", "stock", "backlog"):
            assert (m[name] >= 0).all()
            np.testing.assert_array_equal(m[name], np.rint(m[name]))
        # each agent
        np.testing.assert_array_equal(m["stock"] + m["scrapped"] + m["sold"], before["stock"] + m["received"])
        np.testing.assert_array_equal(m["backlog"], before["backlog"] + m["demand"] - m["sold"])
        # an agent that owes has shipped all it had
        assert (m["stock"][m["backlog"] > 0] == 0).all()
        assert (m["sold"] <= m["demand"] + before["backlog"]).all()
        assert (m["stock"] <= c.stock_cap).all()
        assert (m["order"] <= c.order_cap).all()
        # what a parent is asked for is what its children order
        for n in np.flatnonzero(layout.num_children > 0):
            np.testing.assert_array_equal(m["demand"][:, n], m["order"][:, layout.parent == n].sum(1))
        terms = np.sum([m[name] for name in TERMS], 0)
        sizes = np.sum([abs(m[name]) for name in TERMS], 0)
        assert (abs(terms - step.reward) <= 1e-5 * np.maximum(sizes, 1)).all()
        if c.reward == "mean":
            assert (step.reward == step.reward[:, :1]).all()
        if step.terminated.any() or step.truncated.any():
            sent, received[:] = [], 0
            assert network.t == 0
            continue
        # each edge: what a child has on its way or is owed is what it ordered less what it received
        on_its_way = network.pipeline.sum(0) + network.late
        sent.append(network.pipeline[(network.t - 1) % c.lead_time].copy())
        received += m["received"]
        np.testing.assert_array_equal(np.sum(sent, 0), received + on_its_way)
        by_parent = np.zeros_like(m["sold"])
        np.add.at(by_parent.T, layout.parent[edges], sent[-1][:, edges].T)
        inner = layout.num_children > 0
        np.testing.assert_array_equal(by_parent[:, inner], m["sold"][:, inner])
        assert (sent[-1] <= before["owed"] + m["order"]).all()
        np.testing.assert_array_equal(network.owed, before["owed"] + m["order"] - sent[-1])
        waiting = np.zeros_like(m["sold"])
        np.add.at(waiting.T, layout.parent[edges], network.owed[:, edges].T)
        np.testing.assert_array_equal(waiting[:, inner], m["backlog"][:, inner])
        # due after the lead time, or one period later
        if len(sent) > c.lead_time:
            np.testing.assert_array_equal(m["received"] + m["slipped"], sent[-1 - c.lead_time] + before["late"])


@given(trees(), configs(), st.integers(0, 2**31))
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_copies_are_single_runs(tree: Tree, options: dict[str, Any], seed: int) -> None:
    seeds = [seed, seed + 1, seed + 2]
    batch = on_tree(tree, num_envs=3, **options)
    singles = [on_tree(tree, num_envs=1, **options) for _ in seeds]
    rng = np.random.default_rng(seed)
    step = batch.reset(seeds)
    alone = [single.reset([s]) for single, s in zip(singles, seeds, strict=True)]
    for _ in range(batch.horizon + 2):
        for b in range(3):
            for field in ("obs", "mean_action", "reward", "final_obs"):
                both = getattr(step, field), getattr(alone[b], field)
                if both[0] is not None:
                    np.testing.assert_array_equal(both[0][b], both[1][0])
            for name in step.metrics:
                np.testing.assert_array_equal(step.metrics[name][b], alone[b].metrics[name][0])
        actions = random_actions(batch, rng)
        step = batch.step(actions)
        alone = [single.step(actions[[b]]) for b, single in enumerate(singles)]


@pytest.mark.parametrize("name", ["30", "100"])
@pytest.mark.parametrize("options", [{}, {"ending": "finite", "lead_time": 3, "types": "node"}])
def test_the_checker_passes(name: str, options: dict[str, Any]) -> None:
    check(lambda: make(name, num_envs=2, horizon=12, **options), episodes=2)


def test_continuous_and_shared_pass_the_checker() -> None:
    check(lambda: make(num_envs=2, horizon=9, action_mode="continuous", reward="mean"), episodes=2)
    check(lambda: make("50", num_envs=2, horizon=9, action_mode="order_up_to", types="agent"), episodes=2)


def test_gymnasiums_checker_passes() -> None:
    check_env(gym.make("mfmarl/InventoryNetwork-v0", seed=0, horizon=8).unwrapped, skip_render_check=True)


def test_a_network_is_drawn_by_echelon() -> None:
    view = gym.make("mfmarl/InventoryNetwork-v0", render_mode="ansi", seed=0)
    assert view.reset()[0].shape == (30, 32 + 11)
    view.step(np.full(30, 4))
    drawn: Any = view.render()
    rows = {line.split()[0]: line.split() for line in drawn.splitlines()[2:7]}
    assert {name: row[1] for name, row in rows.items()} == dict(zip(
        [f"echelon_{k}" for k in range(5)], ["3", "3", "6", "9", "9"], strict=True
    ))  # fmt: skip
    # an echelon's price is depth + 2; the factory sold what node 1 ordered
    assert (rows["echelon_0"][6], rows["echelon_0"][7], rows["echelon_0"][9]) == ("60.00", "60.00", "2.00")


def test_continuous_mean_actions_are_those_of_the_neighbours() -> None:
    network = on_tree({0: [1, 2], 1: [3]}, num_envs=2, action_mode="continuous", horizon=4)
    actions = np.array([[0.5, 0.25, 0.75, 1], [0, 1, 1, 0.5]], np.float32)
    step = network.step(actions)
    assert step.mean_action[..., 0].tolist() == [[0.5, 0.75, 0.5, 0.25], [1, 0.25, 0, 1]]
    assert step.metrics["order"].tolist() == [[50, 25, 75, 100], [0, 100, 100, 50]]


def test_order_up_to_counts_what_the_parent_owes() -> None:
    network = on_tree(CHAIN, initial_stock=0, slip=0.0, action_mode="order_up_to", action_grid=(0, 40, 150))
    with_customers(network, [[5]] * 3)
    assert network.step(np.array([[0, 1]])).metrics["order"].tolist() == [[0, 40]]
    # the shop has nothing but an order of 40 that waits, and owes 5; the factory owes 40
    assert network.inventory_position.tolist() == [[-40, 35]]
    step = network.step(np.array([[1, 1]]))
    assert step.metrics["order"].tolist() == [[80, 5]]
    # 5 were ordered for the 5 that the first customers wait for; the second ones are counted from now on
    assert network.inventory_position.tolist() == [[35, 35]]
    assert network.step(np.array([[2, 2]])).metrics["order"].tolist() == [[100, 100]]


def test_finite_games_end_with_a_worth() -> None:
    options: dict[str, Any] = {"ending": "finite", "horizon": 1, "terminal_value": 0.5, "action_grid": (0, 7)}
    network = on_tree(CHAIN, initial_stock=10, **options, **CALM)
    with_customers(network, [[4]])
    step = network.step(np.array([[1, 1]]))
    assert step.terminated.all()
    assert not step.truncated.any()
    # the factory has 3 left of 10 and 7 on their way; the shop 6, and 7 on their way
    assert step.metrics["ledger/terminal_value"].tolist() == [[0.5 * 1 * 10, 0.5 * 2 * 13]]
    assert step.reward.tolist() == [[14 - 7 - 6 + 5, 12 - 14 - 4.5 + 13]]
    assert step.final_obs is not None
    assert [e.name for e in network._observed.entries][23] == "time"
    assert (step.final_obs[..., 23] == 1).all()
    assert (step.obs[..., 23] == 0).all()


def test_reference_policies_play() -> None:
    found = {}
    for name in ("random", "constant", "base_stock"):
        network = make(num_envs=4, horizon=60, demand_mode="poisson")
        policy: Any = reference_policy(name, network, 0)  # type: ignore[arg-type]  # its settings are the network's
        metrics = EpisodeMetrics(4, 30, 0.99)
        rows, step = None, network.reset(5)
        while rows is None:
            step = network.step(policy(step))
            rows = metrics.add(step)
        found[name] = rows
    assert found["base_stock"]["profit"].mean() > found["random"]["profit"].mean()
    # orders equal to mean demand meet it on average; upstream the order is four customers' demand
    ordered = found["constant"]["order"].mean(0).reshape(10, 3)
    np.testing.assert_array_equal(ordered[:, 0], [20] * 2 + [10] * 3 + [5] * 5)
    # upstream demand is constant, so that only customers' demand has a variance to divide by
    assert (found["constant"]["bullwhip"][:, 18:] == 0).all()
    assert np.isnan(found["constant"]["bullwhip"][:, :18]).all()


@pytest.mark.parametrize("name", PUBLISHED)
def test_mean_demand_adds_up_the_tree(name: str) -> None:
    preset = {"5-node": "50", "7-node": "70", "10-node": "100", "25-node": "100-wide"}[name]
    network = make(preset)
    mean = 5.0 if name == "25-node" else 15.0
    leaves = network.tree.leaves.size
    assert network.parameters.mu[0] == mean * leaves
    # no published factory is asked for more than it can order on average
    assert network.parameters.mu[0] < network.config.order_cap


def test_a_tree_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "tree.yaml"
    path.write_text("children: {mill: [shop_a, shop_b]}")
    network = envs.make("inventory/network", tree=str(path), products=2, seed=0)
    assert isinstance(network, InventoryNetwork)
    assert network.num_agents == 6
    assert network.agent_names[-1] == "shop_b/product_1"


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("network", {"tree": "9-node"}, "9-node: there is no such file"),
        ("network-30", {"num_agents": 31}, "num_agents is 31, but 10 nodes x 3 products are 30: leave it out"),
        ("network-30", {"initial_stock": 101}, "initial_stock 101 is above stock_cap 100"),
        ("network-30", {"lead_time": 0}, "environment option lead_time: .*greater than or equal to 1; got 0"),
        ("network-30", {"slip": 1.5}, "environment option slip: .*; got 1.5"),
        ("network-30", {"holding_cost": -1}, "environment option holding_cost: .*; got -1"),
        ("network-30", {"demand_amplitude": 16}, "demand_amplitude 16 is above the mean 15"),
        ("network-30", {"demand_mode": "uniform", "demand_low": 31}, "demand_low 31 is above demand_high 30: swap"),
        ("network-30", {"demand_mode": "window"}, "demand_mode is window, .*: set `sales` to a table"),
        ("network-30", {"sales": "x.csv"}, "`sales` is recorded: choose window, series or bootstrap"),
        ("network-30", {"action_mode": "absolute", "order_cap": 50}, "action_grid has 100, above order_cap 50"),
        ("network-30", {"horizon": 100_000, "order_cap": 1000, "season_period": 9}, "backlog could grow to .* shorten"),
        ("network-30", {"types": "depth"}, "environment option types: .*'echelon', 'node' or 'agent'"),
        ("network-30", {"lead": 2}, "unknown environment option 'lead'"),
    ],
)  # fmt: skip
def test_refusals(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        envs.make(f"inventory/{name}", **({"seed": 0} | options))


def test_bad_actions_are_refused_by_name() -> None:
    network = make(num_envs=2)
    actions = np.zeros((2, 30), int)
    actions[1, 29] = 11
    with pytest.raises(ValueError, match=r"node_9/product_2 \(agent 29, copy 1\): action 11 is outside 0\.\.10"):
        network.step(actions)
    with pytest.raises(ValueError, match=r"actions are float64; the network needs whole numbers 0\.\.10"):
        network.step(np.zeros((2, 30)))
    with pytest.raises(ValueError, match=r"actions have shape \(30,\); the network needs \(2, 30\)"):
        network.step(actions[0])
    shares = np.zeros((2, 30), np.float32)
    shares[0, 3] = np.nan
    with pytest.raises(ValueError, match=r"node_1/product_0 \(agent 3, copy 0\): action nan is outside 0\.\.1"):
        make(num_envs=2, action_mode="continuous").step(shares)


def test_the_state_of_another_network_is_refused() -> None:
    with pytest.raises(ValueError, match=r"pipeline \(1, 1, 50\), this one has \(1, 1, 30\)"):
        make().set_state(make("50").get_state())
