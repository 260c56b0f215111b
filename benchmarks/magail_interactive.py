"""NashConv of imitators against how often they asked: where deviators lead, where they are, where experts are.

The zero-sum game of spec/magail.md, whose expert never sees the state that decides, and random zero-sum games with an
equilibrium as expert. Prints means with 95 % intervals over seeds and CPU seconds, writes CSV and a figure beside it.

    OMP_NUM_THREADS=1 python benchmarks/magail_interactive.py --out docs/figures/magail_interactive.csv
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from analysis.figures.magail_interactive import magail_interactive  # noqa: E402
from analysis.statistics import interval  # noqa: E402
from envs.markov import minimax_policies, zero_sum, zero_sum_garnet  # noqa: E402
from envs.markov.experts import zero_sum_policies  # noqa: E402
from mfmarl.imitation.magail.interactive import InteractiveConfig, interactive  # noqa: E402
from mfmarl.runs.files import replacing  # noqa: E402

WAYS = {
    "best_response": "MAIL-BRO: against best responses",
    "uncertainty": "MURMAIL: against the way to the least known",
    "own": "DAgger: learners alone",
    "expert": "BC: experts alone",
}


def main() -> None:
    """Measure, print and write."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--seeds", type=int, default=16)
    ask.add_argument("--rounds", type=int, default=100)
    ask.add_argument("--update", choices=["counting", "mirror"], default="counting")
    ask.add_argument("--out", type=Path, default=Path("magail_interactive.csv"))
    given = ask.parse_args()
    trap = zero_sum()
    games = {"zero-sum game, expert (2, 2)": (trap, zero_sum_policies(trap), 2)}
    for k in range(3):
        game = zero_sum_garnet(10, 3, 2, seed=k)
        games[f"random game {k}"] = (game, minimax_policies(game), 20)
    tables = {}
    for name, (game, expert, queries) in games.items():
        print(f"\n{name}: NashConv of the expert {game.nash_conv(expert):.1e}")
        rows = []
        for way, words in WAYS.items():
            config = InteractiveConfig.model_validate(
                {"ask": way, "rounds": given.rounds, "queries": queries, "update": given.update}
            )
            began = time.process_time()
            history = interactive(game, expert, range(given.seeds), config)
            spent = time.process_time() - began
            for k in [0, *np.unique(np.geomspace(1, given.rounds, 60).astype(int))]:
                found = interval(history.nash_conv[k])
                rows.append(
                    (words, int(history.queries[k]), found.estimate, found.low, found.high, found.n, found.method)
                )
            told = [
                f"{history.queries[k]}: {history.nash_conv[k].mean():.3f}"
                for k in np.unique(np.geomspace(1, given.rounds, 6).astype(int))
            ]
            print(f"  {words:45} {'  '.join(told)}   worst seed {history.nash_conv[-1].max():.3f}; {spent:.1f} CPU s")
        columns = ["method", "queries", "mean", "low", "high", "n", "interval"]
        tables[name] = pd.DataFrame(rows, columns=columns)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    whole = pd.concat([table.assign(game=name) for name, table in tables.items()], ignore_index=True)
    with replacing(given.out) as temporary:
        whole.round(4).to_csv(temporary, index=False, lineterminator="\n")
    with replacing(given.out.with_suffix(".png")) as temporary:
        magail_interactive(tables).savefig(temporary, format="png", dpi=110)


if __name__ == "__main__":
    main()
