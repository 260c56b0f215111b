"""One exploitability, batches of policies, and the time to exploitability 1e-3, beside MFGLib and OpenSpiel in one run.

The game is the crowd on a ring of the specification: S cells, actions -1, 0, 1, noise uniform on them,
r = 1 - |x - S//2| / (S//2) - ln(mu + 1e-25), T decisions, uniform policy. Peers are those that a folder has:

    pip install --no-deps --target peers mfglib==0.3.0 open_spiel==2.0.2 absl-py ml-collections "osqp<1" qdldl
    OMP_NUM_THREADS=1 python benchmarks/mean_field_games.py --peers peers [--out FILE.csv]

MFGLib is given the same game as an `Environment` of its own (T - 1 there: it counts the last decision's index), in its
default 32-bit numbers. OpenSpiel plays its C++ game `mfg_crowd_modelling`, whose rewards differ in constants alone.
The arithmetic limit is the time of the same number of dependent-free multiplications, additions and logarithms over
arrays that fit the first cache, by a compiled loop in the same run.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parents[1]))

from envs.compiled import compiled
from envs.mean_field.batch import machine_code
from envs.mean_field.games.crowd import EPSILON, crowd_1d
from mfmarl.solvers import solve

SIZES = ((10, 10), (30, 30), (100, 50))
TOLERANCE = 1e-3
SECONDS = 60.0
"""After which a solver is given up."""
BATCH = 1000
"""Policies of one call; 10^5 are played in a hundred such calls."""


def fastest(call: Callable[[], object], seconds: float = 1.5, least: int = 5) -> float:
    """Seconds of one call: the best of many."""
    call()
    best, began, rounds = np.inf, time.perf_counter(), 0
    while rounds < least or time.perf_counter() - began < seconds:
        start = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - start)
        rounds += 1
    return float(best)


def arithmetic_limit(size: int, horizon: int) -> float:
    """Seconds of the multiplications, additions and logarithms of one exploitability, and of nothing else."""
    # occupancies, what they earn, the flow, and the best response's sweep; three actions of three successors
    products = horizon * size * (3 + 3 + 9 + 9)
    values = np.linspace(0.1, 0.9, 512)

    def work(values: Any, products: int, logarithms: int) -> float:
        total = np.zeros(8)
        for i in range(products // 8):
            for j in range(8):
                total[j] += values[(8 * i + j) & 511] * 0.5
        last = 0.0
        for i in range(logarithms):
            last += np.log(values[i & 511] + EPSILON)
        return total.sum() + last

    run = compiled(work)
    return fastest(lambda: run(values, products, horizon * size), 0.5)


class MFGLib:
    """The same game in MFGLib's terms."""

    def __init__(self, size: int, horizon: int) -> None:
        import mfglib.alg  # noqa: F401  (its modules import one another; the other way round fails)
        import torch
        from mfglib.env import Environment

        game = crowd_1d(size, horizon)
        successors, prob = game.kernel.rows(0, game.initial)
        P = torch.zeros(size, size, 3)
        for (s, a, k), after in np.ndenumerate(successors):
            P[after, s, a] += float(prob[s, a, k])
        near = torch.tensor(1 - np.abs(np.arange(size) - size // 2) / (size // 2), dtype=torch.float32)

        def reward(env: Any, t: int, L_t: Any) -> Any:
            return (near - torch.log(L_t.sum(-1) + EPSILON))[:, None].repeat(1, 3)

        self.env = Environment(
            T=horizon - 1, S=(size,), A=(3,), mu0=torch.ones(size) / size, r_max=60.0,
            reward_fn=reward, transition_fn=lambda env, t, L_t: P,
        )  # fmt: skip
        self.uniform = torch.ones(horizon, size, 3) / 3

    def exploitability(self) -> float:
        from mfglib.scoring import exploitability_score

        return float(exploitability_score(self.env, self.uniform))

    def to_tolerance(self) -> tuple[float, str, float]:
        """Seconds, the algorithm and its lowest exploitability: the fastest of some, none of them tuned further."""
        from mfglib import alg

        tried = [alg.OnlineMirrorDescent(alpha) for alpha in (1.0, 0.1, 0.01)]
        tried += [alg.FictitiousPlay(), alg.PriorDescent()]
        found = []
        for solver in tried:
            rounds, gaps, seconds = 100, [np.inf], [0.0]
            # its time does not depend on how many rounds are asked for; the last call counts
            while min(gaps) > TOLERANCE and seconds[-1] < SECONDS / len(tried) / 2:
                _, gaps, seconds = solver.solve(self.env, max_iter=rounds, atol=TOLERANCE, rtol=None)
                rounds *= 4
            found.append((seconds[-1] if min(gaps) <= TOLERANCE else np.inf, str(solver), float(min(gaps))))
        return min(found)


class OpenSpiel:
    """Its own C++ game."""

    def __init__(self, size: int, horizon: int) -> None:
        import pyspiel
        from open_spiel.python import policy

        self.game = pyspiel.load_game(f"mfg_crowd_modelling(size={size},horizon={horizon})")
        self.uniform = policy.UniformRandomPolicy(self.game)

    def exploitability(self) -> float:
        from open_spiel.python.mfg.algorithms.nash_conv import NashConv

        return float(NashConv(self.game, self.uniform).nash_conv())

    def to_tolerance(self) -> tuple[float, str, float]:
        """Seconds, the algorithm and its lowest exploitability, by its mirror descent."""
        from open_spiel.python.mfg.algorithms.mirror_descent import MirrorDescent
        from open_spiel.python.mfg.algorithms.nash_conv import NashConv

        found = []
        for rate in (1.0, 0.1):
            solver, gap, began = MirrorDescent(self.game, lr=rate), np.inf, time.perf_counter()
            while gap > TOLERANCE and time.perf_counter() - began < SECONDS / 2:
                solver.iteration()
                gap = min(gap, NashConv(self.game, solver.get_policy()).nash_conv())
            seconds = time.perf_counter() - began
            found.append((seconds if gap <= TOLERANCE else np.inf, f"MirrorDescent(lr={rate})", float(gap)))
        return min(found)


def measured(size: int, horizon: int, solved: bool) -> list[dict[str, object]]:
    """A row for each way of one size."""
    game = crowd_1d(size, horizon)
    pi = game.uniform_policy()
    coded = machine_code(game)
    batch = np.broadcast_to(pi, (BATCH, *pi.shape)).copy()
    limit = arithmetic_limit(size, horizon)
    rows: list[dict[str, object]] = [
        {"way": "numba", "seconds": fastest(lambda: coded(pi)), "value": float(coded(pi))},
        {"way": "numba, in a batch", "seconds": fastest(lambda: coded(batch)) / BATCH, "value": float(coded(batch)[0])},
        {"way": "NumPy", "seconds": fastest(lambda: game.exploitability(pi)), "value": float(game.exploitability(pi))},
    ]
    for row in rows:
        row["arithmetic limits"] = float(row["seconds"]) / limit  # type: ignore[arg-type]
    if solved:
        solution = solve(game, tol=TOLERANCE)
        told = {"to 1e-3, s": solution.history[-1].seconds, "solver": "mirror_prox", "reached": solution.exploitability}
        rows[2] |= told
    for name, peer in (("mfglib", MFGLib), ("open_spiel", OpenSpiel)):
        if importlib.util.find_spec(name) is None:
            print(f"{name} is not there; see --peers", file=sys.stderr)
            continue
        built = peer(size, horizon)
        row = {"way": peer.__name__, "seconds": fastest(built.exploitability), "value": built.exploitability()}
        if solved:
            row["to 1e-3, s"], row["solver"], row["reached"] = built.to_tolerance()
        rows.append(row)
    return [{"S": size, "T": horizon} | row for row in rows]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", type=Path, help="folder that the peers were installed into")
    parser.add_argument("--out", type=Path, help="CSV to write")
    parser.add_argument("--no-solve", action="store_true", help="exploitabilities alone")
    options = parser.parse_args()
    if options.peers:
        sys.path.append(str(options.peers))
    table = pd.DataFrame([row for size in SIZES for row in measured(*size, solved=not options.no_solve)])
    table["10^5, s"] = table["seconds"] * 1e5
    for peer in (MFGLib.__name__, OpenSpiel.__name__):
        theirs = table[table["way"] == peer].set_index("S")["seconds"]
        if len(theirs):
            table[f"{peer} takes times"] = table["S"].map(theirs) / table["seconds"]
    with pd.option_context("display.width", 250, "display.max_columns", None, "display.float_format", "{:.4g}".format):
        print(table.to_string(index=False))
    if options.out:
        table.to_csv(options.out, index=False, float_format="%.6g")


if __name__ == "__main__":
    main()
