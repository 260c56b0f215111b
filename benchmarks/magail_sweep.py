"""CPU seconds of MAGAIL's coordination sweep (5 betas x 5 seeds x 400 epochs) in one batch, and run by run.

OMP_NUM_THREADS=1 python benchmarks/magail_sweep.py [--epochs 400] [--neural]
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from mfmarl.imitation.magail.joint import coordination_rate
from mfmarl.imitation.magail.neural import Network
from mfmarl.imitation.magail.rollouts import Arena
from mfmarl.imitation.magail.tabular import MAGAILConfig, Run, magail

BETAS, SEEDS = (0.0, 0.1, 0.5, 1.0, 5.0), (42, 123, 456, 789, 999)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=400)
    parser.add_argument("--neural", action="store_true", help="perceptrons of two layers of 32, not tables")
    given = parser.parse_args(argv)
    config = MAGAILConfig(epochs=given.epochs, network=Network() if given.neural else None)
    torch.set_num_threads(1)
    arena, bimodal = Arena((2, 2), np.ones(1)), np.array([[[500, 0], [0, 500]]])
    runs = [Run(seed, beta) for beta in BETAS for seed in SEEDS]
    magail(arena, bimodal, runs[:1], config.model_copy(update={"epochs": 2}))
    began = time.process_time()
    history = magail(arena, bimodal, runs, config)
    batch = time.process_time() - began
    rates = coordination_rate(history.joint[-1, :, 0]).reshape(len(BETAS), len(SEEDS)).mean(1)
    print(f"one batch: {batch:.2f} CPU seconds; coordination rates {rates.round(3)} at beta {BETAS}", flush=True)
    began = time.process_time()
    for run in runs:
        magail(arena, bimodal, [run], config)
    alone = time.process_time() - began
    print(f"run by run: {alone:.2f} CPU seconds, {alone / batch:.1f} times as many")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
