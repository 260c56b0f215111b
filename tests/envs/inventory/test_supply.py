"""A supplier who is short, and customers who try another seller: shares in whole units."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import envs
from envs.inventory import loops
from envs.inventory.types import AgentType

RULES: dict[str, Callable[..., NDArray[np.float32]]] = {
    "proportional": loops.allot_proportional,
    "uniform": loops.allot_uniform,
    "linear": loops.allot_linear,
}
ORDERS = np.array([[10, 20, 30, 40]], np.float32)
# the specification's table: what each gets of 60 units
SHARES = {"proportional": [6, 12, 18, 24], "uniform": [10, 50 / 3, 50 / 3, 50 / 3], "linear": [0, 10, 20, 30]}


@pytest.mark.parametrize("rule", RULES)
def test_the_published_example_on_average_and_rounded_to_neighbours(rule: str) -> None:
    draws = 9_000
    # evenly spaced offsets average exactly
    uniform = (np.arange(draws) + 0.5) / draws
    allotted = RULES[rule](np.repeat(ORDERS, draws, 0), 60, uniform)
    np.testing.assert_allclose(allotted.mean(0), SHARES[rule], atol=1e-6)
    assert (np.abs(allotted - SHARES[rule]) < 1).all()
    assert (allotted.sum(1) == 60).all()


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.integers(0, 500), min_size=2, max_size=40), st.integers(1, 5000), st.floats(1e-9, 1 - 1e-9),
    st.sampled_from(sorted(RULES)),
)  # fmt: skip
def test_shares_are_whole_never_more_than_ordered_and_sum_exactly(
    orders: list[int], capacity: int, uniform: float, rule: str
) -> None:
    order = np.array([orders], np.float32)
    allotted = RULES[rule](order, capacity, np.array([uniform]))
    assert (allotted == np.rint(allotted)).all()
    assert (allotted >= 0).all()
    assert (allotted <= order).all()
    assert allotted.sum() == min(sum(orders), capacity)
    # whoever orders more gets no less, up to rounding
    ranked = allotted[0, np.argsort(orders, kind="stable")]
    assert (np.maximum.accumulate(ranked) - ranked <= 1).all()


def test_a_large_population_overflows_nothing() -> None:
    order = np.full((1, 100_000), 4000, np.float32)
    for rule in RULES.values():
        allotted = rule(order, 399_999_999, np.array([0.5]))
        assert allotted.sum(dtype=np.float64) == 399_999_999


def test_spilled_customers_by_hand() -> None:
    # 8 of agent 0's customers find nothing and half of them try the other two, 2 each; agent 1 has 1 unit, agent 2 five
    unmet, offered, sold = (np.array([row], np.float32) for row in ([8, 0, 0], [3, 4, 9], [3, 3, 4]))
    spilled, came, taken, mean = loops.spill(unmet, offered, sold, 2**19, np.array([0.5]), np.array([0.5]))
    assert (spilled.tolist(), came.tolist()) == ([[4, 0, 0]], [[0, 2, 2]])
    assert taken.tolist() == [[0, 1, 2]]
    assert mean.tolist() == [(3 + 3 + 4 + 1 + 2) / 3]


def test_nobody_is_their_own_other_seller() -> None:
    unmet = np.array([[100, 0]], np.float32)
    offered, sold = np.full((1, 2), 1000, np.float32), np.zeros((1, 2), np.float32)
    _, _, taken, _ = loops.spill(unmet, offered, sold, 2**20, np.array([0.3]), np.array([0.7]))
    assert taken.tolist() == [[0, 100]]


def test_what_is_not_granted_is_not_paid_and_shows_in_the_fill_rate() -> None:
    types = {"shop": AgentType(mu=10, p0=12, c=6, h=0, L=1, K=5)}
    market = envs.make(
        "inventory/market-decoupled", num_agents=4, seed=0, types=types, jitter=0.0, capacity=1.5, allocation="linear",
        action_mode="absolute", action_grid=(10, 20, 30, 40),
    )  # fmt: skip
    step = market.step(np.array([[0, 1, 2, 3]]))
    assert step.metrics["allotted"].tolist() == [[0, 10, 20, 30]]
    assert step.metrics["ledger/purchase_cost"].tolist() == [[0, -60, -120, -180]]
    assert step.metrics["ledger/order_cost"].tolist() == [[-5, -5, -5, -5]]
    fill = [line.split()[1] for line in market.describe_observation().splitlines()].index("fill_rate")  # type: ignore[attr-defined]
    assert step.obs[0, :, fill].tolist() == pytest.approx([0.6] * 4)
    assert market.step(np.zeros((1, 4), int)).metrics["received"].tolist() == [[0, 10, 20, 30]]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"capacity": 0}, "environment option capacity: Input should be greater than 0"),
        ({"capacity": 1e-6}, "capacity 1e-06 of 4 agents .* is not one whole unit: raise `capacity`"),
        ({"allocation": "lottery"}, "allocation: Input should be 'proportional', 'uniform' or 'linear'; got 'lottery'"),
        ({"spill": 0.2, "unmet": "backlog"}, "spill is of lost sales: set unmet=lost, or spill=0"),
        ({"types": {"shop": {"mu": 5, "p0": 2, "c": -1, "h": 0}}}, r"types\.shop\.c: .*greater than or equal to 0"),
        ({"shock_sigma": float("nan")}, "shock_sigma: Input should be a finite number"),
    ],
)
def test_settings_that_cannot_be_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        envs.make("inventory/market-easy", num_agents=4, **options)
