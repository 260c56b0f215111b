"""The Nash imitation gap of cloning and occupancy matching against the number of sampled expert trajectories.

Random games with and without coupling of the transitions, short and long; the expert is an equilibrium found by mirror
prox. Writes every learner, number and seed as CSV, and prints means with 95 % t intervals and paired differences.

    OMP_NUM_THREADS=1 python benchmarks/imitation_samples.py --out docs/figures/imitation_samples.csv
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import pandas as pd

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from analysis.figures.imitation_samples import imitation_samples  # noqa: E402
from analysis.imitation_gap import gap_differences, gap_intervals  # noqa: E402
from envs.mean_field.games.garnet import garnet  # noqa: E402
from mfmarl.imitation.adversarial import Descent  # noqa: E402
from mfmarl.imitation.population import nig_against_samples  # noqa: E402
from mfmarl.runs.files import replacing  # noqa: E402
from mfmarl.solvers import solve  # noqa: E402

GAMES = {f"H = {horizon}, L_P = {pull:g}": (horizon, pull) for horizon in (8, 30) for pull in (0.0, 2.0)}
PAIRS = [("MFC-ADV", "VAN-ADV"), ("VAN-ADV", "BC"), ("MFC-ADV", "BC")]


def main() -> None:
    """Measure, print and write."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--samples", type=int, nargs="+", default=[3, 10, 30, 100])
    ask.add_argument("--seeds", type=int, default=20)
    ask.add_argument("--steps", type=int, default=200)
    ask.add_argument("--loss", choices=["L1", "squared"], default="L1")
    ask.add_argument("--out", type=Path, default=Path("imitation_samples.csv"))
    given = ask.parse_args()
    tables: dict[str, pd.DataFrame] = {}
    for name, (horizon, pull) in GAMES.items():
        began = time.process_time()
        game = garnet(states=5, actions=3, successors=3, horizon=horizon, crowd=2.0, pull=pull)
        expert = solve(game, tol=1e-3, max_iterations=1000)
        descent = Descent(steps=given.steps, rate=0.3, loss=given.loss)
        table = nig_against_samples(game, expert.pi, given.samples, range(given.seeds), descent=descent)
        tables[name] = table
        uniform, spent = float(game.exploitability(game.uniform_policy())), time.process_time() - began
        print(f"\n{name}: gap of the expert {expert.exploitability:.1e}, of uniform play {uniform:.3g}; {spent:.0f} s")
        print(gap_intervals(table).round(3).to_string(index=False))
        print(gap_differences(table, PAIRS).round(3).to_string(index=False), flush=True)
    whole = pd.concat([table.assign(game=name) for name, table in tables.items()], ignore_index=True)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    with replacing(given.out) as temporary:
        whole.round(6).to_csv(temporary, index=False, lineterminator="\n")
    with replacing(given.out.with_suffix(".png")) as temporary:
        imitation_samples(tables).savefig(temporary, format="png", dpi=110)


if __name__ == "__main__":
    main()
