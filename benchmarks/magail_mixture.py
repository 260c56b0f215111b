"""How near MAGAIL's joint law comes to experts of the coordination game whose actions are correlated, with and without
a signal that both agents see; and what of that comes from which setting of the signal.

Prints for each expert and variant the JS distance after training (mean over seeds with its 95 % interval, the worst
seed), how many seeds are below .05 and how many play both AA and BB at least 5 % of the time, the least probability of
a signal, and the gains of an agent that leaves before it is told the signal (0 or less: a coarse correlated
equilibrium) and after. Writes the distances over training as CSV, and a figure beside it.

    OMP_NUM_THREADS=1 python benchmarks/magail_mixture.py --out docs/figures/magail_mixture.csv
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from analysis.figures.magail_mixture import magail_mixture  # noqa: E402
from analysis.statistics import interval  # noqa: E402
from envs.markov import coordination  # noqa: E402
from envs.markov.experts import coordination_joint, coordination_samples  # noqa: E402
from mfmarl.imitation.magail.history import History  # noqa: E402
from mfmarl.imitation.magail.joint import independent_limit, js_distance  # noqa: E402
from mfmarl.imitation.magail.mixture import gap_after_signal  # noqa: E402
from mfmarl.imitation.magail.rollouts import Arena  # noqa: E402
from mfmarl.imitation.magail.settings import MAGAILConfig, Run  # noqa: E402
from mfmarl.imitation.magail.tabular import magail  # noqa: E402
from mfmarl.runs.files import replacing  # noqa: E402

SHOWN: dict[str, dict[str, Any]] = {
    "independent": {},
    "two signals": {"mixture": {}},
    "two signals, no information": {"mixture": {"information": 0}},
    "four signals": {"mixture": {"signals": 4}},
}
"""Variants that are drawn, for all experts."""
OTHERS: dict[str, dict[str, Any]] = {
    "four signals, no information": {"mixture": {"signals": 4, "information": 0}},
    "two equal signals": {"mixture": {"learnt": False}},
    "two equal signals, no information": {"mixture": {"learnt": False, "information": 0}},
    "two signals, learnt at .01": {"mixture": {"lr": 0.01}},
    "two signals, information .3": {"mixture": {"information": 0.3}},
    "two signals, information fades to the end": {"mixture": {"until": 1}},
    "two signals, gradient from all rollouts": {"mixture": {}, "policy_from": "rollouts"},
    "two signals, baseline": {"mixture": {}, "baseline": True},
    "two signals, gail": {"mixture": {}, "reward_style": "gail"},
    "two signals, gail, no information": {"mixture": {"information": 0}, "reward_style": "gail"},
    "two signals, airl": {"mixture": {}, "reward_style": "airl"},
    "two signals, beta .1": {"mixture": {}, "beta": 0.1},
    "two signals, perceptrons": {"mixture": {}, "network": {}},
}
"""Variants for the first expert alone."""
NEAR, MODE = 0.05, 0.05


def trained(expert: str, variant: Mapping[str, Any], seeds: int, epochs: int) -> History:
    """All seeds of one variant, in one batch."""
    counts = np.zeros((1, 2, 2), np.int64)
    np.add.at(counts[0], tuple(coordination_samples(expert).T), 1)
    own = dict(variant)
    beta = own.pop("beta", 0.0)
    config = MAGAILConfig.model_validate({"epochs": epochs, "collect_every": 20, **own})
    return magail(Arena((2, 2), np.ones(1)), counts, [Run(seed, beta) for seed in range(seeds)], config)


def line(history: History, distances: np.ndarray[Any, Any]) -> str:
    """What one variant came to."""
    last, found = history.joint[-1], interval(distances[-1]).within((0, 1))
    both = int((np.diagonal(last[:, 0], axis1=1, axis2=2).min(1) >= MODE).sum())
    game, n = coordination(), len(history.runs)
    weights = np.ones((n, 1)) if history.weights is None else history.weights[-1]
    given = [pi[-1] for pi in history.given] or [pi[-1][:, None] for pi in history.policies]
    before, after = game.cce_gap(last), gap_after_signal(game, weights, given)
    return (
        f"{found.estimate:.4f} [{found.low:.4f}, {found.high:.4f}]  worst {distances[-1].max():.4f}  "
        f"near {(distances[-1] < NEAR).sum():2}/{n}  both {both:2}/{n}  least w {weights.min():.2f}  "
        f"before {before.mean():+.3f}  after {after.mean():.4f}"
    )


def main() -> None:
    """Measure, print and write."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--seeds", type=int, default=32)
    ask.add_argument("--epochs", type=int, default=2000)
    ask.add_argument("--experts", nargs="+", default=["bimodal", "asymmetric", "noisy"])
    ask.add_argument("--shown_only", action="store_true", help="leave out the variants that are not drawn")
    ask.add_argument("--out", type=Path, default=Path("magail_mixture.csv"))
    asked = ask.parse_args()
    torch.set_num_threads(1)
    rows, limits = [], {}
    for k, expert in enumerate(asked.experts):
        joint = coordination_joint(expert)[0]
        limits[expert] = independent_limit(joint)
        print(f"\n{expert}: the least distance of independent agents is {limits[expert]:.4f}")
        for name, variant in (SHOWN if k or asked.shown_only else SHOWN | OTHERS).items():
            began = time.process_time()
            history = trained(expert, variant, asked.seeds, asked.epochs)
            spent = time.process_time() - began
            distances = js_distance(joint.ravel(), history.joint.reshape(len(history.epochs), asked.seeds, -1))
            print(f"  {name:42} {line(history, distances)}  {spent:5.1f} CPU s", flush=True)
            if name in SHOWN:
                for epoch, of_runs in zip(history.epochs, distances, strict=True):
                    found = interval(of_runs).within((0, 1))
                    rows.append((expert, name, int(epoch), found.estimate, found.low, found.high, of_runs.max()))
    table = pd.DataFrame(rows, columns=["expert", "method", "epoch", "mean", "low", "high", "worst"])
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    with replacing(asked.out) as temporary:
        table.round(5).to_csv(temporary, index=False, lineterminator="\n")
    with replacing(asked.out.with_suffix(".png")) as temporary:
        magail_mixture(table, limits, NEAR).savefig(temporary, format="png", dpi=110)


if __name__ == "__main__":
    main()
