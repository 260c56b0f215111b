"""Upper bounds of networks: above what every rule earns, leaves by their customers' law."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest

import envs
from analysis.equilibrium.bound import Maker, bounds
from analysis.equilibrium.network_bound import demand_laws, most_moved
from envs.inventory.network.network import InventoryNetwork
from envs.inventory.reference import reference_policy


def maker(**options: Any) -> Maker:
    chosen = {"tree": "7-node", "products": 2, "horizon": 40} | options
    return lambda copies: envs.make("inventory/network", num_envs=copies, seed=0, **chosen)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"demand_mode": "poisson", "initial_stock": 20, "ending": "finite"},
        {"demand_mode": "uniform", "action_mode": "continuous", "holding": "stock", "slip": 0.0},
        {"lead_time": 3, "types": "node", "stock_cap": 300, "initial_stock": 300},
    ],
)
@pytest.mark.parametrize("name", ["random", "constant", "base_stock", "smoothing"])
def test_no_rule_earns_more(options: dict[str, Any], name: str) -> None:
    found = bounds(maker(**options), lambda env, seed: reference_policy(name, cast(Any, env), seed), episodes=6)
    assert len(found.types) == (7 if "types" in options else 4)
    for one in found.gaps.types:
        assert one.gap.low > 0
        assert one.best.value > one.base.high
    assert sum(one.share for one in found.gaps.types) == pytest.approx(1)
    assert any("bound" in note and "against a value of" in note for note in found.notes)


def test_only_the_types_asked_for_with_the_numbers_of_all() -> None:
    player = lambda env, seed: reference_policy("smoothing", cast(Any, env), seed)  # noqa: E731
    whole = bounds(maker(), player, episodes=4).types
    part = bounds(maker(), player, episodes=4, types=["echelon_2"]).types
    assert part == (whole[2],)


def test_recorded_customers(tmp_path: Any) -> None:
    path = tmp_path / "sales.csv"
    names = [f"node_{node}/product_0" for node in (4, 5, 6)]
    rng = np.random.default_rng(0)
    rows = [f"{name},{t},{rng.poisson(9)}" for name in names for t in range(40)]
    path.write_text("\n".join(["agent,period,units", *rows]))
    make = maker(products=1, sales=str(path), demand_mode="bootstrap", horizon=20)
    found = bounds(make, lambda env, seed: reference_policy("base_stock", cast(Any, env), seed), episodes=4)
    assert any("know it beforehand" in note for note in found.notes)
    assert all(one.gap.low > 0 for one in found.gaps.types)


def test_what_moves_at_most() -> None:
    env = cast(InventoryNetwork, maker()(1))
    # 7-node: 0 -> 1 -> 2, 3; 2 -> 4; 3 -> 5, 6; two products. mu is 45 at node 1, 15 and 30 at nodes 2 and 3
    assert most_moved(env, 0) == (100, 100)
    assert most_moved(env, 2) == (45 + 90, 100)
    assert most_moved(env, 4) == (45, 45)
    assert most_moved(env, 8) == (0, 45)
    laws = demand_laws(env)
    assert len(laws) == 40
    assert laws[10] @ np.arange(laws[10].size) == pytest.approx(15 + 10 * np.sin(2 * np.pi * 10 / 40))
    uniform = demand_laws(cast(InventoryNetwork, maker(demand_mode="uniform", demand_low=2, demand_high=5)(1)))
    np.testing.assert_allclose(uniform[0], [0, 0, 0.25, 0.25, 0.25, 0.25])


def test_shared_rewards_have_no_bound() -> None:
    with pytest.raises(ValueError, match="reward is mean: an agent's return is everyone's"):
        bounds(maker(reward="mean"), lambda env, seed: reference_policy("base_stock", cast(Any, env), seed), episodes=2)


def test_values_discount_from_the_first_period_on() -> None:
    def values(discount: float) -> list[float]:
        found = bounds(
            maker(), lambda env, seed: reference_policy("constant", cast(Any, env), seed), episodes=2, discount=discount
        )
        return [one.base.value for one in found.gaps.types]

    # of nothing but the first period the value is the same, however little later ones count
    assert values(1e-12) == pytest.approx(values(1e-14), rel=1e-6)
    assert max(map(abs, values(1e-12))) > 1e-3
