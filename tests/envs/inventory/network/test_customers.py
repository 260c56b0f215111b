"""Customers: the laws they are drawn from, sums of them up the tree, and records of their demand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from envs.inventory.network.config import NetworkConfig
from envs.inventory.network.customers import make_customers, uniform_sum_quantile
from envs.inventory.network.network import InventoryNetwork
from tests.envs.inventory.network.games import make

THREE = "children: {mill: [shop_a, shop_b, shop_c]}"


def drawn(network: InventoryNetwork) -> np.ndarray:
    """Units [T, B, leaf agents] of the episode under way."""
    return np.stack([network._customers.units(t) for t in range(network.horizon)])


def within(units: np.ndarray, mean: float, variance: float) -> None:
    """The mean over all axes is within 4 standard errors."""
    assert abs(units.mean() - mean) < 4 * np.sqrt(variance / units.size)


def test_poisson_and_uniform_customers_have_their_laws() -> None:
    units = drawn(make("100-wide", num_envs=32, seed=1, horizon=50))
    within(units, 5, 5)
    counts = np.bincount(units.astype(int).ravel(), minlength=20)[:20]
    law = stats.poisson.pmf(np.arange(20), 5)
    expected = units.size * law
    assert (abs(counts - expected) < 4.5 * np.sqrt(expected * (1 - law)) + 1).all()
    units = drawn(make(num_envs=32, seed=1, horizon=50, demand_mode="uniform", demand_low=3, demand_high=9))
    share = np.bincount(units.astype(int).ravel(), minlength=10) / units.size
    assert share[:3].tolist() == [0, 0, 0]
    assert (abs(share[3:] - 1 / 7) < 4 * np.sqrt(1 / 7 * 6 / 7 / units.size)).all()
    # neighbouring leaves, periods and copies are independent
    for axis in range(3):
        pairs = np.moveaxis(units, axis, 0)
        r = np.corrcoef(pairs[:-1].ravel(), pairs[1:].ravel())[0, 1]
        assert abs(r) < 4 / np.sqrt(units.size)


def test_the_sine_of_the_specification() -> None:
    network = make("100", num_envs=64, seed=2)
    units = drawn(network)
    assert units.shape == (365, 64, 40)
    mean = 15 + 10 * np.sin(2 * np.pi * np.arange(365) / 365)
    error = (units.mean((1, 2)) - mean) / np.sqrt(mean / (64 * 40))
    # 365 standard normals
    assert abs(error).max() < 4.5
    assert abs(np.square(error).mean() - 1) < 4 * np.sqrt(2 / 365)
    short = make(num_envs=1, seed=2, season_period=4, demand_mean=10, demand_amplitude=10, horizon=8)
    # at the trough the mean is zero, and so is demand
    assert drawn(short)[[3, 7]].tolist() == np.zeros((2, 1, 12)).tolist()
    assert drawn(short)[[1, 5]].min() > 0


def test_sums_of_uniform_customers() -> None:
    # two dice: 2 with 1/36, 3 with 3/36, 7 with 21/36; one die; three dice of the second agent
    served = np.array([2, 2, 2, 1, 1])
    share = np.array([1 / 36, 1 / 36 + 1e-6, 21 / 36, 0.5, 1])
    assert uniform_sum_quantile(1, 6, served, share, np.ones(5, int)).tolist() == [2, 3, 7, 3, 6]
    assert uniform_sum_quantile(1, 6, np.array([1]), np.array([0.5]), np.array([3])).tolist() == [10]


def test_quantiles_of_what_the_customers_below_ask_for() -> None:
    share, periods = np.full(30, 0.9), np.full(30, 2)
    poisson = make(demand_mode="poisson").demand_quantile(share, periods)
    customers = np.repeat([4, 4, 2, 2, 2, 1, 1, 1, 1, 1], 3)
    np.testing.assert_array_equal(poisson, stats.poisson.ppf(0.9, 5 * 2 * customers))
    uniform = make(demand_mode="uniform", demand_low=0, demand_high=1).demand_quantile(share, periods)
    np.testing.assert_array_equal(uniform, stats.binom.ppf(0.9, 2 * customers, 0.5))


def table(tmp_path: Path, rows: list[str]) -> dict[str, Any]:
    """Options of a network of a mill and three shops with these sales."""
    (tmp_path / "tree.yaml").write_text(THREE)
    (tmp_path / "sales.csv").write_text("agent,period,units\n" + "\n".join(rows))
    return {
        "tree": str(tmp_path / "tree.yaml"), "sales": str(tmp_path / "sales.csv"), "products": 1, "horizon": 3,
        "demand_mode": "series", "seed": 0,
    }  # fmt: skip


def rows_of(shops: str, periods: int = 3) -> list[str]:
    return [f"shop_{s}/product_0,{t},{10 * (i + 1) + t}" for t in range(periods) for i, s in enumerate(shops)]


def network_of(options: dict[str, Any]) -> InventoryNetwork:
    import envs

    network = envs.make("inventory/network", **options)
    assert isinstance(network, InventoryNetwork)
    return network


def test_a_table_of_sales(tmp_path: Path) -> None:
    network = network_of(table(tmp_path, rows_of("cab")))
    # named, not in the order of the table: shop_a is the second there
    assert drawn(network)[:, 0].tolist() == [[20, 30, 10], [21, 31, 11], [22, 32, 12]]
    assert network.parameters.mu.tolist() == [21 + 31 + 11, 21, 31, 11]
    # sums of the three shops are 60, 63 and 66
    assert network.demand_quantile(np.full(4, 0.5), np.ones(4, int)).tolist() == [63, 21, 31, 11]
    step = network.step(np.zeros((1, 4), int))
    assert step.metrics["demand"].tolist() == [[0, 20, 30, 10]]


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        (rows_of("ab"), {}, "sales.csv: the leaf shop_c/product_0 has no rows"),
        (rows_of("abcd"), {}, "sales.csv: agent shop_d/product_0 is no leaf of the tree; its leaves are shop_a"),
        ([*rows_of("abc"), "mill/product_0,0,1"], {}, "agent mill/product_0 is no leaf of the tree"),
        (rows_of("abc"), {"horizon": 4}, "an episode of 4 periods is longer than the record of 3"),
        (rows_of("abc")[:-1], {}, "agent shop_c/product_0 has no row for period 2; set gaps"),
        ([*rows_of("abc"), "shop_a/product_0,1,5"], {}, "row 11: a second row for agent shop_a/product_0"),
    ],
)
def test_bad_tables(tmp_path: Path, rows: list[str], options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        network_of(table(tmp_path, rows) | options)


def test_a_season_that_is_too_long_is_refused() -> None:
    config = NetworkConfig(horizon=100_000, demand_mean=50_000)
    with pytest.raises(ValueError, match=r"a season of 100000 periods .* set a shorter season_period"):
        make_customers(config, ["shop"], np.ones((2, 1), np.bool_))
