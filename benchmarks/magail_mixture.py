"""How near MAGAIL's joint law comes to experts of the coordination game whose actions are correlated, with and without
a signal that both agents see; and what of that comes from which setting of the signal.

Prints for each expert and variant the JS distance after training (mean over seeds with its 95 % interval, the worst
seed), how many seeds are below .05 and how many play both AA and BB at least 5 % of the time, the least probability of
a signal, and the gains of an agent that leaves before it is told the signal (0 or less: a coarse correlated
equilibrium) and after. Writes the same as CSV, a row a variant, and draws the distances over training where asked.

    OMP_NUM_THREADS=1 python benchmarks/magail_mixture.py --out docs/figures/magail_mixture.csv
    OMP_NUM_THREADS=1 python benchmarks/magail_mixture.py --shown_only --figure docs/figures/magail_mixture.png
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
from mfmarl.imitation.magail.many_runs import magail  # noqa: E402
from mfmarl.imitation.magail.mixture import gap_after_signal  # noqa: E402
from mfmarl.imitation.magail.rollouts import Arena  # noqa: E402
from mfmarl.imitation.magail.settings import MAGAILConfig, Run  # noqa: E402
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


def outcome(history: History, distances: np.ndarray[Any, Any]) -> dict[str, float]:
    """What one variant came to: `distances` [K, R], of which the last record counts."""
    last, found = history.joint[-1], interval(distances[-1]).within((0, 1))
    game, n = coordination(), len(history.runs)
    weights = np.ones((n, 1)) if history.weights is None else history.weights[-1]
    given = [pi[-1] for pi in history.given] or [pi[-1][:, None] for pi in history.policies]
    return {
        "n": n,
        "mean": found.estimate,
        "low": found.low,
        "high": found.high,
        "worst": distances[-1].max(),
        "near": int((distances[-1] < NEAR).sum()),
        "both": int((np.diagonal(last[:, 0], axis1=1, axis2=2).min(1) >= MODE).sum()),
        "least_weight": weights.min(),
        "before": game.cce_gap(last).mean(),
        "after": gap_after_signal(game, weights, given).mean(),
    }


LINE = (
    "{method:42} {mean:.4f} [{low:.4f}, {high:.4f}]  worst {worst:.4f}  near {near:2}/{n}  both {both:2}/{n}  "
    "least w {least_weight:.2f}  before {before:+.3f}  after {after:.4f}"
)


def main() -> None:
    """Measure, print and write."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--seeds", type=int, default=32)
    ask.add_argument("--epochs", type=int, default=2000)
    ask.add_argument("--experts", nargs="+", default=["bimodal", "asymmetric", "noisy"])
    ask.add_argument("--shown_only", action="store_true", help="leave out the variants that are not drawn")
    ask.add_argument("--out", type=Path, default=Path("magail_mixture.csv"))
    ask.add_argument("--figure", type=Path, help="PNG of the distances over training")
    asked = ask.parse_args()
    torch.set_num_threads(1)
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    rows, curves, limits = [], [], {}
    for k, expert in enumerate(asked.experts):
        joint = coordination_joint(expert)[0]
        limits[expert] = independent_limit(joint)
        print(f"\n{expert}: the least distance of independent agents is {limits[expert]:.4f}")
        for name, variant in (SHOWN if k or asked.shown_only else SHOWN | OTHERS).items():
            began = time.process_time()
            history = trained(expert, variant, asked.seeds, asked.epochs)
            spent = time.process_time() - began
            distances = js_distance(joint.ravel(), history.joint.reshape(len(history.epochs), asked.seeds, -1))
            rows.append({"expert": expert, "method": name, **outcome(history, distances)})
            print(f"  {LINE.format(**rows[-1])}  {spent:5.1f} CPU s", flush=True)
            with replacing(asked.out) as temporary:
                pd.DataFrame(rows).round(5).to_csv(temporary, index=False, lineterminator="\n")
            if asked.figure and name in SHOWN:
                for epoch, of_runs in zip(history.epochs, distances, strict=True):
                    found = interval(of_runs).within((0, 1))
                    of = (found.estimate, found.low, found.high, found.n, found.method)
                    curves.append((expert, name, int(epoch), *of))
    if asked.figure:
        columns = ["expert", "method", "epoch", "mean", "low", "high", "n", "interval"]
        table = pd.DataFrame(curves, columns=columns)
        with replacing(asked.figure) as temporary:
            magail_mixture(table, limits, NEAR).savefig(temporary, format="png", dpi=110)


if __name__ == "__main__":
    main()
