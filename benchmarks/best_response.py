"""How long an exact best response of one type takes: milliseconds of one core by preset, type and lead time.

    OMP_NUM_THREADS=1 python benchmarks/best_response.py [--repeats 9] [--out docs/figures/best_response.csv]

Every type of every market preset answers the path of base stock (jitter 0, `hard` without shocks), with lost sales and,
where the settings allow it, with backlog; T is the preset's. Targets: lost sales with L <= 1 under 20 ms, with L = 2
under 1 s, backlog of any L under 50 ms. Exit code 1 where one is missed.
"""

from __future__ import annotations

import argparse
import csv
import sys
import time
from collections.abc import Iterator
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from analysis.equilibrium.exact import market_config
from envs.inventory.config import MarketConfig
from envs.inventory.mean_field import base_stock_profile, best_response, evaluate, mean_field

PRESETS = ("easy", "medium", "hard", "perishable", "decoupled", "orders-price")


@dataclass(frozen=True)
class Timing:
    """One type's best response."""

    preset: str
    unmet: str
    type_name: str
    lead_time: int
    periods: int
    states: int
    """Of a period."""
    median_ms: float
    least_ms: float
    target_ms: float
    """NaN where none was set."""


def target(unmet: str, lead: int) -> float:
    """Milliseconds that are asked for."""
    if unmet == "backlog":
        return 50.0
    return {0: 20.0, 1: 20.0, 2: 1000.0}.get(lead, float("nan"))


def markets() -> Iterator[tuple[str, MarketConfig]]:
    """Every preset with lost sales, and with backlog where nothing spoils or spills over."""
    for preset in PRESETS:
        options: dict[str, float] = {"jitter": 0.0} | ({"shock_sigma": 0.0} if preset == "hard" else {})
        config = market_config(f"inventory/market-{preset}", options)
        yield preset, config
        if all(kind.delta == 0 for kind in config.types.values()):
            yield preset, config.model_copy(update={"unmet": "backlog", "spill": 0.0})


def timings(preset: str, config: MarketConfig, repeats: int) -> list[Timing]:
    """Of every type."""
    game = mean_field(config)
    path = evaluate(game, base_stock_profile(game)).path
    rows = []
    for k, kind in enumerate(game.types):
        best_response(game, path, k)
        taken = []
        for _ in range(repeats):
            start = time.process_time()
            best_response(game, path, k)
            taken.append(1000 * (time.process_time() - start))
        rows.append(
            Timing(
                preset, config.unmet, kind.name, kind.agent.L, game.horizon, int(np.prod(kind.state_shape)),
                round(float(np.median(taken)), 2), round(min(taken), 2), target(config.unmet, kind.agent.L),
            )
        )  # fmt: skip
    return rows


def main() -> int:
    """Print the table; with --out write it too."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    rows = []
    for preset, config in markets():
        for row in timings(preset, config, options.repeats):
            rows.append(row)
            missed = "  over the target" if row.median_ms > row.target_ms else ""
            print(
                f"{row.preset:13s} {row.unmet:8s} {row.type_name:12s} L={row.lead_time} T={row.periods:3d} "
                f"{row.states:6d} states  {row.median_ms:8.2f} ms (least {row.least_ms:.2f}){missed}",
                flush=True,
            )
    if options.out is not None:
        with options.out.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow([field.name for field in fields(Timing)])
            writer.writerows(astuple(row) for row in rows)
    return int(any(row.median_ms > row.target_ms for row in rows))


if __name__ == "__main__":
    sys.exit(main())
