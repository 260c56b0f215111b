"""N agents approach the mean field as C/N, with the constant that is worked out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from pydantic import TypeAdapter

from analysis.equilibrium.exact import exact_gaps, exact_profile, market_config
from analysis.equilibrium.finite_agents import finite_agents, sizes_of
from analysis.equilibrium.rates import FiniteAgents, Size, fitted_rates, in_words
from envs.inventory.config import MarketConfig
from envs.inventory.mean_field import (
    Observer,
    base_stock_profile,
    evaluate,
    finite_population_term,
    mean_field,
    random_profile,
    split,
)
from envs.inventory.types import TYPES
from envs.unsolvable import Unsolvable
from mfmarl.network import NetworkShape, PolicyNetwork
from mfmarl.policy import Policy

COMMON = (10, 30, 100, 300, 1000, 3000, 10_000)


def test_base_stock_among_few_agents_is_off_by_the_constant_over_n() -> None:
    config = MarketConfig(jitter=0.0, horizon=12)
    game = mean_field(config)
    profile = base_stock_profile(game)
    # a profile, or the policy's name
    found = finite_agents(config, "base_stock", sizes=(15, 30, 60), agents=60_000, seed=3)
    exact = float(game.shares @ finite_population_term(game, evaluate(game, profile)))
    by_n = found.rates[0]
    # 15, 30 and 60 agents have the preset's shares, so that one constant serves all
    assert abs(by_n.constant - exact) < 4 * by_n.constant_error
    assert by_n.constant_error < 0.1 * abs(exact)
    assert by_n.p_value > 0.001
    assert all(one.limit == pytest.approx(evaluate(game, profile).mean) for one in found.sizes)
    assert finite_agents(config, profile, sizes=(15, 30, 60), agents=60_000, seed=3) == found


def network(config: MarketConfig, **options: Any) -> Policy:
    """Random networks a type, made for 7 agents of each, whose actions hang on what they observe."""
    game = mean_field(config)
    shape = NetworkShape(
        types=tuple((7 * k, 7 * k + 7) for k in range(len(game.types))), observations=Observer(game).size,
        **{"num_actions": game.types[0].levels.size, "hidden": (8, 8)} | options,
    )  # fmt: skip
    net = PolicyNetwork(shape, seed=4)
    with torch.no_grad():
        net.mlp.weights[-1].mul_(200.0)
    return Policy(net)


@pytest.mark.parametrize("options", [{}, {"sharing": "all", "predictor": "obs"}])
def test_trained_policies_come_to_their_limit_as_n_grows(options: dict[str, Any]) -> None:
    kinds = {name: TYPES[name] for name in ("convenience", "supermarket")}
    config = MarketConfig(types=kinds, jitter=0.1, horizon=8, congestion=0.8)
    policy = network(config, **options)
    found = finite_agents(config, policy, sizes=(11, 33, 1100), agents=44_000, seed=5)
    exact = exact_gaps(config, policy)
    limit = sum(one.share * one.base.value for one in exact.types)
    assert [one.limit for one in found.sizes] == pytest.approx([limit] * 3)
    few, _, many = found.sizes
    assert abs(few.gap) > 15 * few.error
    assert abs(many.gap) < 4 * many.error < 0.3 * abs(few.gap)
    by_n, by_root, _ = found.rates
    assert by_root.p_value < 0.001 < by_n.p_value
    # what their limit leaves out is told
    assert found.notes == exact_profile(mean_field(config), policy).notes


def test_the_limit_has_the_shares_that_agents_have() -> None:
    config = MarketConfig(jitter=0.0, horizon=4)
    profile = random_profile(mean_field(config))
    found = finite_agents(config, profile, sizes=(7, 15, 16), agents=200)
    for one in found.sizes:
        assert one.limit == pytest.approx(evaluate(mean_field(split(config, one.num_agents)), profile).mean)
    assert len({one.limit for one in found.sizes}) == 3


def test_sizes_split_the_shares_into_whole_agents() -> None:
    easy = market_config("inventory/market-easy")
    assert sizes_of(easy) == (15, 30, 105, 300, 1005, 3000, 10_005)
    assert sizes_of(split(easy, 100)) == (100, 300, 1000, 3000, 10_000)
    kinds = {name: TYPES[name].model_copy(update={"share": share}) for name, share in (("fresh", 1), ("online", 1e-6))}
    rare = MarketConfig(types=kinds, horizon=4)
    with pytest.raises(Unsolvable, match="so rare"):
        finite_agents(rare, "random")
    with pytest.raises(ValueError, match="among 30 agents there is no online"):
        finite_agents(rare, "random", sizes=(30, 300, 3000))
    # of shares that only 9973 agents split
    kinds["online"] = TYPES["online"].model_copy(update={"share": 1500 / 8473})
    assert sizes_of(MarketConfig(types=kinds)) == COMMON


@pytest.mark.parametrize("power", [-1.0, -0.5])
def test_the_power_that_gaps_follow_is_found(power: float) -> None:
    rng = np.random.default_rng(0)
    n = np.array(COMMON)
    covered = 0
    for _ in range(200):
        errors = 0.02 * 100.0 * n**power
        gaps = 100.0 * n**power + errors * rng.normal(size=n.size)
        sizes = [Size(int(k), 10**6, float(g), float(e), 0.0) for k, g, e in zip(n, gaps, errors, strict=True)]
        by_n, by_root, free = fitted_rates(sizes)
        covered += abs(free.power - power) < 1.96 * free.power_error
        right, wrong = (by_n, by_root) if power == -1 else (by_root, by_n)
        assert wrong.p_value < 1e-6 < right.p_value
    assert 175 <= covered <= 200


def test_p_values_hold_for_errors_from_few_copies() -> None:
    rng = np.random.default_rng(1)
    beyond = 0
    for _ in range(200):
        drawn = 50.0 / np.array(COMMON) + rng.normal(size=(8, len(COMMON)))
        errors = drawn.std(0, ddof=1) / 8**0.5
        sizes = [Size(k, 8, float(v), float(e), 0.0) for k, v, e in zip(COMMON, drawn.mean(0), errors, strict=True)]
        beyond += fitted_rates(sizes)[0].p_value < 0.05
    # 10 +- 3 by right; 34 where 8 copies count as infinitely many
    assert beyond < 22


def exactly(gaps: Any, error: float = 0.01) -> list[Size]:
    return [Size(n, 1000, float(gap), error, 0.0) for n, gap in zip(COMMON, gaps(np.array(COMMON, float)), strict=True)]


def test_rates_in_words() -> None:
    by_n = in_words(exactly(lambda n: -300 / n))
    assert by_n.startswith("C/N describes the gaps (C = -300 ± 0 $, p = 1), C/sqrt(N) does not (p < .001); fitted pow")
    assert by_n.endswith("power -1.00 ± 0.00")
    assert in_words(exactly(lambda n: 300 / n**0.5)).startswith("C/sqrt(N) describes the gaps")
    # the smallest have not come to the rate yet
    assert in_words(exactly(lambda n: 300 / n + 1000 / n**2)).startswith("from N = 100 on C/N describes the gaps")
    assert in_words(exactly(lambda n: 1 / n, 10.0)).startswith("the values do not differ from the limit by more than")
    unclear = in_words(exactly(lambda n: 10 / n, 0.3))
    assert unclear.startswith("the distances from the limit are too small against their errors to tell C/N (p =")
    assert in_words(exactly(lambda n: 5 + 0 * n)).startswith("neither C/N nor C/sqrt(N) describes the gaps; fitted")


def test_what_was_found_is_kept_as_json() -> None:
    kind = TypeAdapter(FiniteAgents)
    sizes = tuple(exactly(lambda n: -300 / n)[-3:])
    found = FiniteAgents(sizes, fitted_rates(sizes), ("what is left out",))
    assert kind.validate_json(kind.dump_json(found)) == found
    # two parameters through two gaps leave nothing to judge the fit by, and no p value to be kept
    with pytest.raises(ValueError, match="2 sizes: a rate wants 3"):
        fitted_rates(sizes[:2])


def test_bad_input_is_told() -> None:
    config = MarketConfig(jitter=0.0, horizon=4)
    profile = base_stock_profile(mean_field(config))
    for sizes in ((10, 30), (10, 30, 30), (1, 10, 30)):
        with pytest.raises(ValueError, match="3 or more"):
            finite_agents(config, profile, sizes=sizes)
    with pytest.raises(Unsolvable, match=r"one network an agent .sharing=agent.*train with sharing=type"):
        finite_agents(config, network(config, sharing="agent"))
    with pytest.raises(Unsolvable, match="continuous actions"):
        finite_agents(config, network(config, num_actions=None, law="squashed_gaussian", mean_action="scalar"))
    with pytest.raises(Unsolvable, match="myopic looks at more than an agent's own stock"):
        finite_agents(config, "myopic")
    with pytest.raises(ValueError, match="3 types do not serve 2"):
        network(config).network.among(((0, 3), (3, 5)))
    without_spread = [Size(n, 8, 1.0, 0.0, 0.0) for n in (10, 30, 100)]
    with pytest.raises(ValueError, match="no standard error"):
        fitted_rates(without_spread)


def test_a_market_without_chance_has_no_rate() -> None:
    config = MarketConfig(jitter=0.0, horizon=3, demand_mode="sell_all")
    with pytest.raises(Unsolvable, match="all 2666 copies of 15 agents earn the same"):
        finite_agents(config, "base_stock")
