"""Returns and CPU seconds of GAIL and AIRL on CartPole, Acrobot and Pendulum, and the survival probe.

Ten episodes of a written expert; each seed is a row of a CSV as soon as it is there, and is not run again. Mode and
sampled returns are means over 20 episodes; CPU seconds are of `train` alone. Prints means with 95 % t intervals.

    OMP_NUM_THREADS=1 python benchmarks/imitation_targets.py --out docs/figures/imitation_targets.csv
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from mfmarl.imitation.adversarial_agent import AdversarialAgent  # noqa: E402
from mfmarl.imitation.airl import AIRLAgent  # noqa: E402
from mfmarl.imitation.demonstrations import Demonstrations  # noqa: E402
from mfmarl.imitation.gail import GAILAgent  # noqa: E402
from mfmarl.imitation.result import generator  # noqa: E402
from mfmarl.imitation.rollout import episodes, spaces_of  # noqa: E402
from mfmarl.imitation.survival import survival_probe  # noqa: E402
from mfmarl.runs.files import replacing  # noqa: E402

States = NDArray[np.float32]
METHODS: dict[str, type[AdversarialAgent[Any]]] = {"GAIL": GAILAgent, "AIRL": AIRLAgent}


def balance(states: States) -> NDArray[Any]:
    """CartPole: push where the pole leans and falls."""
    return (states @ np.array([0.05, 0.3, 3.0, 1.0]) > 0).astype(np.int64)


def swing(states: States) -> NDArray[Any]:
    """Acrobot: torque along the difference of the joints' speeds."""
    return np.where(states[:, 5] > states[:, 4], 2, 0)


def swing_up(states: States) -> NDArray[Any]:
    """Pendulum: bring its energy to that of standing still on top, then hold it there."""
    cos, sin, speed = states.T
    angle, energy = np.arctan2(sin, cos), speed**2 / 6 + 5 * (cos - 1)
    pump = np.where(np.abs(speed) < 1e-3, 2.0, np.sign(speed) * np.clip(-2 * energy, -2, 2))
    near = (np.abs(angle) < 0.6) & (np.abs(speed) < 3.5)
    return np.clip(np.where(near, -10 * angle - 2.5 * speed, pump), -2, 2)[:, None].astype(np.float32)


TASKS: dict[str, tuple[Callable[[States], NDArray[Any]], int]] = {
    "CartPole-v1": (balance, 60_000),
    "Acrobot-v1": (swing, 60_000),
    "Pendulum-v1": (swing_up, 98_000),
}
SHARED: dict[str, Any] = {
    "hidden_dims": (64, 64), "num_envs": 16, "rollout": 32, "policy_lr": 2e-3, "discriminator_lr": 1e-3,
    "discriminator_steps": 4, "discriminator_batch": 256, "past_rollouts": 9,
    "ppo": {"epochs": 8, "minibatch": 512},
}  # fmt: skip
SETTINGS: dict[str, dict[str, Any]] = {
    "CartPole-v1": {},
    "Acrobot-v1": {},
    "Pendulum-v1": {
        "rollout": 128, "policy_lr": 3e-3, "discriminator_lr": 3e-3, "discriminator_steps": 10,
        "discriminator_batch": 1024, "past_rollouts": 0, "gradient_penalty": 0.1,
        "ppo": {"minibatch": 512, "discount": 0.95},
    },
}  # fmt: skip
"""A slope of 1 is too flat for continuous actions that must be told apart finely, and a horizon of 20 steps enough."""
PROBE = "survival probe"


def settings(env: str) -> dict[str, Any]:
    """Of one task: what all share, but for what is said above; the rest are defaults."""
    spaces = spaces_of(env)
    of_spaces = {name: getattr(spaces, name) for name in ("state_dim", "action_dim", "low", "high")}
    return of_spaces | SHARED | SETTINGS[env]


def measure(method: str, env: str, seed: int, demonstrations: Demonstrations) -> dict[str, Any]:
    """One row."""
    agent = METHODS[method](settings(env), env, demonstrations, seed)
    began = time.process_time()
    result = agent.train(TASKS[env][1])
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
        env: Demonstrations.from_episodes(episodes(env, TASKS[env][0], 10, 0), spaces_of(env), env)
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
                    sampled = survival_probe(METHODS[method], settings("CartPole-v1"), 60_000, seed)
                    row: dict[str, Any] = {"interactions": 60_000, "sampled": sampled}
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
