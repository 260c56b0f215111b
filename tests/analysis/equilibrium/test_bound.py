"""Upper bounds of markets: closed forms, the exact best response, and rules that try to beat them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray

import envs
from analysis.equilibrium.bound import Maker, bound_gaps, bounds
from analysis.equilibrium.exact import exact_gaps
from analysis.equilibrium.gaps import TypeGap
from analysis.equilibrium.market_bound import agent_of
from analysis.equilibrium.relaxed import TypeBounds, estimated, paired_gap
from envs.inventory.closed_forms.newsvendor import newsvendor, newsvendor_profit
from envs.inventory.market import InventoryMarket
from envs.inventory.mean_field import base_stock_profile, best_response, mean_field, nash_conv
from envs.inventory.reference import reference_policy
from envs.inventory.reference.playing import NearestLevel
from envs.inventory.types import TYPES, AgentType
from envs.population import PopulationEnv, Step
from mfmarl.errors import UserError
from mfmarl.yardstick import Play, Player


def maker(name: str, agents: int, **options: Any) -> Maker:
    return lambda copies: envs.make(f"inventory/market-{name}", num_envs=copies, num_agents=agents, seed=0, **options)


def rule(name: str) -> Player:
    return lambda env, seed: reference_policy(name, cast(Any, env), seed)


def always(action: int) -> Player:
    return lambda env, seed: lambda step: np.full((env.num_envs, env.num_agents), action)


def test_newsvendor() -> None:
    # one period's order, all of it gone afterwards; the price does not move
    mu, p, c, ell, periods, gamma = 8.0, 9.0, 4.0, 0.5, 6, 0.95
    shop = AgentType(mu=mu, p0=p, c=c, h=0.0, ell=ell, L=0, delta=1)
    make = maker(
        "decoupled", 4, jitter=0.0, horizon=periods, types={"shop": shop}, initial_stock=0.0,
        action_mode="absolute", action_grid=tuple(range(17)),
    )  # fmt: skip
    annuity = (1 - gamma**periods) / (1 - gamma)
    best = newsvendor(mu, p, c, ell=ell)
    for quantity in (best.quantity, best.quantity - 3):
        found = bounds(make, always(quantity), episodes=40, discount=gamma, agents=2).types[0]
        assert found.penalised is not None
        assert found.free is not None
        wanted = annuity * best.profit
        assert found.penalised.best.value == pytest.approx(wanted, abs=1e-5)
        assert found.penalised.best.high - found.penalised.best.low < 1e-6
        assert found.expected == pytest.approx(wanted, abs=1e-6)
        lost = annuity * (best.profit - newsvendor_profit(quantity, mu, p, c, ell=ell))
        assert found.penalised.gap.value == pytest.approx(lost, abs=1e-5)
        assert found.free.best.low > wanted
        assert found.smaller is found.penalised
        assert found.free.base.low < annuity * newsvendor_profit(quantity, mu, p, c, ell=ell) < found.free.base.high


def test_many_agents_come_to_the_exact_gap_and_the_penalties_are_what_does_it() -> None:
    make = maker("easy", 2_000, jitter=0.0)
    config = cast(InventoryMarket, make(1)).config
    exact = exact_gaps(config, "base_stock", num_agents=2_000)
    found = bounds(make, rule("base_stock"), episodes=16, agents=12, seed=1)
    for one, of_n in zip(found.types, exact.types, strict=True):
        gap, value = of_n.gap.value, of_n.base.value
        assert one.penalised is not None
        assert one.free is not None
        assert gap < one.penalised.gap.high
        assert one.penalised.gap.value < gap + 0.005 * value
        assert one.free.gap.value > gap + 0.03 * value
        # what the best response to expected prices earns, and what stands above it
        assert one.expected == pytest.approx(gap + value, rel=0.001)
        assert one.expected < one.penalised.best.high < one.expected + 0.005 * value
        assert one.free.base.low < value < one.free.base.high
        assert one.penalised.base.value == pytest.approx(value, rel=0.005)
    total = found.gaps.nash_conv
    assert exact.nash_conv.value < total.high
    assert total.low < total.value < exact.nash_conv.value + 4
    # prices expected as the forward pass has them: the same, without a pilot
    game = mean_field(config)
    path = nash_conv(game, base_stock_profile(game)).evaluation.path
    given = bound_gaps(make, rule("base_stock"), episodes=16, agents=12, seed=1, path=path)
    assert given.nash_conv.value == pytest.approx(total.value, abs=2)


class Deviator:
    """Base stock for all; agent `who` orders up to a level of its own."""

    def __init__(self, who: int, level: float) -> None:
        self._who, self._level = who, level

    def __call__(self, env: PopulationEnv, seed: int) -> Play:
        market = cast(InventoryMarket, env)
        base = reference_policy("base_stock", market, seed)
        nearest = NearestLevel(market.order_levels)

        def act(step: Step) -> NDArray[Any]:
            actions = base(step)
            wanted = np.maximum(self._level - market.inventory_position, 0.0)
            actions[:, self._who] = nearest(wanted.astype(float))[:, self._who]
            return actions

        return act


def returns_of(env: InventoryMarket, player: Player, who: int, discount: float) -> NDArray[np.float64]:
    step, total = env.reset(99), np.zeros(env.num_envs)
    play = player(env, 1)
    for t in range(env.horizon):
        step = env.step(play(step))
        total += discount**t * step.reward[:, who]
    return total


def test_the_best_response_played_among_few_earns_what_is_expected_and_less_than_the_bound() -> None:
    make = maker("easy", 20, jitter=0.0)
    found = bounds(make, rule("base_stock"), episodes=64, agents=20, types=["supermarket"]).types[0]
    assert found.penalised is not None
    assert found.expected is not None
    copies = 1_500
    env = cast(InventoryMarket, make(copies))
    game = mean_field(env.config)
    exact = nash_conv(game, base_stock_profile(game))
    who = int(np.flatnonzero(env.agent_types == 1)[0])
    answer = best_response(game, exact.evaluation.path, 1).actions
    base, step = reference_policy("base_stock", env, 0), env.reset(7)
    total = np.zeros((copies, 2))
    for t in range(env.horizon):
        actions = base(step)
        stock = env.stock[:, who] + env.pipeline[(t - 1) % len(env.pipeline)][:, who]
        actions[:, who] = answer[t, stock.astype(int)]
        step = env.step(actions, observe=False)
        total += 0.99**t * step.reward[:, [who, who + 1]]
    earned, error = total[:, 0].mean(), total[:, 0].std() / np.sqrt(copies)
    # the answer does not see its own weight in the prices, which the expected one does
    assert found.expected - 25 < earned < found.expected + 4 * error
    assert earned - 4 * error < found.penalised.best.low
    assert found.penalised.base.value == pytest.approx(total[:, 1].mean(), abs=8)


@pytest.mark.parametrize(
    ("lead", "options"),
    [
        (0, {}),
        (1, {"price_signal": "orders", "ending": "finite"}),
        (2, {"price_signal": "stock"}),
        (1, {"unmet": "backlog"}),
        (2, {"unmet": "backlog", "stock_cap": 4.0}),
        (1, {"action_mode": "continuous"}),
        (1, {"capacity": 1.0, "spill": 0.5}),
        (0, {"spill": 1.0, "initial_stock": 0.0}),
        (1, {"shock_sigma": 0.2}),
    ],
)
def test_no_rule_earns_more(lead: int, options: dict[str, Any]) -> None:
    shop = TYPES["supermarket"].model_copy(update={"L": lead, "mu": 5.0})
    chosen: dict[str, Any] = {"jitter": 0.0, "horizon": 16, "types": {"shop": shop}} | options
    make = maker("easy", 6, **chosen)
    found = bounds(make, rule("base_stock"), episodes=100, discount=0.97, seed=5).types[0]
    assert (found.penalised is None) == ("shock_sigma" in options)
    env = cast(InventoryMarket, make(225))
    if options.get("action_mode") == "continuous":
        # orders are shares of the largest: plain base stock against it
        earned = [returns_of(env, rule("base_stock"), 0, 0.97)]
    else:
        earned = [returns_of(env, Deviator(0, level), 0, 0.97) for level in (0, 8, 15, 30)]
    for side in (found.free, found.penalised):
        if side is not None:
            for total in earned:
                assert total.mean() - 3 * total.std() / 15 < side.best.high
    if found.free is not None and found.penalised is not None:
        assert found.penalised.best.low < found.free.best.high


def test_agents_that_differ_are_bounded_one_by_one() -> None:
    make = maker("easy", 12, horizon=10)
    found = bounds(make, rule("base_stock"), episodes=8, agents=2, types=["discounter", "supermarket"])
    assert [cast(TypeGap, one.penalised).type_name for one in found.types] == ["supermarket", "discounter"]
    assert "drawn at random: 2 of 5 agents of supermarket, 2 of 3 agents of discounter" in found.notes
    env = cast(InventoryMarket, make(1))
    assert agent_of(env.parameters, 0).mu == env.parameters.mu[0]
    assert agent_of(env.parameters, 11).p0 == env.parameters.p0[11]
    whole = bounds(make, rule("base_stock"), episodes=8, agents=12)
    for one in whole.types:
        gap = one.smaller.gap
        assert 0 < gap.low < gap.value < gap.high


def test_intervals() -> None:
    rows = np.array([[1.0, 3.0], [2.0, 6.0], [3.0, 9.0]])
    plain = estimated(rows)
    # means 2, 4, 6 of three episodes: t_.975,2 = 4.303, standard error 2 / sqrt(3)
    assert (plain.value, plain.high) == (4.0, pytest.approx(4 + 4.3027 * 2 / np.sqrt(3), rel=1e-4))
    assert estimated(rows, 2) == plain
    wider = estimated(rows, 10)
    half = np.hypot(4.3027 * 2 / np.sqrt(3), 12.7062 * np.std([2, 6], ddof=1) * np.sqrt(0.8 / 2))
    assert wider.low == pytest.approx(4 - half, rel=1e-4)


def test_the_smaller_one_is_used_and_the_penalised_one_in_doubt() -> None:
    low, high = (paired_gap("shop", 1.0, np.zeros((3, 1)), np.array([[x], [x + 0.1], [x - 0.1]])) for x in (1.0, 5.0))
    assert TypeBounds(low, high).smaller is low
    assert TypeBounds(high, low).smaller is low
    assert TypeBounds(high, None).smaller is high
    near = paired_gap("shop", 1.0, np.zeros((3, 1)), np.array([[1.05], [1.1], [0.9]]))
    assert TypeBounds(low, near).smaller is near
    with pytest.raises(ValueError, match="no upper bound: too large"):
        _ = TypeBounds(None, None, "too large").smaller


def refused(make: Maker, **arguments: Any) -> Callable[[], object]:
    return lambda: bounds(make, rule("base_stock"), **({"episodes": 2} | arguments))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (refused(maker("easy", 6), types=["discountr"]), UserError, "'discountr'.*did you mean.*discounter"),
        (refused(maker("easy", 6), episodes=1), ValueError, "episodes is 1"),
        (refused(maker("easy", 6), agents=0), ValueError, "agents 0; an interval takes 2 episodes and 1 agent"),
        (refused(maker("easy", 6), discount=0.0), ValueError, "discount is 0"),
        (refused(maker("easy", 6, action_mode="order_up_to", unmet="backlog")), ValueError, "there is no upper bound"),
        (refused(lambda copies: envs.make("games/prisoners-dilemma", num_envs=copies)), ValueError, "this is"),
    ],
)
def test_refusals(call: Callable[[], object], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
