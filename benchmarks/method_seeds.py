"""Methods against `mf` over paired seeds: differences of the trained policies' profit with their intervals.

    OMP_NUM_THREADS=1 python benchmarks/method_seeds.py --env inventory/market-decoupled --num-agents 30 \\
        --out docs/figures/decoupled_methods.csv

Trains without Ray and plays the trained policies on demand that all methods of a seed meet. It goes on where it
stopped: a row is told by the hash of its whole configuration.
"""

from __future__ import annotations

import argparse
import csv
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import torch  # noqa: E402

from analysis.statistics import paired_difference  # noqa: E402
from mfmarl.config import TrainConfig, config_from, config_hash, parse_set  # noqa: E402
from mfmarl.rollout import Rollout  # noqa: E402
from mfmarl.seeding import stream  # noqa: E402
from mfmarl.trainer import LocalTrainer, make_env  # noqa: E402

METHODS: dict[str, dict[str, Any]] = {
    "mf": {"method": "mf"},
    "is joint": {"method": "is"},
    "is joint, no ESS floor": {"method": "is", "importance": {"ess_floor": 0.0}},
    "is gaussian": {"method": "is", "importance": {"estimator": "gaussian", "bandwidth": 0.05}},
    "is marginal": {"method": "is", "importance": {"estimator": "marginal"}},
    "fresh": {"method": "fresh"},
    "is+fresh": {"method": "is+fresh"},
    "independent": {"method": "independent"},
}
FIELDS = ("config", "method", "seed", "profit", "ess", "cpu_s")


def measured(config: TrainConfig, episodes: int) -> dict[str, Any]:
    """Train, then play: mean discounted return of an agent, $, over `episodes` episodes."""
    began = time.process_time()
    trainer, shares = LocalTrainer(config), []
    while trainer.learner.episodes < config.num_episodes:
        shares.append(trainer.iterate().get("ess", 1.0))
    used = time.process_time() - began
    env = make_env(config, num_envs=episodes)
    root = config.seed or 0
    play = Rollout(
        env, trainer.learner.policy, discount=config.discount, env_seed=stream(root, "paired", "env"),
        action_seed=stream(root, "paired", "action"),
    )  # fmt: skip
    horizon = int(getattr(env, "horizon", 1))
    returns = play.collect(horizon).returns
    return {"profit": float(returns.mean()), "ess": sum(shares) / len(shares), "cpu_s": used}


def merged(settings: dict[str, Any], sets: list[str]) -> dict[str, Any]:
    """Settings with each `key.sub=value` put in."""
    for text in sets:
        key, value = parse_set(text)
        *sections, last = key.split(".")
        place = settings = dict(settings)
        for section in sections:
            place[section] = dict(place.get(section, {}))
            place = place[section]
        place[last] = value
    return settings


def main() -> int:
    """Train what is missing, and print each method's difference to `mf`."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--env", default="inventory/market-decoupled")
    parser.add_argument("--num-agents", type=int, default=30)
    parser.add_argument("--num-episodes", type=int, default=320)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--methods", nargs="+", choices=list(METHODS), default=list(METHODS))
    parser.add_argument("--set", nargs="+", default=[], metavar="KEY=VALUE", help="any configuration key")
    parser.add_argument("--episodes", type=int, default=64, help="evaluation episodes")
    parser.add_argument("--out", type=Path, default=ROOT / "runs" / "method_seeds.csv", help="CSV to write and resume")
    options = parser.parse_args()
    if options.seeds < 3:
        parser.error("--seeds: an interval needs 3 or more")
    torch.set_num_threads(1)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    known: dict[str, dict[str, str]] = {}
    if options.out.exists():
        with options.out.open(newline="") as file:
            known = {row["config"]: row for row in csv.DictReader(file)}
    profit: dict[str, list[float]] = {name: [] for name in options.methods}
    for seed in range(1, options.seeds + 1):
        for name in options.methods:
            shared = {"env": options.env, "num_agents": options.num_agents, "num_episodes": options.num_episodes}
            config = config_from(merged(shared | {"seed": seed} | METHODS[name], options.set))
            digest = config_hash(config)
            if digest not in known:
                row = {"config": digest, "method": name, "seed": seed, **measured(config, options.episodes)}
                known[digest] = {key: str(value) for key, value in row.items()}
                new = not options.out.exists()
                with options.out.open("a", newline="") as file:
                    writer = csv.DictWriter(file, FIELDS)
                    if new:
                        writer.writeheader()
                    writer.writerow(known[digest])
            profit[name].append(float(known[digest]["profit"]))
    print(f"{options.env}, N = {options.num_agents}, {options.num_episodes} episodes, {options.seeds} paired seeds")
    for name, values in profit.items():
        text = f"{name:14s} mean profit {sum(values) / len(values):9.2f} $"
        if name != "mf" and "mf" in profit:
            found = paired_difference(values, profit["mf"])
            text += f"   less mf: {found.interval}"
        print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
