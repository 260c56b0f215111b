"""What a correction costs: processor time of MF-Q's gradient steps under every method and estimator, over that of `mf`.

    OMP_NUM_THREADS=1 python benchmarks/method_cost.py --out docs/figures/method_cost.csv

Every method trains for some iterations on `inventory/market-easy`, so that its policies have drifted; then one
iteration's learning (draw, weights, targets, gradient steps) is timed in turns with the others', on the replay it has.
Every turn follows one of `mf`, and the median of the ratios of such pairs is told: on a machine that others use too,
the least times of two methods may come from quiet and from busy minutes.
"""

from __future__ import annotations

import argparse
import csv
import statistics
import sys
import time
from pathlib import Path
from typing import Any, cast

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import torch  # noqa: E402

from mfmarl.algorithms.mfq import MFQ  # noqa: E402
from mfmarl.config import config_from  # noqa: E402
from mfmarl.trainer import LocalTrainer  # noqa: E402

CASES: dict[str, dict[str, Any]] = {
    "mf": {"method": "mf"},
    "fresh": {"method": "fresh"},
    "mfp": {"method": "mfp"},
    "mfap": {"method": "mfap"},
    "independent": {"method": "independent"},
    "is joint": {"method": "is"},
    "is gaussian": {"method": "is", "importance": {"estimator": "gaussian"}},
    "is marginal": {"method": "is", "importance": {"estimator": "marginal"}},
    "is mixture": {"method": "is", "importance": {"estimator": "mixture"}},
    "is gaussian one-hot": {"method": "is", "importance": {"estimator": "gaussian_one_hot"}},
    "is+fresh": {"method": "is+fresh"},
}
GOALS = {"fresh": 1.5, "is gaussian": 1.5, "is marginal": 3.0}
"""Times the cost of `mf`, at most, at N = 100."""


def warmed(num_agents: int, changes: dict[str, Any], iterations: int) -> tuple[MFQ, Any]:
    """A learner after a quarter of its run, and the newest fragments."""
    settings = {
        "env": "inventory/market-easy", "num_agents": num_agents, "seed": 0, "num_envs": 16, "fragment_length": 13,
        "num_episodes": iterations * 16,
    }  # fmt: skip
    trainer = LocalTrainer(config_from(settings | changes))
    for _ in range(iterations):
        trainer.iterate()
    return cast(MFQ, trainer.learner), trainer._pending


def main() -> int:
    """Print and write a line a method; exit with 1 where a goal is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--num-agents", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=15, help="turns of each method")
    parser.add_argument("--iterations", type=int, default=40, help="of training before it is timed")
    parser.add_argument("--out", type=Path, help="CSV to write")
    options = parser.parse_args()
    torch.set_num_threads(1)
    learners = {name: warmed(options.num_agents, changes, options.iterations) for name, changes in CASES.items()}
    steps = 26

    def turn(name: str) -> float:
        """Seconds a gradient step."""
        learner, newest = learners[name]
        began = time.process_time()
        learner._gradient_steps(steps, newest)
        return (time.process_time() - began) / steps

    pairs: dict[str, list[tuple[float, float]]] = {name: [] for name in CASES}
    for _ in range(options.rounds):
        for name, pair in pairs.items():
            pair.append((turn("mf"), turn(name)))
    print(f"N = {options.num_agents}, gradient steps of 8 population steps; medians of {options.rounds} pairs of turns")
    rows: list[dict[str, Any]] = []
    missed = []
    for name, pair in pairs.items():
        seconds = statistics.median(own for _, own in pair)
        ratio = statistics.median(own / plain for plain, own in pair)
        goal = GOALS.get(name) if options.num_agents == 100 else None
        print(f"{name:20s} {1e3 * seconds:8.2f} ms a step  {ratio:5.2f} x mf" + (f"  (goal {goal})" if goal else ""))
        rows.append({"method": name, "num_agents": options.num_agents, "ms": 1e3 * seconds, "ratio": ratio})
        if goal and ratio > goal:
            missed.append(name)
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        with options.out.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    for name in missed:
        print(f"goal missed: {name}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
