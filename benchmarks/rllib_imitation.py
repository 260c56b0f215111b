"""Returns of GAIL and AIRL with RLlib's PPO for a policy, with the settings that the core's are measured by.

Ten episodes of the same written expert as there; each seed is a row of a CSV as soon as it is there, and is not run
again. Mode and sampled returns are means over 20 episodes; CPU seconds are of the whole training.

    OMP_NUM_THREADS=1 python benchmarks/rllib_imitation.py --out docs/figures/rllib_imitation.csv
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.imitation_targets import TASKS, settings
from mfmarl.imitation.demonstrations import Demonstrations
from mfmarl.imitation.result import generator
from mfmarl.imitation.rollout import episodes, spaces_of
from mfmarl.rllib.action_laws import acting
from mfmarl.rllib.adversarial_imitation import algorithm_config, imitate_by_rllib
from mfmarl.runs.files import replacing

ENV = "CartPole-v1"


def measure(method: Any, seed: int, demonstrations: Demonstrations) -> dict[str, Any]:
    """One row."""
    began = time.process_time()
    given = settings(method, ENV)
    config = algorithm_config(method, ENV, given.config, demonstrations, given.of_plan["interactions"], seed)
    found = imitate_by_rllib(config)
    spent = time.process_time() - began
    played = {
        kind: episodes(ENV, acting(found.module, demonstrations.spaces, by), 20, 1000 + seed)
        for kind, by in (("mode", None), ("sampled", generator(seed)))
    }
    returns = {kind: float(np.mean([one.rewards.sum() for one in shown])) for kind, shown in played.items()}
    return {"interactions": found.history[-1]["interactions"], "cpu_s": spent, **returns}


def main() -> None:
    """Measure what is missing, write, print."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--method", default="gail", choices=["gail", "airl"])
    ask.add_argument("--seeds", type=int, default=5)
    ask.add_argument("--out", type=Path, default=Path("rllib_imitation.csv"))
    given = ask.parse_args()
    rows: list[Any] = pd.read_csv(given.out).to_dict("records") if given.out.exists() else []
    given.out.parent.mkdir(parents=True, exist_ok=True)
    demonstrations = Demonstrations.from_episodes(episodes(ENV, TASKS[ENV][1], 10, 0), spaces_of(ENV), ENV)
    for seed in range(given.seeds):
        if any((row["method"], row["seed"]) == (given.method, seed) for row in rows):
            continue
        rows.append({"env": ENV, "method": given.method, "seed": seed, **measure(given.method, seed, demonstrations)})
        print({key: round(x, 1) if isinstance(x, float) else x for key, x in rows[-1].items()}, flush=True)
        with replacing(given.out) as temporary:
            pd.DataFrame(rows).round(2).to_csv(temporary, index=False, lineterminator="\n")


if __name__ == "__main__":
    main()
