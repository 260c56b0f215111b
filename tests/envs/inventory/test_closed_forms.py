"""The spec's exact figures, brute force beside the algorithms, and refusals."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy import stats

from envs.inventory import (
    base_stock_level,
    cournot,
    linear_quadratic,
    lot_size,
    newsvendor,
    newsvendor_profit,
    rationing_best_replies,
    s_S_levels,
    substitution_quantity,
)
from envs.inventory.closed_forms import granted

COURNOT: dict[str, Any] = {
    "alpha": 20, "beta": 0.5, "phi": 0.5, "costs": (6, 8, 10), "shares": (0.5, 0.3, 0.2), "num_agents": 30,
}  # fmt: skip


def test_newsvendor_of_the_spec() -> None:
    quantity, profit = newsvendor(20, 10, 4)
    assert quantity == 21
    assert profit == pytest.approx(102.6420, abs=5e-5)
    assert newsvendor_profit(20, 20, 10, 4) == pytest.approx(102.2329, abs=5e-5)
    assert newsvendor_profit(22, 20, 10, 4) == pytest.approx(102.2050, abs=5e-5)


def test_newsvendor_by_hand() -> None:
    # mu = 1, q = 1: sold 1 - e^-1, left over e^-1, short e^-1
    e = math.exp(-1)
    assert newsvendor_profit(1, 1, 10, 4, v=2, ell=3) == pytest.approx(10 * (1 - e) + 2 * e - 3 * e - 4)
    assert newsvendor_profit(0, 1, 10, 4, ell=3) == pytest.approx(-3)


@pytest.mark.parametrize(("mu", "p", "c", "v", "ell"), [(20, 10, 4, 0, 0), (3.7, 9, 4, 1, 0.5), (50, 5, 4.9, 4, 0)])
def test_newsvendor_is_best_of_all_quantities(mu: float, p: float, c: float, v: float, ell: float) -> None:
    profits = [newsvendor_profit(q, mu, p, c, v, ell) for q in range(120)]
    best = newsvendor(mu, p, c, v, ell)
    assert best.quantity == int(np.argmax(profits))
    assert best.profit == pytest.approx(max(profits), rel=1e-12)


def test_a_product_sold_at_a_loss_is_not_ordered() -> None:
    assert newsvendor(5, 3, 4, ell=0.5) == (0, -2.5)


@pytest.mark.parametrize(("L", "level", "cost"), [(0, 14, 5.8694), (1, 26, 8.1864), (2, 37, 9.9532)])
def test_base_stock_of_the_spec(L: int, level: int, cost: float) -> None:
    best = base_stock_level(mu=10, L=L, h=1, b=9)
    assert best.level == level
    assert best.cost == pytest.approx(cost, abs=5e-5)


@pytest.mark.parametrize(("mu", "s", "S", "cost"), [(10, 6, 40, 35.0216), (20, 14, 62, 49.1730)])
def test_s_S_of_the_spec(mu: float, s: int, S: int, cost: float) -> None:
    best = s_S_levels(mu=mu, K=64, h=1, b=9, L=0)
    assert (best.s, best.S) == (s, S)
    assert best.cost == pytest.approx(cost, abs=5e-5)


def test_s_S_without_fixed_cost_is_base_stock() -> None:
    base = base_stock_level(10, 1, 1, 9)
    best = s_S_levels(10, 0, 1, 9, 1)
    assert (best.s, best.S) == (base.level - 1, base.level)
    assert best.cost == pytest.approx(base.cost, rel=1e-12)


def stationary_cost(s: int, S: int, mu: float, K: float, h: float, b: float, L: int) -> float:
    """$ per period from the stationary distribution of the position just after ordering, on s+1..S."""
    positions = np.arange(s + 1, S + 1)
    move = stats.poisson.pmf(positions[:, None] - positions[None, :], mu)
    reorder = 1 - move.sum(1)
    move[:, -1] += reorder
    system = np.vstack([move.T - np.eye(positions.size), np.ones(positions.size)])
    share = np.linalg.lstsq(system, np.append(np.zeros(positions.size), 1.0), rcond=None)[0]
    demand = np.arange(200)
    left = positions[:, None] - demand
    cost = (h * np.maximum(left, 0) + b * np.maximum(-left, 0)) @ stats.poisson.pmf(demand, mu * (L + 1))
    return float(share @ (cost + K * reorder))


@pytest.mark.parametrize(
    ("mu", "K", "h", "b", "L"), [(10, 64, 1, 9, 0), (2.5, 20, 0.5, 4, 1), (0.4, 15, 1, 5, 2), (6, 1, 1, 1, 0)]
)
def test_s_S_is_best_of_its_neighbourhood(mu: float, K: float, h: float, b: float, L: int) -> None:
    best = s_S_levels(mu, K, h, b, L)
    costs = {
        (s, S): stationary_cost(s, S, mu, K, h, b, L)
        for s in range(best.s - 4, best.s + 5)
        for S in range(max(s, best.S - 5) + 1, best.S + 6)
    }
    assert costs[best.s, best.S] == pytest.approx(best.cost, rel=1e-9)
    assert min(costs.values()) == pytest.approx(best.cost, rel=1e-9)


def test_lot_size_of_the_spec() -> None:
    assert lot_size(d=10, K=64, h=1) == (4, 31.0)
    assert lot_size(d=10, K=0, h=1) == (1, 0.0)


def test_cournot_of_the_spec() -> None:
    result = cournot(**COURNOT)
    np.testing.assert_allclose(result.quantities, (15.1031, 11.2322, 7.3612), atol=5e-5)
    assert result.price == pytest.approx(13.8033, abs=5e-5)
    assert result.mean_quantity == pytest.approx(float(np.dot((0.5, 0.3, 0.2), result.quantities)))


def test_no_cournot_seller_gains_by_deviating() -> None:
    result = cournot(**COURNOT)
    for quantity, cost in zip(result.quantities, COURNOT["costs"], strict=True):
        tried = np.append(np.linspace(0, 3 * quantity, 3001), quantity)
        price = 20 - 0.5 * (result.mean_quantity + (tried - quantity) / 30)
        profit = price * tried - cost * tried - 0.25 * tried**2
        assert profit.max() <= profit[-1] + 1e-9


def test_linear_quadratic_of_the_spec() -> None:
    result = linear_quadratic(h=1, phi=4, beta=2, c=1, gamma=0.95, mu=10)
    assert result.steady_stock == pytest.approx(-3.05, rel=1e-12)
    assert result.individual_rate == pytest.approx(0.621156, abs=5e-7)
    assert result.field_rate == pytest.approx(0.679935, abs=5e-7)


def test_linear_quadratic_individual_rate_is_the_riccati_feedback() -> None:
    # V = a x^2 / 2 for the stage phi u^2 / 2 + h x'^2 / 2: u = -g x with g = (h + gamma a) / (phi + h + gamma a)
    a = 0.0
    for _ in range(200):
        weight = 1 + 0.95 * a
        feedback = weight / (4 + weight)
        a = 4 * feedback**2 + weight * (1 - feedback) ** 2
    rate = linear_quadratic(h=1, phi=4, beta=2, c=1, gamma=0.95, mu=10).individual_rate
    assert rate == pytest.approx(1 - feedback, rel=1e-12)


def test_substitution_of_the_spec() -> None:
    alone = substitution_quantity(mean=100, std=30, critical_ratio=0.6, omega=0)
    assert alone == pytest.approx(107.600, abs=5e-4)
    together = substitution_quantity(mean=100, std=30, critical_ratio=0.6, omega=0.5)
    assert together == pytest.approx(111.197, abs=5e-4)


NEWSVENDOR: dict[str, Any] = {"mu": 20, "p": 10, "c": 4}


def test_proportional_rationing_inflates_best_replies_to_the_cap() -> None:
    # 15 u each are there where 21 are wanted; 30 bring 30 x 15/21 = 21.4, against 30 then 40 bring 20, and so on
    found = rationing_best_replies(**NEWSVENDOR, capacity=15, allocation="proportional")
    assert found == ((21, 30, 40, 60, 80), True)


@pytest.mark.parametrize("capacity", [14.1, 14.5, 15.2])
def test_the_same_replies_come_out_for_capacities_around_three_quarters(capacity: float) -> None:
    found = rationing_best_replies(**NEWSVENDOR, capacity=capacity, allocation="proportional")
    assert found.orders == (21, 30, 40, 60, 80)


def test_uniform_rationing_leaves_the_newsvendors_order() -> None:
    for capacity in (5.0, 15.0, 20.0, 30.0):
        assert rationing_best_replies(**NEWSVENDOR, capacity=capacity, allocation="uniform") == ((21,), True)


def test_enough_supply_leaves_the_newsvendors_order() -> None:
    for allocation in ("proportional", "uniform", "linear"):
        found = rationing_best_replies(**NEWSVENDOR, capacity=21, allocation=allocation)
        assert found == ((21,), True)


def test_linear_rationing_adds_what_is_cut() -> None:
    # orders of 5 u steps: 21 are cut by 6, so 25 bring 19 and 30 bring 24; then by 10 and 15, 30 and 35 bring 20
    found = rationing_best_replies(**NEWSVENDOR, capacity=15, allocation="linear", orders=range(0, 41, 5), rounds=3)
    assert found == ((21, 25, 30, 35), False)


def test_what_is_granted_by_hand() -> None:
    for allocation, units in (("proportional", 20), ("uniform", 15), ("linear", 15)):
        # others order 30 where 15 are there: half, at most 15, 15 less
        assert granted(40 if allocation == "proportional" else 30, 30, 15, allocation) == units  # type: ignore[arg-type]
    assert granted(40, 10, 15, "proportional") == 40
    assert granted(10, 30, 15, "linear") == 0


@pytest.mark.parametrize(
    ("call", "names"),
    [
        (lambda: newsvendor(0, 10, 4), "mu is 0"),
        (lambda: newsvendor(20, 10, -4), "c is -4"),
        (lambda: newsvendor(20, math.nan, 4), "p is nan"),
        (lambda: newsvendor(20, 10, 4, v=4), "v is 4"),
        (lambda: newsvendor_profit(-1, 20, 10, 4), "quantity is -1"),
        (lambda: base_stock_level(10, -1, 1, 9), "L is -1"),
        (lambda: base_stock_level(10, 0, 0, 9), "h is 0"),
        (lambda: base_stock_level(math.inf, 0, 1, 9), "mu is inf"),
        (lambda: s_S_levels(10, -64, 1, 9, 0), "K is -64"),
        (lambda: s_S_levels(10, 64, 1, 9, 0.5), "L is 0.5"),  # type: ignore[arg-type]  # the refusal under test
        (lambda: lot_size(0, 64, 1), "d is 0"),
        (lambda: cournot(**COURNOT | {"num_agents": 1}), "num_agents is 1"),
        (lambda: cournot(**COURNOT | {"shares": (0.5, 0.3, 0.1)}), "sum to 1"),
        (lambda: cournot(**COURNOT | {"shares": (0.5, 0.5)}), "equal length"),
        (lambda: cournot(**COURNOT | {"costs": (6, -8, 10)}), "costs are"),
        (lambda: cournot(**COURNOT | {"costs": (6, 8, 19)}), "type 2 with cost 19"),
        (lambda: linear_quadratic(h=1, phi=4, beta=2, c=1, gamma=1.1, mu=10), "gamma is 1.1"),
        (lambda: rationing_best_replies(**NEWSVENDOR, capacity=0, allocation="uniform"), "capacity is 0"),
        (lambda: rationing_best_replies(**NEWSVENDOR, capacity=9, allocation="unifrom"), "did you mean 'uniform'"),
        (lambda: rationing_best_replies(**NEWSVENDOR, capacity=9, allocation="uniform", orders=[]), "orders is empty"),
        (lambda: rationing_best_replies(**NEWSVENDOR, capacity=9, allocation="uniform", orders=[-5]), r"is -5"),
        (lambda: granted(-1, 30, 15, "uniform"), "order is -1"),
        (lambda: substitution_quantity(mean=100, std=30, critical_ratio=1, omega=0), "critical_ratio is 1"),
        (lambda: substitution_quantity(mean=100, std=30, critical_ratio=0.6, omega=2), "omega is 2"),
    ],
)
def test_bad_input_is_one_clear_line(call: Any, names: str) -> None:
    with pytest.raises(ValueError, match=names) as refusal:
        call()
    assert "\n" not in str(refusal.value)
