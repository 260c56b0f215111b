"""Does it find known answers? Trains one algorithm on every one-shot game and seed, and prints how many are solved.

    python benchmarks/known_games.py --algorithm mfq --seeds 20 --out docs/figures/known_games.csv

Without Ray, one cell after another. Resumable: a cell of the same configuration that stands in the CSV is not trained
again. A game is solved when play by the trained policies is within the tolerance of a known answer (`env.solution()`).
"""

from __future__ import annotations

import argparse
import csv
import os
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from envs.one_shot import OneShotGame, profile_of, regret  # noqa: E402
from envs.one_shot.presets import PRESETS  # noqa: E402
from envs.one_shot.rules import AnonymousRules  # noqa: E402
from mfmarl.config import TrainConfig, config_hash, read_config  # noqa: E402
from mfmarl.policy import Policy  # noqa: E402
from mfmarl.registry import ALGORITHMS, METHODS  # noqa: E402
from mfmarl.seeding import stream  # noqa: E402
from mfmarl.trainer import LocalTrainer, make_env, root_seed  # noqa: E402

CONFIG = ROOT / "configs" / "train" / "known_games.yaml"
COPIES, STEPS = 16, 100
"""What the trained policies play to be judged: 1600 environment steps."""
COLUMNS = (
    "config", "algorithm", "method", "game", "seed", "solved", "answer", "distance", "tolerance", "unit", "regret",
    "env_steps", "agent_steps", "gradient_steps", "cpu_s",
)  # fmt: skip
Row = dict[str, str]


def trained(config: TrainConfig) -> tuple[LocalTrainer, float]:
    """A run to its end, and the processor seconds it took."""
    trainer = LocalTrainer(config)
    began = time.process_time()
    while trainer.progress()["episodes"] < config.num_episodes:
        trainer.iterate()
    return trainer, time.process_time() - began


def judged(config: TrainConfig, trainer: LocalTrainer, cpu_seconds: float) -> Row:
    """How near the trained policies' play is to a known answer.

    `regret` is what a best reply would gain on average over types, in $ a period; empty where the game is none of
    counts.
    """
    env = make_env(config, num_envs=COPIES)
    if not isinstance(env, OneShotGame):
        raise ValueError(f"{config.env} has no known answer: want one of games/{', games/'.join(PRESETS)}")
    root = root_seed(config)
    policy = Policy(trainer.rollouts[0].network, seed=stream(root, "evaluation", "action"))
    seed = stream(root, "evaluation", "env")
    profile = profile_of(env, lambda step: policy.act(step.obs, step.mean_action), STEPS, seed)
    solution = env.solution()
    answer, distance = solution.nearest(profile)
    gain = ""
    if isinstance(env.rules, AnonymousRules):
        by_type = regret(env.rules.payoffs, env.rules.sizes, profile[:, 0])
        gain = f"{float(env.rules.sizes @ by_type) / env.num_agents:.6g}"
    counters = trainer.progress()
    return {
        "config": config_hash(config),
        "algorithm": config.algorithm,
        "method": config.method,
        "game": config.env.removeprefix("games/"),
        "seed": str(config.seed),
        "solved": str(int(solution.solved_by(profile))),
        "answer": answer,
        "distance": f"{distance:.6g}",
        "tolerance": f"{solution.tolerance:g}",
        "unit": solution.unit,
        "regret": gain,
        **{name: str(counters[name]) for name in ("env_steps", "agent_steps", "gradient_steps")},
        "cpu_s": f"{cpu_seconds:.2f}",
    }


def read_rows(path: Path) -> list[Row]:
    """The rows of an earlier call; none where there is no file.

    Raises:
        ValueError: where the file has other columns.
    """
    if not path.exists():
        return []
    with path.open(newline="") as file:
        reader = csv.DictReader(file)
        if tuple(reader.fieldnames or ()) != COLUMNS:
            raise ValueError(f"{path} has columns {reader.fieldnames}; want {list(COLUMNS)}: give another --out")
        return list(reader)


def write_rows(path: Path, rows: Iterable[Row]) -> None:
    """All rows, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.tmp")
    with temporary.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    os.replace(temporary, path)


def table(rows: Sequence[Row]) -> str:
    """One line a game, as Markdown."""
    lines = [
        "| game | solved | distance: mean, largest | allowed | regret, largest | environment steps | agent steps "
        "| processor s, median |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for game in dict.fromkeys(row["game"] for row in rows):
        mine = [row for row in rows if row["game"] == game]
        away = np.array([float(row["distance"]) for row in mine])
        regrets = [float(row["regret"]) for row in mine if row["regret"]]
        answers = [row["answer"] for row in mine if row["solved"] == "1"]
        told = ", ".join(f"{answers.count(name)} {name}" for name in dict.fromkeys(answers))
        cells = [
            game,
            f"{len(answers)} of {len(mine)}" + (f" ({told})" if told else ""),
            f"{away.mean():.3f}, {away.max():.3f}",
            f"{mine[0]['tolerance']} {mine[0]['unit']}",
            f"{max(regrets):.3f}" if regrets else "-",
            f"{max(int(row['env_steps']) for row in mine):,}",
            f"{max(int(row['agent_steps']) for row in mine):,}",
            f"{np.median([float(row['cpu_s']) for row in mine]):.1f}",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Train what is missing, and print the table; 1 where some seed did not solve its game."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--algorithm", choices=sorted(ALGORITHMS), default="mfq")
    parser.add_argument("--method", choices=sorted(METHODS), default=None, help="that of the configuration")
    parser.add_argument("--games", nargs="+", choices=list(PRESETS), default=list(PRESETS))
    parser.add_argument("--seeds", type=int, default=20, help="seeds 1 to this")
    parser.add_argument("--config", type=Path, default=CONFIG)
    parser.add_argument("--set", nargs="+", default=[], metavar="KEY=VALUE", help="other settings of the configuration")
    parser.add_argument("--out", type=Path, default=ROOT / "runs" / "known_games.csv", help="CSV to write and resume")
    options = parser.parse_args(argv)
    # small products: more threads than one only wait for each other
    torch.set_num_threads(1)
    rows = read_rows(options.out)
    done = {row["config"]: row for row in rows}
    asked = []
    for game in options.games:
        for seed in range(1, options.seeds + 1):
            flags = {"algorithm": options.algorithm, "method": options.method, "env": f"games/{game}", "seed": seed}
            config = read_config(options.config, flags, options.set)
            found = done.get(config_hash(config))
            if found is None:
                found = judged(config, *trained(config))
                rows.append(found)
                write_rows(options.out, rows)
            asked.append(found)
    print(table(asked))
    return 0 if all(row["solved"] == "1" for row in asked) else 1


if __name__ == "__main__":
    sys.exit(main())
