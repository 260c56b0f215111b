"""A deviator among N agents is 1 / N of every mean: against Cournot, brute force and the 1 / N term."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.finite_population import easy_with_exact_shares
from envs.inventory.backend import backend
from envs.inventory.closed_forms import cournot
from envs.inventory.config import MarketConfig
from envs.inventory.market import make_market
from envs.inventory.mean_field import (
    Profile,
    base_stock_profile,
    evaluate,
    finite_population_term,
    mean_field,
    nash_conv,
    profile_policy,
    random_profile,
)
from envs.inventory.mean_field.best_response import as_policy, respond
from envs.inventory.mean_field.own_weight import finite_gaps, own_cost, prices_of_others, split
from envs.inventory.types import AgentType

SHARES, COSTS, LOWEST = (0.5, 0.3, 0.2), (6.0, 8.0, 10.0), 60


def sellers() -> MarketConfig:
    """p = 53.6 - .3 x mean quantity, cost c q + .04 q^2 / 2: with 30 sellers 160, 120 and 80 u are the equilibrium."""
    kinds = zip(COSTS, SHARES, strict=True)
    types = {f"c{c:g}": AgentType(share=s, mu=80, p0=29.6, c=c, h=0, phi=0.04, delta=1) for c, s in kinds}
    return MarketConfig(
        types=types, jitter=0, action_mode="absolute", action_grid=tuple(range(LOWEST, 201)), horizon=1,
        congestion=0, price_coupling=24 / 29.6, initial_stock=0, demand_mode="sell_all",
    )  # fmt: skip


def test_cournot_is_an_equilibrium_of_thirty_sellers_and_not_of_infinitely_many() -> None:
    exact = cournot(alpha=53.6, beta=0.3, phi=0.04, costs=COSTS, shares=SHARES, num_agents=30)
    np.testing.assert_allclose(exact.quantities, (160, 120, 80), rtol=1e-12)
    game = mean_field(split(sellers(), 30))
    taken = [np.full((1, kind.size), round(q) - LOWEST) for kind, q in zip(game.types, exact.quantities, strict=True)]
    profile = Profile(tuple(as_policy(kind, a) for kind, a in zip(game.types, taken, strict=True)))
    found = evaluate(game, profile)
    assert found.path.price[0] * 29.6 == pytest.approx(exact.price)
    among = finite_gaps(game, found, 30)
    np.testing.assert_allclose(among.gaps, 0, atol=1e-6)
    # price x q - c q - phi q^2 / 2
    profits = [14 * q - c * q - 0.02 * q * q for q, c in zip(exact.quantities, COSTS, strict=True)]
    np.testing.assert_allclose(among.evaluation.values, profits)
    # without own weight each would sell beta / (N phi) = 1/4 more: phi/2 (q/4)^2, and at most the 200 of the grid
    without = nash_conv(game, profile).gaps
    np.testing.assert_allclose(without, [0.02 * (40**2), 0.02 * 30**2, 0.02 * 20**2], atol=1e-6)


@pytest.mark.parametrize("signal", ["sales", "stock", "orders"])
@pytest.mark.parametrize("lead", [0, 1])
def test_two_agents_by_brute_force(signal: str, lead: int) -> None:
    """Deterministic demand by selling all: every sequence of a deviator's orders is tried against the other's."""
    grid, horizon = (0.0, 2.0, 5.0), 3
    agent = AgentType(share=1, mu=4, p0=9, c=3, h=0.1, K=0.5, phi=0.1, L=lead)
    config = MarketConfig(
        types={"a": agent}, jitter=0, action_mode="absolute", action_grid=grid, horizon=horizon, initial_stock=1,
        demand_mode="sell_all", price_signal=signal, price_coupling=0.4, congestion=0.3, stock_cap=2,  # type: ignore[arg-type]
    )  # fmt: skip
    game = mean_field(split(config, 2), gamma=0.9)
    policy = np.zeros((horizon, *game.types[0].state_shape, 3))
    policy[..., 1] = 1.0
    found = finite_gaps(game, evaluate(game, Profile((policy,))), 2)

    def earned(mine: tuple[int, ...]) -> float:
        stock, total = np.array([4.0, 4.0]), 0.0
        orders = np.array([[grid[a] for a in mine], [2.0] * horizon])
        for t in range(horizon):
            q = orders[:, t]
            # room for twice the mean demand
            offered = np.minimum(stock + (orders[:, t - lead] if t >= lead else 0.0), 8.0)
            stock = np.zeros(2)
            price = 9 * (1 - 0.4 * ({"sales": offered, "stock": offered, "orders": q}[signal].mean() / 4 - 1))
            wholesale = 3 + 0.3 * 3 / 4 * (q.mean() - 4)
            total += 0.9**t * (price * offered[0] - wholesale * q[0] - 0.5 * (q[0] > 0) - 0.05 * q[0] ** 2)
        return total

    assert found.evaluation.values[0] == pytest.approx(earned((1,) * horizon), abs=1e-9)
    best = max(earned(mine) for mine in product(range(3), repeat=horizon))
    assert found.evaluation.values[0] + found.gaps[0] == pytest.approx(best, abs=1e-9)


@pytest.mark.parametrize("agents", [10, 30, 1000])
def test_values_of_those_who_stay_have_the_one_over_N_term(agents: int) -> None:
    game = mean_field(easy_with_exact_shares())
    for profile in (base_stock_profile(game), random_profile(game)):
        found = evaluate(game, profile)
        among = finite_gaps(game, found, agents)
        exact = found.values + finite_population_term(game, found) / agents
        np.testing.assert_allclose(among.evaluation.values, exact, atol=1e-9)
        assert (among.gaps > 0).all()


def test_a_deviator_among_ten_earns_its_gap_in_the_market() -> None:
    config = easy_with_exact_shares().model_copy(update={"horizon": 10, "congestion": 0.6})
    game = mean_field(split(config, 10))
    profile = base_stock_profile(game)
    found = evaluate(game, profile)
    among = finite_gaps(game, found, 10)
    k, copies = 1, 4000
    kind, passage = game.types[k], found.path.passages[k]
    prices, own = prices_of_others(game, found.path, kind, found.flows[k], 10), own_cost(game, kind, 10)
    answer = respond(game, kind, prices, passage, own)
    deviating = Profile((profile.policies[0], as_policy(kind, answer.actions), profile.policies[2]))
    env = make_market(game.config, num_envs=copies, num_agents=10, seed=1, backend=backend("numpy"))
    agent = int(np.flatnonzero(env.agent_types == k)[0])

    def earned(own_profile: Profile) -> NDArray[np.float64]:
        stay, leave = profile_policy(game, profile, env, 0), profile_policy(game, own_profile, env, 0)
        step, total = env.reset(2), np.zeros(copies)
        for t in range(game.horizon):
            actions = stay(step)
            actions[:, agent] = leave(step)[:, agent]
            step = env.step(actions)
            total += game.gamma**t * step.reward[:, agent]
        return total

    base, best = earned(profile), earned(deviating)
    error = (best - base).std() / copies**0.5
    assert (best - base).mean() == pytest.approx(among.gaps[k], abs=4 * error)
    assert base.mean() == pytest.approx(among.evaluation.values[k], abs=4 * base.std() / copies**0.5)
    # far enough from the gap among infinitely many that the own weight shows
    assert abs(nash_conv(game, profile).gaps[k] - among.gaps[k]) > 8 * error


def test_gaps_among_many_are_those_among_infinitely_many() -> None:
    game = mean_field(easy_with_exact_shares())
    found = evaluate(game, base_stock_profile(game))
    limit = nash_conv(game, base_stock_profile(game)).gaps
    errors = [abs(finite_gaps(game, found, n).gaps - limit).max() for n in (10**4, 10**6)]
    assert errors[1] < errors[0] / 50
    assert errors[1] < 0.01


def test_backlog_has_own_weight_in_orders() -> None:
    types = {"a": AgentType(share=1, mu=4, p0=9, c=3, h=0.2, b=2, L=1)}
    config = MarketConfig(types=types, jitter=0, unmet="backlog", price_coupling=0, horizon=12, stock_cap=30)
    game = mean_field(split(config, 5))
    found = evaluate(game, base_stock_profile(game))
    among = finite_gaps(game, found, 5)
    orders = found.flows[0].occupancy.sum(1) @ game.types[0].levels ** 2 - found.flows[0].orders ** 2
    assert among.evaluation.mean == pytest.approx(found.mean - game.slope / 5 * float(game.discount @ orders))
    priced = mean_field(split(config.model_copy(update={"price_coupling": 0.3}), 5))
    found = evaluate(priced, base_stock_profile(priced))
    with pytest.raises(ValueError, match="with backlog set price_coupling=0"):
        finite_gaps(priced, found, 5)


def test_what_is_not_linear_in_the_means_is_refused() -> None:
    game = mean_field(split(MarketConfig(jitter=0, horizon=3), 30))
    found = evaluate(game, random_profile(game))
    with pytest.raises(ValueError, match="do not split 31 agents"):
        finite_gaps(game, found, 31)
    with pytest.raises(ValueError, match="at least 2 agents"):
        split(game.config, 1)
    scarce = mean_field(game.config.model_copy(update={"capacity": 1.0}))
    with pytest.raises(ValueError, match="scarce supply or spill-over is not worked out"):
        finite_gaps(scarce, evaluate(scarce, random_profile(scarce)), 30)
    floored = mean_field(game.config.model_copy(update={"price_floor": 0.9}))
    with pytest.raises(ValueError, match=r"press the retail price to its floor 0\.9"):
        finite_gaps(floored, evaluate(floored, random_profile(floored)), 30)


def test_types_without_an_agent_are_left_out() -> None:
    assert list(split(MarketConfig(), 2).types) == ["convenience", "supermarket"]
