"""The market: a period by hand, conservation and ledger under random play, copies, state, refusals."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import envs
from envs.inventory.backend import backend
from envs.inventory.config import MarketConfig
from envs.inventory.ledger import TERMS, UNITS
from envs.inventory.market import InventoryMarket, make_market
from envs.inventory.types import AgentType, Parameters
from envs.population import Step
from mfmarl.seeding import stream
from tests.envs.inventory.given import Reordered, with_demand


def make(name: str = "easy", **options: Any) -> InventoryMarket:
    given: dict[str, Any] = {"seed": 1} | options
    return cast(InventoryMarket, envs.make(f"inventory/market-{name}", **given))


def one_type(**parameters: Any) -> dict[str, AgentType]:
    return {"shop": AgentType.model_validate({"mu": 10, "p0": 12, "c": 6, "h": 0.5} | parameters)}


def random_actions(market: InventoryMarket, rng: np.random.Generator) -> NDArray[Any]:
    shape = (market.num_envs, market.num_agents)
    if market.config.action_mode == "continuous":
        return rng.random(shape, np.float32)
    return rng.integers(market.order_levels.shape[1], size=shape)


def sums_to_reward(step: Step) -> None:
    total = np.sum([step.metrics[name].astype(float) for name in TERMS], 0)
    size = np.sum([np.abs(step.metrics[name]) for name in TERMS], 0)
    assert (np.abs(total - step.reward) <= 2e-6 * np.maximum(size, 1)).all()


def test_two_lost_sales_periods_by_hand() -> None:
    types = one_type(K=5, ell=2, phi=0.1, L=1)
    market = make(num_agents=2, types=types, jitter=0.0, congestion=0.2, price_coupling=0.5)
    market.reset(0)
    with_demand(market, [[8, 25], [12, 4]])
    # initial stock 20 each; slope = .2 x 6 / 10 = .12 $/u per u; orders 10 and 40, mean 25
    step = market.step(np.array([[4, 10]]))
    # w = 6 + .12 (25 - 10) = 7.8; sold 8 and 20, mean 14; price = 12 (1 - .5 (14/10 - 1)) = 9.6
    metrics = step.metrics
    assert metrics["order"].tolist() == [[10, 40]]
    assert metrics["sold"].tolist() == [[8, 20]]
    assert metrics["lost"].tolist() == [[0, 5]]
    assert metrics["received"].tolist() == [[0, 0]]
    np.testing.assert_allclose(metrics["ledger/sales_revenue"], [[76.8, 192.0]], rtol=1e-6)
    np.testing.assert_allclose(metrics["ledger/purchase_cost"], [[-78.0, -312.0]], rtol=1e-6)
    np.testing.assert_allclose(metrics["ledger/order_cost"], [[-5.0, -5.0]])
    np.testing.assert_allclose(metrics["ledger/handling_cost"], [[-5.0, -80.0]], rtol=1e-6)
    np.testing.assert_allclose(metrics["ledger/holding_cost"], [[-6.0, 0.0]])
    np.testing.assert_allclose(metrics["ledger/lost_cost"], [[0.0, -10.0]])
    np.testing.assert_allclose(step.reward, [[-17.2, -215.0]], rtol=1e-6)
    # next period: 10 and 40 arrive; no orders: w falls to 6 - 1.2, nothing is paid; sold 12 and 4, mean 8
    step = market.step(np.array([[0, 0]]))
    assert step.metrics["received"].tolist() == [[10, 40]]
    assert step.metrics["stock"].tolist() == [[10, 36]]
    # price = 12 (1 - .5 (.8 - 1)) = 13.2
    np.testing.assert_allclose(step.reward, [[12 * 13.2 - 0.5 * 10, 4 * 13.2 - 0.5 * 36]], rtol=1e-6)


def test_backlog_by_hand() -> None:
    types = one_type(b=3, L=0)
    market = make("decoupled", num_agents=2, types=types, jitter=0.0, unmet="backlog", initial_stock=0.5)
    market.reset(0)
    with_demand(market, [[8, 2], [1, 1], [0, 0]])
    # stock 5 each: 3 of 8 wait; 3 are left of 5
    step = market.step(np.array([[0, 0]]))
    assert step.metrics["backlog"].tolist() == [[3, 0]]
    assert step.metrics["lost"].tolist() == [[0, 0]]
    np.testing.assert_allclose(step.reward, [[12 * 5 - 3 * 3, 12 * 2 - 0.5 * 3]])
    assert market.inventory_position.tolist() == [[-3, 3]]
    # level 1 orders round(2.5) = 2, which arrive at once and go to the backlog
    step = market.step(np.array([[1, 0]]))
    assert step.metrics["sold"].tolist() == [[2, 1]]
    assert step.metrics["backlog"].tolist() == [[2, 0]]
    np.testing.assert_allclose(step.reward, [[12 * 2 - 6 * 2 - 3 * 2, 12 * 1 - 0.5 * 2]])


def test_room_spoilage_and_salvage_by_hand() -> None:
    types = one_type(delta=0.5, v=2, L=0)
    market = make("decoupled", num_agents=2, types=types, jitter=0.0, stock_cap=3, initial_stock=2)
    market.reset(0)
    with_demand(market, [[5, 30]])
    # 20 in stock and 40 bought make 60; room for 30; 30 scrapped
    step = market.step(np.array([[10, 10]]))
    assert step.metrics["scrapped"].tolist() == [[30, 30]]
    # 25 left, of which round(12.5) = 12 spoil (halves go to the even number) and bring 2 each
    assert step.metrics["spoiled"].tolist() == [[12, 0]]
    assert step.metrics["stock"].tolist() == [[13, 0]]
    np.testing.assert_allclose(step.reward, [[12 * 5 - 6 * 40 + 2 * 12 - 0.5 * 13, 12 * 30 - 6 * 40]])


@pytest.mark.parametrize("lead", [0, 1, 2, 3])
def test_orders_arrive_after_their_lead_time(lead: int) -> None:
    types = {"near": AgentType(mu=10, p0=12, c=6, h=0.5, L=0), "far": AgentType(mu=10, p0=12, c=6, h=0.5, L=lead)}
    market = make(num_agents=4, types=types, jitter=0.0, initial_stock=0.0)
    market.reset(0)
    entry = [e.name for e in market._observed.entries].index("stock")
    received, seen = [], []
    for t in range(5):
        step = market.step(np.full((1, 4), 4 if t == 0 else 0))
        received.append(step.metrics["received"][0, [0, 3]].tolist())
        # "pipeline_i" of the far agents: what arrives in i periods, 10 / 40 of it
        seen.append(step.obs[0, 3, entry + 3 : entry + 3 + lead].tolist())
    assert [r[0] for r in received] == [10, 0, 0, 0, 0]
    assert [r[1] for r in received] == [10 if t == lead else 0 for t in range(5)]
    for t in range(5):
        assert seen[t] == [0.25 if lead - 1 - t == ahead else 0 for ahead in range(lead)]


@st.composite
def markets(draw: st.DrawFn) -> InventoryMarket:
    """Any market with up to three types."""
    figure = st.floats(0, 20)
    types = {
        f"type{k}": AgentType(
            share=draw(st.floats(0.1, 1)), mu=draw(st.floats(0.2, 60)), cv2=draw(st.sampled_from([0.0, 0.2, 2.0])),
            p0=draw(st.floats(0.1, 30)), c=draw(figure),
            h=draw(figure), b=draw(figure), ell=draw(figure), K=draw(figure), phi=draw(st.floats(0, 1)),
            L=draw(st.integers(0, 4)), delta=draw(st.sampled_from([0.0, 0.3, 1.0])), v=draw(figure),
        )
        for k in range(draw(st.integers(1, 3)))
    }  # fmt: skip
    config = MarketConfig(
        types=types,
        jitter=draw(st.sampled_from([0.0, 0.1, 0.5])),
        population_seed=draw(st.integers(0, 100)),
        horizon=draw(st.integers(1, 9)),
        ending=draw(st.sampled_from(["truncated", "finite"])),
        unmet=(unmet := draw(st.sampled_from(["lost", "backlog"]))),
        capacity=draw(st.none() | st.floats(0.05, 2)),
        allocation=draw(st.sampled_from(["proportional", "uniform", "linear"])),
        spill=draw(st.floats(0, 1)) if unmet == "lost" else 0,
        price_signal=draw(st.sampled_from(["sales", "stock", "orders"])),
        season_amplitude=draw(st.sampled_from([0.0, 0.5])),
        season_period=draw(st.integers(2, 12)),
        shock_rho=draw(st.floats(0, 0.95)),
        shock_sigma=draw(st.sampled_from([0.0, 0.3])),
        terminal_value=draw(st.floats(0, 1)),
        demand_mode=draw(st.sampled_from(["counts", "counts", "sell_all"])),
        congestion=draw(st.floats(0, 0.99)),
        price_coupling=draw(st.floats(0, 1)),
        price_floor=draw(st.floats(0, 1)),
        stock_cap=draw(st.floats(0.5, 20)),
        initial_stock=draw(st.none() | st.floats(0, 10)),
        action_mode=(mode := draw(st.sampled_from(["levels", "order_up_to", "absolute", "continuous"]))),
        action_grid=(0, 0.5, 1, 3) if mode == "levels" else (0, 5, 40, 90, 33),
    )
    agents, seed = draw(st.integers(2, 7)), draw(st.integers(0, 2**63))
    # a supplier of less than one unit is refused
    assume(config.capacity is None or config.capacity * agents * min(t.mu for t in types.values()) > 2)
    return make_market(config, num_envs=2, num_agents=agents, seed=seed, backend=backend("numpy"))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(markets(), st.integers(0, 2**32))
def test_units_are_conserved_and_the_ledger_sums(market: InventoryMarket, seed: int) -> None:
    rng = np.random.default_rng(seed)
    stock, backlog = market.stock.copy(), market.backlog.copy()
    ordered: NDArray[Any] = np.zeros(stock.shape)
    received: NDArray[Any] = np.zeros(stock.shape)
    for t in range(market.horizon):
        position = market.inventory_position
        actions = random_actions(market, rng)
        step = market.step(actions)
        m = step.metrics
        np.testing.assert_array_equal(m["stock"] + m["spoiled"] + m["scrapped"] + m["sold"], stock + m["received"])
        served = m["sold"] - m["spill_sold"]
        np.testing.assert_array_equal(served + m["lost"] + m["backlog"], m["demand"] + backlog)
        if market.config.action_mode == "continuous":
            units = np.rint(actions * (4 * market.parameters.mu).astype(np.float32))
        else:
            units = np.take_along_axis(market.order_levels, actions.T, 1).T
        if market.config.action_mode == "order_up_to":
            units = np.maximum(units - position, 0)
        np.testing.assert_array_equal(m["order"], units)
        total = m["order"].sum(1)
        granted = total if market.capacity is None else np.minimum(total, market.capacity)
        np.testing.assert_array_equal(m["allotted"].sum(1), granted)
        assert (m["allotted"] <= m["order"]).all()
        assert (m["spilled"] <= m["lost"]).all()
        assert (m["spill_sold"].sum(1) <= m["spilled"].sum(1)).all()
        for name in UNITS:
            assert (m[name] >= 0).all()
            assert (m[name] == np.rint(m[name])).all()
        sums_to_reward(step)
        seen = step.obs if step.final_obs is None else step.final_obs
        for view in (seen, step.obs):
            assert (view >= market.observation_space.low).all()
            assert (view <= market.observation_space.high).all()
        ordered += m["allotted"]
        received += m["received"]
        on_order = ordered - received
        if t + 1 < market.horizon:
            np.testing.assert_array_equal(market.inventory_position, m["stock"] - m["backlog"] + on_order)
        stock, backlog = m["stock"].copy(), m["backlog"].copy()
    finite = market.config.ending == "finite"
    assert (step.terminated == finite).all()
    assert (step.truncated != finite).all()


def test_agents_of_a_type_are_exchangeable() -> None:
    market = make(num_agents=12, jitter=0.0, num_envs=1)
    order = np.arange(12)
    order[:4], order[4:9] = [2, 0, 3, 1], [5, 8, 4, 7, 6]
    rng = np.random.default_rng(0)
    plain, mixed = make(num_agents=12, jitter=0.0), make(num_agents=12, jitter=0.0)
    plain.reset(3)
    mixed.reset(3)
    mixed._demand = Reordered(plain._demand, order)
    assert (market.agent_types[order] == market.agent_types).all()
    for _ in range(51):
        actions = rng.integers(11, size=(1, 12))
        one, two = plain.step(actions), mixed.step(actions[:, order])
        np.testing.assert_array_equal(one.reward[:, order], two.reward)
        np.testing.assert_array_equal(one.obs[:, order], two.obs)
        np.testing.assert_array_equal(one.mean_action[:, order], two.mean_action)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(markets(), st.integers(0, 2**32))
def test_agents_are_exchangeable_in_any_market_without_rounding(market: InventoryMarket, seed: int) -> None:
    # where units are shared out in whole numbers agents are exchangeable on average only: see test_supply
    assume(market.capacity is None and market.config.spill == 0)
    rng = np.random.default_rng(seed)
    order = np.lexsort((rng.random(market.num_agents), market.agent_types))
    p = market.parameters
    parameters = Parameters(**{f.name: getattr(p, f.name)[order] for f in fields(Parameters)})
    mixed = InventoryMarket(
        market.config, num_envs=2, parameters=parameters, agent_types=market.agent_types, type_names=market.type_names,
        agent_names=market.agent_names, demand=market.demand, seed=0, backend=market.backend,
    )  # fmt: skip
    mixed._demand = Reordered(market._demand, order)
    for _ in range(market.horizon):
        actions = random_actions(market, rng)
        one, two = market.step(actions), mixed.step(actions[:, order])
        # sums of parameters that are no whole numbers depend on the order in their last bits
        np.testing.assert_allclose(one.reward[:, order], two.reward, rtol=1e-5, atol=1e-5)
        for name in UNITS:
            np.testing.assert_array_equal(one.metrics[name][:, order], two.metrics[name])


@pytest.mark.parametrize("name", ["easy", "medium", "hard", "orange-juice"])
def test_copies_equal_single_runs(name: str) -> None:
    seeds = [5, 2**63 - 1, 7]
    many = make(name, num_envs=3, horizon=10)
    singles = [make(name, horizon=10) for _ in seeds]
    steps = [many.reset(seeds)]
    alone = [[market.reset([seed])] for market, seed in zip(singles, seeds, strict=True)]
    rng = np.random.default_rng(0)
    for _ in range(25):
        actions = rng.integers(11, size=(3, many.num_agents))
        steps.append(many.step(actions))
        for b, market in enumerate(singles):
            alone[b].append(market.step(actions[b : b + 1]))
    for b in range(3):
        for step, one in zip(steps, alone[b], strict=True):
            for field in ("obs", "mean_action", "reward", "terminated", "truncated"):
                np.testing.assert_array_equal(getattr(step, field)[b], getattr(one, field)[0])


def test_streams_of_runners_and_copies_are_distinct() -> None:
    demand = set()
    for runner in range(8):
        market = make(num_envs=4, num_agents=50)
        market.reset(stream(7, "env", runner))
        for episode in range(2):
            demand |= {(market._demand.units(0)[b].tobytes(), episode) for b in range(4)}
            market.reset()
    assert len({d for d, _ in demand}) == 64


def test_same_seed_same_play_whatever_was_played_before() -> None:
    one, two = make(num_envs=2), make(num_envs=2, seed=99)
    two.step(np.zeros((2, 100), int))
    a, b = one.reset(4), two.reset(4)
    np.testing.assert_array_equal(a.obs, b.obs)
    rng = np.random.default_rng(0)
    for _ in range(60):
        actions = rng.integers(11, size=(2, 100))
        a, b = one.step(actions), two.step(actions)
        np.testing.assert_array_equal(a.reward, b.reward)
        np.testing.assert_array_equal(a.obs, b.obs)


def test_mean_action_leaves_the_agent_out() -> None:
    market = make(num_agents=4, action_grid=(0, 1, 2))
    assert (market.reset(0).mean_action == 0).all()
    step = market.step(np.array([[0, 0, 1, 2]]))
    third = 1 / 3
    expected = [[third, third, third], [third, third, third], [2 * third, 0.0, third], [2 * third, third, 0.0]]
    np.testing.assert_allclose(step.mean_action, [expected], rtol=1e-6)


def test_episodes_restart_in_the_step_that_ends_them() -> None:
    market = make(num_envs=2, horizon=3)
    first = market.reset(0)
    for t in range(3):
        step = market.step(np.full((2, 100), 4))
        assert step.truncated.tolist() == [t == 2] * 2
        assert not step.terminated.any()
    assert step.final_obs is not None
    assert (step.final_obs != step.obs).any()
    assert (step.mean_action == 0).all()
    np.testing.assert_array_equal(step.obs, first.obs)
    assert market.t == 0


def test_a_finite_game_observes_its_time_and_terminates() -> None:
    market = make(horizon=4, ending="finite")
    time = [e.name for e in market._observed.entries].index("time")
    assert (market.reset(0).obs[..., time] == 0).all()
    seen = []
    for _ in range(4):
        step = market.step(np.zeros((1, 100), int))
        seen.append(float((step.obs if step.final_obs is None else step.final_obs)[0, 0, time]))
    assert seen == [0.25, 0.5, 0.75, 1.0]
    assert step.terminated.all()
    assert not step.truncated.any()


def test_state_put_back_goes_on_bit_for_bit() -> None:
    market, other = make(num_envs=2, num_agents=6), make(num_envs=2, num_agents=6, seed=5)
    rng = np.random.default_rng(0)
    actions = rng.integers(11, size=(130, 2, 6))
    for a in actions[:40]:
        market.step(a)
    other.set_state(market.get_state())
    for a in actions[40:]:
        one, two = market.step(a), other.step(a)
        np.testing.assert_array_equal(one.obs, two.obs)
        np.testing.assert_array_equal(one.reward, two.reward)


def test_state_of_another_market_is_refused() -> None:
    with pytest.raises(ValueError, match=r"pipeline \(2, 1, 5\), this one has \(2, 1, 6\)"):
        make(num_agents=6).set_state(make(num_agents=5).get_state())
    state = make().get_state()
    del state["last_fill"]
    with pytest.raises(ValueError, match="the state has no last_fill: it is not of a market, or of an older version"):
        make().set_state(state)


@pytest.mark.parametrize(
    ("actions", "message"),
    [
        (np.full((2, 5), 11), r"convenience_0 \(agent 0, copy 0\): action 11 is outside 0\.\.10"),
        (np.array([[0] * 5, [0, 0, 0, -1, 0]]), r"\(agent 3, copy 1\): action -1 is outside 0\.\.10"),
        (np.full((2, 5), 2**63, np.uint64), r"is outside 0\.\.10"),
        (np.zeros((2, 5)), "actions are float64; the market needs whole numbers"),
        (np.full((2, 5), np.nan), "actions are float64; the market needs whole numbers"),
        (np.zeros((2, 4), int), r"actions have shape \(2, 4\); the market needs \(2, 5\)"),
        (np.zeros(5, int), r"actions have shape \(5,\)"),
    ],
)
def test_bad_actions_are_refused_and_change_nothing(actions: NDArray[Any], message: str) -> None:
    market, same = make(num_envs=2, num_agents=5), make(num_envs=2, num_agents=5)
    with pytest.raises(ValueError, match=message):
        market.step(actions)
    good = np.full((2, 5), 3)
    for _ in range(3):
        np.testing.assert_array_equal(market.step(good).reward, same.step(good).reward)


def test_seeds_are_refused_by_number_and_sign() -> None:
    market = make(num_envs=2, num_agents=5)
    with pytest.raises(ValueError, match="3 seeds for 2 copies"):
        market.reset([1, 2, 3])
    with pytest.raises(ValueError, match="whole numbers from 0; got -4"):
        market.reset(-4)


def test_earlier_metrics_stay_as_they_were() -> None:
    market = make(num_agents=5)
    step = market.step(np.full((1, 5), 4))
    before = {name: value.copy() for name, value in step.metrics.items()}
    for _ in range(3):
        market.step(np.full((1, 5), 9))
    for name, value in step.metrics.items():
        np.testing.assert_array_equal(value, before[name])


def test_the_smallest_and_a_large_population() -> None:
    for agents in (2, 20_000):
        market = make(num_agents=agents)
        step = market.step(np.full((1, agents), 4))
        assert np.isfinite(step.reward).all()
        assert np.isfinite(step.obs).all()
    with pytest.raises(ValueError, match="num_agents is 1; a population has at least 2"):
        make(num_agents=1)


def test_capacity_that_is_whole_but_for_rounding_is_whole() -> None:
    # the means of 11 agents of easy's types add up to 120, their mean times 11 to a little less
    assert make("easy", num_agents=11, jitter=0.0, capacity=1.0).capacity == 120


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"types": one_type(mu=1e6), "stock_cap": 1000.0}, "stock of 1e.09 units, beyond the 16777216"),
        ({"types": one_type(mu=1e6), "unmet": "backlog", "horizon": 60}, "backlog of 6e.07 units.*shorten `horizon`"),
        ({"types": one_type(mu=10), "action_mode": "absolute", "action_grid": (0, 1e12)}, "order of 1e.12 units"),
        (
            {"types": one_type(mu=1e6), "num_agents": 2000, "capacity": 1.0, "action_grid": (0, 4)},
            "orders of 8e.09 units in all cannot be shared out exactly",
        ),
    ],
)
def test_refuses_units_that_cannot_be_counted_exactly(options: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        make("decoupled", **({"num_agents": 2, "jitter": 0.0, "stock_cap": 5.0} | options))


def test_actions_may_be_lists_and_states_must_fit() -> None:
    market = make(num_agents=3)
    assert market.step([[1, 2, 3]]).metrics["order"].shape == (1, 3)
    state = market.get_state()
    with pytest.raises(ValueError, match=r"stock \(1, 4\), this one has \(1, 3\)"):
        market.set_state(state | {"stock": np.zeros((1, 4), np.float32)})
    with pytest.raises(ValueError, match="of period 1000000; this market has 52 periods"):
        market.set_state(state | {"t": 10**6})
    with pytest.raises(ValueError, match=r"seeds are whole numbers from 0; got 1\.5"):
        market.reset(1.5)  # type: ignore[arg-type]
