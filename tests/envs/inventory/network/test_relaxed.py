"""What an agent of the network could earn at most, against plain recursion over every order and every demand."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from scipy import stats

from envs.inventory.network.relaxed import Node, inner_value, leaf_value

NODE = Node(
    price=5, cost=3, h=0.5, b=1, target=4, lead_time=1, stock_cap=7, initial_stock=6, end_worth=0.0
)  # fmt: skip
VARIANTS = [
    NODE,
    replace(NODE, end_worth=2.5),
    replace(NODE, lead_time=2, initial_stock=3),
    replace(NODE, target=0, h=2.0, b=0.1),
    replace(NODE, price=2.9),
]
GAMMA, T = 0.9, 4


def earned(node: Node, t: int, net: int, received: int, demand: int) -> tuple[float, int]:
    """Discounted $ of a period, units paid `lead_time` periods before, and what it leaves."""
    waiting, supply = max(-net, 0), max(net, 0) + received
    sold = min(supply, waiting + demand)
    stock, owed = min(supply - sold, node.stock_cap), waiting + demand - sold
    period = node.price * sold - node.h * abs(stock - node.target) - node.b * owed
    paid = GAMMA ** (t - node.lead_time) * node.cost * received
    return GAMMA**t * period - paid, stock - owed


def receivable(node: Node, t: int) -> range:
    return range(26 if t >= node.lead_time else 1)


@pytest.mark.parametrize("node", VARIANTS)
def test_a_leaf(node: Node) -> None:
    odds = ([0.2, 0.0, 0.5, 0.3], [1.0], [0.0, 0.5, 0.25, 0.0, 0.25], [0.1, 0.9])
    laws = [np.array(law) for law in odds]

    @cache
    def value(t: int, net: int) -> float:
        if t == T:
            return GAMMA ** (T - 1) * node.end_worth * net
        best = -np.inf
        for received in receivable(node, t):
            ends = [earned(node, t, net, received, units) for units in range(laws[t].size)]
            worth = sum(p * (money + value(t + 1, left)) for p, (money, left) in zip(laws[t], ends, strict=True))
            best = max(best, worth)
        return best

    assert leaf_value(node, laws, GAMMA) == pytest.approx(value(0, node.initial_stock), abs=1e-9)


@pytest.mark.parametrize("node", VARIANTS)
def test_an_inner_node(node: Node) -> None:
    @cache
    def value(t: int, net: int, total: int, ordered: int) -> float:
        """`total` received so far; `ordered` at most in a period."""
        if t == T:
            return GAMMA ** (T - 1) * node.end_worth * net
        best = -np.inf
        for received in receivable(node, t):
            if total + received <= ordered * (t - node.lead_time + 1) or received == 0:
                for units in range(6):
                    money, left = earned(node, t, net, received, units)
                    best = max(best, money + value(t + 1, left, total + received, ordered))
        return best

    assert inner_value(node, T, 5, 100, GAMMA) == pytest.approx(value(0, node.initial_stock, 0, 100), abs=1e-9)
    for ordered in (0, 1, 3):
        limited = value(0, node.initial_stock, 0, ordered)
        bound = inner_value(node, T, 5, ordered, GAMMA)
        assert bound > limited - 1e-9
        # rents are right but for the start and the end
        assert bound < limited + 12


def test_a_factory_that_sells_all_it_may_order() -> None:
    # 100 u a period at a margin of 2 - 1 / .99 from the second period on, 100 u at the start, and nothing to hold
    node = Node(2, 1, 0.5, 1, 0, 1, 100, 100, 0.0)
    margin = sum(0.99**t * 2 - 0.99 ** (t - 1) for t in range(1, 365))
    assert inner_value(node, 365, 100, 100, 0.99) == pytest.approx(200 + 100 * margin, rel=1e-9)


def test_a_shop_that_knows_nothing_of_the_future() -> None:
    # stock that costs nothing, backlog that costs much: all demand is sold, in its own period
    node = Node(3, 2, 0.0, 50, 0, 1, 100, 100, 0.0)
    laws = [np.asarray(stats.poisson.pmf(np.arange(60), 10.0))] * 50
    value = leaf_value(node, laws, 1.0)
    # 500 u are sold, at least 400 of them bought
    assert 3 * 500 - 2 * 430 < value < 3 * 500 - 2 * 400
