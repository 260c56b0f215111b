"""MF-Q on `inventory/market-easy`, N = 100: profit of ten seeds of each method, and the processor time they took.

    python benchmarks/easy_seeds.py --out docs/figures/easy_seeds.csv

Resumable: a run that is complete is not trained again, one of another configuration is not taken for it. Processor
time is that of all parts of a run, what a killed part repeats included. Two processes at a time.
"""

from __future__ import annotations

import argparse
import csv
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from mfmarl.config import config_hash, read_config  # noqa: E402
from mfmarl.runs.store import read_evaluation  # noqa: E402

WORKER = """
import os, sys, threading, time
from mfmarl.cli import run_command

writing = threading.Lock()

def note():
    with writing, open(sys.argv[1] + ".tmp", "w") as file:
        file.write(str(time.process_time()))
        file.flush()
        os.replace(sys.argv[1] + ".tmp", sys.argv[1])

def keep_noting():
    # a part that is killed has used what it last noted
    while True:
        note()
        time.sleep(2)

threading.Thread(target=keep_noting, daemon=True).start()
code = run_command(sys.argv[2:])
note()
sys.exit(code)
"""
"""Runs a command and keeps the processor time it has used in the file of the first argument."""


def run_name(method: str, seed: int, num_episodes: int) -> str:
    """A run's folder: what is trained is told apart by the hash of its whole configuration."""
    config = read_config(None, {"method": method, "seed": seed, "num_episodes": num_episodes})
    return f"{method}-s{seed}-{config_hash(config)}"


def parts(runs_dir: Path, name: str) -> list[Path]:
    """The clocks of a run: one for each time that it was started or resumed."""
    return sorted(runs_dir.glob(f"{name}.part*.cpu"))


def cpu_seconds(runs_dir: Path, name: str) -> float:
    """Processor time of all parts of a run."""
    return sum(float(part.read_text()) for part in parts(runs_dir, name))


def evaluated(run: Path, episodes: int) -> bool:
    """Whether the run was evaluated over so many episodes."""
    path = run / "evaluation.h5"
    return path.exists() and read_evaluation(path).policies["trained"].metrics["return"].shape[0] == episodes


def main() -> int:
    """Train, evaluate, print a table and write it as CSV."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--num-episodes", type=int, default=1600)
    parser.add_argument("--episodes", type=int, default=64, help="evaluation episodes")
    parser.add_argument("--runs-dir", type=Path, default=ROOT / "runs" / "easy_seeds")
    parser.add_argument("--out", type=Path, default=None, help="CSV to write")
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    options.runs_dir.mkdir(parents=True, exist_ok=True)
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}

    def cell(method: str, seed: int) -> dict[str, object]:
        run = options.runs_dir / run_name(method, seed, options.num_episodes)
        if not (run / "complete.json").exists():
            train = ["train", "--local", "--quiet", "--method", method, "--seed", str(seed), "--name", run.name]
            train += ["--num-episodes", str(options.num_episodes), "--runs-dir", str(options.runs_dir)]
            if (run / "run.json").exists():
                train = ["train", "--local", "--quiet", "--resume", str(run)]
            clock = options.runs_dir / f"{run.name}.part{len(parts(options.runs_dir, run.name)):03d}.cpu"
            command = [sys.executable, "-c", WORKER, str(clock), *train]
            subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
        if not evaluated(run, options.episodes):
            command = [sys.executable, "-m", "mfmarl", "evaluate", str(run), "--episodes", str(options.episodes)]
            subprocess.run(command, env=environment, check=True, capture_output=True)
        policies = read_evaluation(run / "evaluation.h5").policies
        row = {name: float(np.mean(table.metrics["return"])) for name, table in policies.items()}
        return {"method": method, "seed": seed, **row, "cpu_s": cpu_seconds(options.runs_dir, run.name)}

    with ThreadPoolExecutor(options.jobs) as pool:
        cells = [(m, s) for s in range(1, options.seeds + 1) for m in ("mf", "is")]
        rows = list(pool.map(lambda c: cell(*c), cells))
    rows.sort(key=lambda r: (str(r["method"]), int(str(r["seed"]))))
    names = list(rows[0])
    print("  ".join(f"{n:>10}" for n in names))
    for row in rows:
        print("  ".join(f"{v:10.1f}" if isinstance(v, float) else f"{v:>10}" for v in row.values()))
    for method in ("mf", "is"):
        mine = np.array([float(str(r["trained"])) for r in rows if r["method"] == method])
        used = np.array([float(str(r["cpu_s"])) for r in rows if r["method"] == method])
        print(
            f"{method}: {int((mine >= 1400).sum())} of {mine.size} seeds reach 1400; "
            f"lowest {mine.min():.1f}, mean {mine.mean():.1f}; at most {used.max():.0f} s of one core"
        )
    if options.out is not None:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        with options.out.open("w", newline="") as file:
            writer = csv.DictWriter(file, names)
            writer.writeheader()
            writer.writerows(rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
