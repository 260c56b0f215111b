"""Returns and CPU seconds of GAIL and AIRL on CartPole, Acrobot and Pendulum, and the survival probe.

Ten episodes of a written expert (mfmarl/imitation/experts.py), settings of configs/imitate; each seed is a row of a CSV
as soon as it is there, and is not run again. Mode and sampled returns are means over 20 episodes; CPU seconds are of
`train` alone. Prints means with 95 % t intervals.

    OMP_NUM_THREADS=1 python benchmarks/imitation_targets.py --out docs/figures/imitation_targets.csv
"""

from __future__ import annotations

import argparse
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from mfmarl.imitation.adversarial_agent import AdversarialAgent  # noqa: E402
from mfmarl.imitation.airl import AIRLAgent  # noqa: E402
from mfmarl.imitation.demonstrations import Demonstrations  # noqa: E402
from mfmarl.imitation.experts import RULES  # noqa: E402
from mfmarl.imitation.gail import GAILAgent  # noqa: E402
from mfmarl.imitation.plan import Settings, settings_of  # noqa: E402
from mfmarl.imitation.result import generator  # noqa: E402
from mfmarl.imitation.rollout import episodes, spaces_of  # noqa: E402
from mfmarl.imitation.survival import survival_probe  # noqa: E402
from mfmarl.runs.files import replacing  # noqa: E402

METHODS: dict[str, type[AdversarialAgent[Any]]] = {"GAIL": GAILAgent, "AIRL": AIRLAgent}
TASKS = {env: (name, rule) for name, (env, rule) in RULES.items()}
PROBE, PROBED = "survival probe", "CartPole-v1"


def settings(method: str, env: str) -> Settings:
    """Of one task, as `mfmarl imitate --config` takes them."""
    return settings_of(None, None, ROOT / "configs" / "imitate" / f"{method.lower()}_{TASKS[env][0]}.yaml")


def measure(method: str, env: str, seed: int, demonstrations: Demonstrations) -> dict[str, Any]:
    """One row."""
    given = settings(method, env)
    agent = METHODS[method](given.config, env, demonstrations, seed)
    began = time.process_time()
    result = agent.train(given.of_plan["interactions"])
    spent = time.process_time() - began
    drawn = generator(seed)
    played = {
        kind: episodes(env, partial(result.policy.act, generator=by), 20, 1000 + seed)
        for kind, by in (("mode", None), ("sampled", drawn))
    }
    returns = {kind: float(np.mean([one.rewards.sum() for one in shown])) for kind, shown in played.items()}
    return {"interactions": result.counts.interactions, "cpu_s": spent, **returns}


def main() -> None:
    """Measure what is missing, write, print."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--seeds", type=int, default=5)
    ask.add_argument("--tasks", nargs="+", default=[*TASKS, PROBE], choices=[*TASKS, PROBE])
    ask.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    ask.add_argument("--out", type=Path, default=Path("imitation_targets.csv"))
    given = ask.parse_args()
    rows: list[dict[str, Any]] = pd.read_csv(given.out).to_dict("records") if given.out.exists() else []
    given.out.parent.mkdir(parents=True, exist_ok=True)
    shown = {
        env: Demonstrations.from_episodes(episodes(env, TASKS[env][1], 10, 0), spaces_of(env), env)
        for env in given.tasks
        if env != PROBE
    }
    for env, demonstrations in shown.items():
        print(f"{env}: the expert's return is {demonstrations.returns.mean():.1f}", flush=True)
    for seed in range(given.seeds):
        for env in given.tasks:
            for method in given.methods:
                if any((row["env"], row["method"], row["seed"]) == (env, method, seed) for row in rows):
                    continue
                if env == PROBE:
                    of = settings(method, PROBED)
                    number = of.of_plan["interactions"]
                    sampled = survival_probe(METHODS[method], of.config, number, seed, PROBED)
                    row: dict[str, Any] = {"interactions": number, "sampled": sampled}
                else:
                    row = measure(method, env, seed, shown[env])
                rows.append({"env": env, "method": method, "seed": seed, **row})
                print({key: round(x, 1) if isinstance(x, float) else x for key, x in rows[-1].items()}, flush=True)
                with replacing(given.out) as temporary:
                    pd.DataFrame(rows).round(2).to_csv(temporary, index=False, lineterminator="\n")
    print(summary(pd.DataFrame(rows)).to_string(index=False))


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Means, 95 % t intervals and the worst seed of each task and method."""
    found = []
    for (env, method), group in table.groupby(["env", "method"], sort=False):
        for kind in ("mode", "sampled", "cpu_s"):
            values = group[kind].dropna().to_numpy(float)
            if not len(values):
                continue
            half = float(stats.t.ppf(0.975, len(values) - 1) * stats.sem(values)) if len(values) > 1 else np.nan
            worst = values.max() if kind == "cpu_s" else values.min()
            found.append((env, method, kind, len(values), values.mean(), half, worst))
    columns = ["env", "method", "figure", "seeds", "mean", "half width", "worst"]
    return pd.DataFrame(found, columns=columns).round(1)


if __name__ == "__main__":
    main()
