"""How tight the upper bounds by information relaxation are: by profile and number of agents, against the exact gap.

python benchmarks/information_bound.py --out docs
"""

from __future__ import annotations

import argparse
import csv
import time
from functools import partial
from pathlib import Path
from typing import Any, cast

import envs
from analysis.equilibrium.bound import bounds
from analysis.equilibrium.exact import exact_gaps
from envs.inventory.market import InventoryMarket
from envs.inventory.reference import reference_policy
from envs.population import PopulationEnv
from mfmarl.yardstick import Play

DISCOUNT = 0.99
POLICIES = ("random", "base_stock", "equilibrium", "planner")
COLUMNS = (
    "env", "policy", "agents", "type", "limit_gap", "exact_gap", "expected_gap", "penalised_gap", "penalised_half",
    "free_gap", "free_half", "base", "seconds",
)  # fmt: skip


def player_of(name: str, env: PopulationEnv, seed: int) -> Play:
    """The reference policy `name`."""
    return reference_policy(name, cast(Any, env), seed, discount=DISCOUNT)


def rows_of(env: str, policy: str, agents: int, episodes: int, options: dict[str, Any]) -> list[dict[str, Any]]:
    """A row for each type and one for NashConv."""

    def make(copies: int) -> PopulationEnv:
        return envs.make(env, num_envs=copies, num_agents=agents, seed=0, **options)

    config = cast(InventoryMarket, make(1)).config
    limit, exact = (exact_gaps(config, policy, discount=DISCOUNT, num_agents=n) for n in (None, agents))
    began = time.perf_counter()
    found = bounds(make, partial(player_of, policy), episodes=episodes, discount=DISCOUNT, seed=1)
    seconds = time.perf_counter() - began
    rows: list[dict[str, Any]] = []
    for one, of_many, of_n in zip(found.types, limit.types, exact.types, strict=True):
        free, penalised = one.free, one.penalised
        assert free is not None
        assert penalised is not None
        assert one.expected is not None
        rows.append({
            "type": penalised.type_name, "limit_gap": of_many.gap.value, "exact_gap": of_n.gap.value,
            "expected_gap": one.expected - penalised.base.value,
            "penalised_gap": penalised.gap.value, "penalised_half": penalised.gap.high - penalised.gap.value,
            "free_gap": free.gap.value, "free_half": free.gap.high - free.gap.value, "base": penalised.base.value,
        })  # fmt: skip
    shares = [one.smaller.share for one in found.types]
    whole = {
        name: sum(share * row[name] for share, row in zip(shares, rows, strict=True))
        for name in ("expected_gap", "penalised_gap", "free_gap", "base")
    }
    nash = found.gaps.nash_conv
    whole |= {"limit_gap": limit.nash_conv.value, "exact_gap": exact.nash_conv.value}
    rows.append(whole | {"type": "all", "penalised_half": nash.high - nash.value})
    about = {"env": env, "policy": policy, "agents": agents, "seconds": seconds}
    return [about | row for row in rows]


def main() -> None:
    """Print the rows for all types, and write every row as CSV."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--env", default="inventory/market-easy")
    parser.add_argument("--agents", type=int, nargs="+", default=[100, 1_000, 10_000])
    parser.add_argument("--episodes", type=int, default=64)
    parser.add_argument("--out", type=Path, default=None)
    told = parser.parse_args()
    options = {"jitter": 0.0}
    found = []
    for policy in POLICIES:
        for agents in told.agents:
            rows = rows_of(told.env, policy, agents, told.episodes, options)
            found += rows
            last = rows[-1]
            kinds = ("limit", "exact", "expected", "penalised", "free")
            gaps = "  ".join(f"{kind} {last[kind + '_gap']:8.2f}" for kind in kinds)
            half, base, seconds = last["penalised_half"], last["base"], last["seconds"]
            print(f"{policy:12s} N {agents:6d}  {gaps}  +- {half:5.2f}  value {base:8.1f}  {seconds:.1f} s", flush=True)
    if told.out is not None:
        path = told.out / "figures" / "information_bound.csv"
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            for row in found:
                writer.writerow({k: f"{v:.4f}" if isinstance(v, float) else v for k, v in row.items()})


if __name__ == "__main__":
    main()
