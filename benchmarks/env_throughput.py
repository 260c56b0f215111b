"""Agent steps per second of the market on one core, observations included, for several sizes B x N.

    OMP_NUM_THREADS=1 python benchmarks/env_throughput.py
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

import envs

SIZES = ((1, 30), (1, 100), (16, 100), (64, 100), (1, 100_000))
SECONDS = 2.0


def throughput(name: str, copies: int, agents: int | None) -> float:
    """Agent steps per second over whole episodes, the drawing of demand included; the best of five rounds."""
    env = envs.make(name, num_envs=copies, num_agents=agents, seed=0)
    actions = np.random.default_rng(0).integers(11, size=(52, copies, env.num_agents))
    env.step(actions[0])
    best = 0.0
    for _ in range(5):
        steps, start = 0, time.perf_counter()
        while time.perf_counter() - start < SECONDS / 5:
            for action in actions:
                env.step(action)
            steps += len(actions)
        best = max(best, steps * copies * env.num_agents / (time.perf_counter() - start))
    return best


def main() -> None:
    """Print a line for each size."""
    print(f"{'environment':32s} {'B':>4s} {'N':>7s} {'agent steps/s':>14s} {'us/agent step':>14s}")
    for name, sizes in (
        ("inventory/market-easy", SIZES),
        ("inventory/market-orange-juice", ((16, None),)),
        ("inventory/network-100", ((1, 100), (64, 100))),
    ):
        for copies, agents in sizes:
            rate = throughput(name, copies, agents)
            print(f"{name:32s} {copies:4d} {agents or 83:7d} {rate:14,.0f} {1e6 / rate:14.3f}")


if __name__ == "__main__":
    main()
