"""A market on a sales table of one's own: python examples/real_demand.py [SALES.csv]

The table has the columns agent, period and units. Without one, two years of weekly sales of nine shops are made up:
six corner shops and three that sell ten times as much, busier around midsummer. The last 26 weeks are held out; two
reference policies that know only the weeks before play them.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import cast

import numpy as np
import pandas as pd

import envs
from envs.inventory.market import InventoryMarket
from envs.inventory.reference import reference_policy

WEEKS = 104


def made_up_sales(folder: Path) -> Path:
    """Counts that vary more than Poisson's, about a mean that follows the calendar."""
    rng = np.random.default_rng(0)
    season = np.exp(0.4 * np.sin(2 * np.pi * np.arange(WEEKS) / 52))
    rows = []
    for shop, mean in enumerate([20.0] * 6 + [200.0] * 3):
        units = rng.poisson(mean * season * rng.gamma(5, 1 / 5, WEEKS))
        rows += [(f"shop_{shop}", week, sold) for week, sold in enumerate(units)]
    path = folder / "sales.csv"
    pd.DataFrame(rows, columns=["agent", "period", "units"]).to_csv(path, index=False)
    return path


def profit_per_week(sales: Path, policy: str) -> float:
    """Mean profit of an agent and held-out week, in $."""
    env = cast(
        InventoryMarket,
        envs.make("inventory/market-easy", sales=str(sales), test_periods=26, split="test", seed=0),
    )
    play = reference_policy(policy, env, seed=0)
    step = env.reset()
    total = 0.0
    for _ in range(env.horizon):
        step = env.step(play(step))
        total += float(step.reward.mean())
    return total / env.horizon


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        sales = Path(sys.argv[1]) if len(sys.argv) > 1 else made_up_sales(Path(folder))
        env = cast(InventoryMarket, envs.make("inventory/market-easy", sales=str(sales), test_periods=26, seed=0))
        for name, kind in zip(env.agent_names, env.agent_types, strict=True):
            print(f"{name:12s} {env.type_names[kind]}")
        for policy in ("constant", "base_stock"):
            print(f"{policy:12s} {profit_per_week(sales, policy):8.1f} $ per agent and week")


if __name__ == "__main__":
    main()
