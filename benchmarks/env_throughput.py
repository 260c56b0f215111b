"""Agent steps per second on one core, of the environments and of other inventory simulators beside them.

    OMP_NUM_THREADS=1 python benchmarks/env_throughput.py --peers PYTHON --out docs/figures/env_throughput.csv

An agent step is one agent in one period; a peer's is one node of its supply chain in one period. Whole episodes are
played, the drawing of demand included, with actions made beforehand. "state" is a step without observations. Seconds
are of processor time, so that a busy machine counts little; nothing here uses more than one thread.
PYTHON is an interpreter that has some of `pip install '.[bench]'` (gym-invmgmt, stockpyl) or or-gym; by default this
one. A peer that is not installed is named and left out. or-gym 0.5.0 needs NumPy 1 and gym, so an interpreter for it
needs an environment of its own; `--peers` may be given several times.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import envs  # noqa: E402
from envs.views import parallel_env  # noqa: E402

SIZES = ((1, 30), (1, 100), (64, 100), (1, 100_000))
MARKETS = ("inventory/market-easy", "inventory/market-medium", "inventory/market-hard")
OF_ITS_OWN_SIZE = (1, 64)
"""Copies of the games whose tree or table says how many agents there are."""
OWN = ("inventory/market-orange-juice", "inventory/network-30", "inventory/network-100")
GOALS = {
    ("inventory/market-easy", 64, 100): 5e6,
    ("inventory/market-hard", 64, 100): 3e6,
    ("inventory/market-easy", 1, 100): 4e5,
}
"""Agent steps per second with observations that are to be reached."""
BASES = ((64, 100), (1, 100))
"""Copies and agents of `market-easy` that the peers are compared with: in a batch, and one copy as theirs is."""
ROUNDS = 5


def best_rate(play: Callable[[], int], seconds: float) -> float:
    """Agent steps per second in the best of five rounds; a round before them warms up. `play` returns steps played."""
    play()
    best = 0.0
    for _ in range(ROUNDS):
        steps, start = 0, time.process_time()
        while not steps or time.process_time() - start < seconds / ROUNDS:
            steps += play()
        best = max(best, steps / (time.process_time() - start))
    return best


def population(name: str, copies: int, agents: int | None, seconds: float) -> Iterator[dict[str, Any]]:
    """The environment itself, with observations and without them."""
    env: Any = envs.make(name, num_envs=copies, num_agents=agents, seed=0)
    # as many as fit the memory of one core; an episode repeats them
    periods = min(52, max(4, 10_000_000 // (copies * env.num_agents)))
    actions = np.random.default_rng(0).integers(env.action_space.n, size=(periods, copies, env.num_agents))

    def play(**options: bool) -> int:
        for action in actions:
            env.step(action, **options)
        return int(actions.size)

    row = {"environment": name, "copies": copies, "agents": env.num_agents}
    yield {**row, "through": "population", "rate": best_rate(play, seconds)}
    yield {**row, "through": "population, state", "rate": best_rate(lambda: play(observe=False), seconds)}


def pettingzoo(name: str, agents: int | None, seconds: float) -> dict[str, Any]:
    """The usual PettingZoo loop over the ParallelEnv view of one copy."""
    env = parallel_env(name, num_agents=agents, seed=0)
    agents = len(env.possible_agents)
    rng = np.random.default_rng(0)
    chosen = [dict(zip(env.possible_agents, rng.integers(11, size=agents), strict=True)) for _ in range(52)]

    def play() -> int:
        env.reset()
        steps = 0
        while env.agents:
            env.step(chosen[steps % len(chosen)])
            steps += 1
        return steps * agents

    rate = best_rate(play, seconds)
    return {"environment": name, "copies": 1, "agents": agents, "through": "PettingZoo view", "rate": rate}


def peers(pythons: list[str], seconds: float) -> Iterator[dict[str, Any]]:
    """What each interpreter has of the peers; a peer that none of them has comes without a rate."""
    found: dict[str, dict[str, Any]] = {}
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    for python in pythons:
        run = subprocess.run(
            [python, str(ROOT / "benchmarks" / "peers.py"), str(seconds)],
            capture_output=True, text=True, env=environment, check=False,
        )  # fmt: skip
        if run.returncode:
            raise SystemExit(f"{python} benchmarks/peers.py failed: {run.stderr.strip().splitlines()[-1]}")
        for text in run.stdout.splitlines():
            line = json.loads(text)
            if "rate" in line or "rate" not in found.get(line["peer"], {}):
                found[line["peer"]] = line
    for line in found.values():
        named = f"{line['peer']}, {line.get('version', '')}".rstrip(", ")
        yield {"environment": named, "through": "peer", "rate": line.get("rate"), "skipped": line.get("skipped", "")}


def main() -> int:
    """Print a line for each environment and size, then the peers with their ratios; say which goals are not met."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--seconds", type=float, default=2.0, help="for each line (default: 2)")
    parser.add_argument("--peers", action="append", metavar="PYTHON", help="interpreter that has peers")
    parser.add_argument("--out", type=Path, help="CSV to write")
    options = parser.parse_args()
    rows: list[dict[str, Any]] = []
    missed: list[str] = []
    print(f"{'environment':40s} {'B':>4s} {'N':>7s} {'through':18s} {'agent steps/s':>14s} {'ns/agent step':>14s}")
    cases: list[tuple[str, int, int | None]] = [(name, *size) for name in MARKETS for size in SIZES]
    cases += [(name, copies, None) for name in OWN if name in envs.names() for copies in OF_ITS_OWN_SIZE]
    for name, copies, agents in cases:
        measured = list(population(name, copies, agents, options.seconds))
        if copies == 1 and measured[0]["agents"] in (30, 100):
            measured.append(pettingzoo(name, agents, options.seconds))
        for row in measured:
            rows.append(row)
            print(
                f"{name:40s} {copies:4d} {row['agents']:7,d} {row['through']:18s} {row['rate']:14,.0f} "
                f"{1e9 / row['rate']:14,.0f}",
                flush=True,
            )
        goal = GOALS.get((name, copies, measured[0]["agents"]))
        if goal and measured[0]["rate"] < goal:
            missed.append(f"{name} {copies}x{agents}: {measured[0]['rate']:,.0f} is less than {goal:,.0f}")
    ours = {
        (r["copies"], r["agents"]): r["rate"]
        for r in rows
        if (r["environment"], r["through"]) == (MARKETS[0], "population")
    }
    sizes = " and ".join(f"{copies}x{agents}" for copies, agents in BASES)
    print(f"\npeers, node steps/s, and how many times as many agent steps {MARKETS[0]} plays at {sizes}")
    for row in peers(options.peers or [sys.executable], options.seconds):
        rows.append(row)
        rate = row["rate"]
        ratios = "" if rate is None else "".join(f" {ours[size] / rate:10,.0f} x" for size in BASES)
        told = f"left out: {row['skipped']}" if rate is None else f"{rate:14,.0f}{ratios}"
        print(f"{row['environment']:40s} {told}")
    for line in missed:
        print(f"goal missed: {line}")
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        with options.out.open("w", newline="") as file:
            writer = csv.DictWriter(file, ["environment", "copies", "agents", "through", "rate", "skipped"], restval="")
            writer.writeheader()
            writer.writerows(rows)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
