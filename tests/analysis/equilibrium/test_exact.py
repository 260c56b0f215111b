"""Exact gaps of whatever is played, by one call: the reference table, trained networks, anchors, bad input."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from analysis.equilibrium.exact import exact_gaps, exact_profile, market_config
from analysis.equilibrium.gaps import Gaps
from analysis.equilibrium.leave_out import leave_type_out
from envs.inventory.closed_forms import newsvendor
from envs.inventory.config import MarketConfig
from envs.inventory.mean_field import Profile, mean_field, nash_conv, s_S_profile
from envs.inventory.mean_field.best_response import as_policy
from envs.inventory.mean_field.observer import Observer
from envs.inventory.types import TYPES, AgentType
from mfmarl.errors import UserError
from mfmarl.network import NetworkShape, PolicyNetwork
from mfmarl.policy import Policy

EASY = "inventory/market-easy"
PLAIN = {"jitter": 0.0}


def network(config: MarketConfig, seed: int = 0, **options: Any) -> Policy:
    """A random network a type whose actions hang on what it observes."""
    game = mean_field(config)
    bounds = [(10 * k, 10 * k + 10) for k in range(len(game.types))]
    settings = {"num_actions": game.types[0].levels.size, "hidden": (16, 16)} | options
    shape = NetworkShape(types=tuple(bounds), observations=Observer(game).size, **settings)
    net = PolicyNetwork(shape, seed)
    with torch.no_grad():
        for stack in (net.mlp, net.predictor):
            if stack is not None:
                stack.weights[-1].mul_(200.0)
    return Policy(net)


def share_of_value(gaps: Gaps) -> float:
    value = sum(one.share * one.base.value for one in gaps.types)
    return gaps.nash_conv.value / abs(value)


@pytest.mark.parametrize(
    ("name", "value", "share"),
    [("random", -720.41, 2.7199), ("base_stock", 1350.37, 0.13508)],
)
def test_reference_policies_have_the_tables_gaps(name: str, value: float, share: float) -> None:
    gaps = exact_gaps(EASY, name, options=PLAIN)
    assert sum(one.share * one.base.value for one in gaps.types) == pytest.approx(value, abs=0.01)
    assert share_of_value(gaps) == pytest.approx(share, rel=1e-3)
    assert (gaps.by, gaps.what) == ("exact", "unilateral gap")
    assert all(one.best.value == pytest.approx(one.base.value + one.gap.value) for one in gaps.types)


# the specification has .24 %; the planner's 19 % are held by tests/envs/inventory/mean_field/test_easy.py
def test_the_equilibrium_has_the_tables_gap() -> None:
    equilibrium = exact_gaps(EASY, "equilibrium", options=PLAIN)
    assert 0.0022 < share_of_value(equilibrium) < 0.0029
    # among few agents each counts its own weight, and the equilibrium of infinitely many is none
    profile = exact_profile(mean_field(market_config(EASY, PLAIN)), "equilibrium").profile
    few = exact_gaps(EASY, profile, options=PLAIN, num_agents=30)
    assert few.nash_conv.value > equilibrium.nash_conv.value
    assert "of 30 agents" in few.notes[0]


def test_decoupled_equilibrium_and_planner_are_one_without_a_gap() -> None:
    for name in ("equilibrium", "planner"):
        gaps = exact_gaps("inventory/market-decoupled", name, options=PLAIN | {"horizon": 9})
        assert abs(gaps.nash_conv.value) < 1e-6


def test_newsvendor_has_no_gap() -> None:
    kind = AgentType(mu=20, p0=10, c=4, h=0, L=0, delta=1)
    config = MarketConfig(
        types={"news": kind}, jitter=0, congestion=0, price_coupling=0, horizon=3, initial_stock=0, stock_cap=3,
        action_mode="absolute", action_grid=tuple(range(10, 31)),
    )  # fmt: skip
    exact = newsvendor(mu=20, p=10, c=4)
    game = mean_field(config)
    profile = Profile(tuple(as_policy(k, np.full((3, k.size), round(exact.quantity) - 10)) for k in game.types))
    gaps = exact_gaps(config, profile)
    assert abs(gaps.nash_conv.value) < 1e-6
    assert gaps.types[0].base.value == pytest.approx(exact.profit * (1 + 0.99 + 0.99**2), abs=1e-4)
    for level in (20, 22):
        other = Profile(tuple(as_policy(k, np.full((3, k.size), level - 10)) for k in game.types))
        assert exact_gaps(config, other).nash_conv.value > 1


def test_a_network_that_sees_its_stock_alone_is_that_rule() -> None:
    config = MarketConfig(types={name: TYPES[name] for name in ("convenience", "fresh")}, jitter=0, horizon=8)
    policy = network(config, mean_action="none")
    with torch.no_grad():
        policy.network.mlp.weights[0][:, 1:] = 0.0
    game = mean_field(config)
    rules = []
    for k, kind in enumerate(game.types):
        obs = np.zeros((kind.size, policy.network.shape.observations), np.float32)
        obs[:, 0] = np.minimum(kind.positions.astype(np.float32) * np.float32(1 / (4 * kind.agent.mu)), 2.5)
        probs = policy.probs_of_type(k, obs, np.zeros(11), np.zeros((2, 11))).astype(float)
        rules.append(np.broadcast_to(probs / probs.sum(-1, keepdims=True), (8, kind.size, 11)))
    rule = nash_conv(game, Profile(tuple(rules)))
    gaps = exact_gaps(config, policy)
    np.testing.assert_allclose([one.gap.value for one in gaps.types], rule.gaps, atol=1e-5)
    np.testing.assert_allclose([one.base.value for one in gaps.types], rule.evaluation.values, atol=1e-5)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"sharing": "all"},
        {"mean_action": "scalar", "by_type": True},
        {"by_type": True},
        {"law": "softmax", "predictor": "obs_and_last", "mean_action": "scalar"},
        {"predictor": "obs", "by_type": True},
    ],
)
def test_laws_of_a_type_are_those_of_its_agents(options: dict[str, Any]) -> None:
    policy = network(MarketConfig(jitter=0.0), seed=3, **options)
    policy.network.temperature.fill_(0.5)
    policy.network.epsilon.fill_(0.1)
    rng = np.random.default_rng(0)
    obs = rng.random((1, 30, policy.network.shape.observations), np.float32)
    # everyone of a type plays alike and so does every type, so that leaving oneself out changes no mean
    action = np.full((1, 30), 4)
    mean = np.eye(11, dtype=np.float32)[action]
    probs = policy.probs(obs, mean, action)
    for k in range(3):
        part = slice(10 * k, 10 * k + 10)
        mine = policy.probs_of_type(k, obs[0, part], mean[0, 0], np.repeat(mean[0, :1], 3, 0))
        np.testing.assert_allclose(mine, probs[0, part], atol=2e-6)


def test_trained_policies_get_an_audit() -> None:
    config = market_config(EASY, {"jitter": 0.0, "horizon": 13})
    policy = network(config, seed=1)
    gaps = exact_gaps(config, policy)
    assert [one.type_name for one in gaps.types] == ["convenience", "supermarket", "discounter"]
    assert all(one.gap.value > 0 for one in gaps.types)
    assert "how N agents' means scatter" in gaps.notes[1]
    # what they gain is what the profile's agents gain
    profile = exact_profile(mean_field(config), policy).profile
    again = exact_gaps(config, profile)
    assert [one.gap for one in again.types] == [one.gap for one in gaps.types]


@pytest.mark.parametrize("played", ["network", "base_stock"])
def test_leave_type_out(played: str) -> None:
    config = market_config(EASY, {"jitter": 0.0, "horizon": 13})
    who = network(config, seed=2) if played == "network" else played
    found = leave_type_out(config, who, "supermarket")
    whole = exact_gaps(config, who)
    assert [one.type_name for one in found.with_it.types] == ["convenience", "discounter"]
    assert found.with_it.types == (whole.types[0], whole.types[2])
    assert sum(one.share for one in found.without_it.types) == pytest.approx(1)
    assert set(found.changes) == {"convenience", "discounter"}
    assert max(map(abs, found.changes.values())) > 0.01
    # without couplings it is all the same who else is there
    apart = market_config("inventory/market-decoupled", {"jitter": 0.0, "horizon": 13})
    rule = s_S_profile(mean_field(apart), [(18, 18), (24, 46), (30, 73)])
    assert leave_type_out(apart, rule, "supermarket").changes == pytest.approx({"convenience": 0, "discounter": 0})


def test_leave_type_out_is_the_smaller_market() -> None:
    config = market_config(EASY, {"jitter": 0.0, "horizon": 13})
    rest = config.model_copy(update={"types": {n: k for n, k in config.types.items() if n != "discounter"}})
    found = leave_type_out(config, "base_stock", "discounter").without_it
    alone = exact_gaps(rest, "base_stock")
    assert [one.gap.value for one in found.types] == pytest.approx([one.gap.value for one in alone.types])


def test_what_has_no_exact_gap_says_what_to_use() -> None:
    config = MarketConfig(jitter=0.0, horizon=4)
    for played, what in (
        (network(config, num_actions=None, law="squashed_gaussian", mean_action="scalar"), "continuous actions"),
        (network(config, sharing="agent"), "one network an agent"),
        ("myopic", "myopic looks at more than an agent's own stock"),
    ):
        with pytest.raises(ValueError, match=rf"{what}.*audit (it )?by learned and bound"):
            exact_gaps(config, played)
    with pytest.raises(ValueError, match=r"network-30 has no exact mean field.*audit it by learned"):
        exact_gaps("inventory/network-30", "random")
    with pytest.raises(ValueError, match=r"set shock_sigma=0"):
        exact_gaps("inventory/market-hard", "random")
    with pytest.raises(ValueError, match=r"grid of positions would bind .*learned and bound"):
        exact_gaps(EASY, "random", options={"unmet": "backlog"})


def test_bad_input_is_refused_with_what_there_is() -> None:
    config = MarketConfig(jitter=0.0, horizon=4)
    with pytest.raises(ValueError, match=r"unknown environment 'inventory/market-eazy': did you mean"):
        exact_gaps("inventory/market-eazy", "random")
    with pytest.raises(ValueError, match=r"unknown reference policy 'base_stok': did you mean 'base_stock'"):
        exact_gaps(config, "base_stok")
    with pytest.raises(ValueError, match=r"have 3 types, .* this market has 4"):
        exact_gaps("inventory/market-medium", network(config))
    with pytest.raises(UserError, match=r"unknown type 'supermarkt'.*supermarket.*convenience"):
        leave_type_out(config, "random", "supermarkt")
    alone = config.model_copy(update={"types": {"supermarket": config.types["supermarket"]}})
    with pytest.raises(UserError, match="only type"):
        leave_type_out(alone, "random", "supermarket")
