"""One exploitability, batches of policies, and the time to exploitability 1e-3, beside MFGLib and OpenSpiel in one run.

The game is the crowd on a ring of the specification: S cells, actions -1, 0, 1, noise uniform on them,
r = 1 - |x - S//2| / (S//2) - ln(mu + 1e-25), T decisions, uniform policy. Peers are those that a folder has:

    pip install --no-deps --target peers mfglib==0.3.0 open_spiel==2.0.2 absl-py ml-collections "osqp<1" qdldl
    OMP_NUM_THREADS=1 python benchmarks/mean_field_games.py --peers peers [--out FILE.csv]

MFGLib is given the same game as an `Environment` of its own (T - 1 there: it counts the last decision's index), in its
default 32-bit numbers. OpenSpiel plays its C++ game `mfg_crowd_modelling`, whose rewards differ in constants alone
(docs/mean_field_conventions.md says in which). The two and this project's optuna do not go into one installation.
Solvers are the fastest of a few of each, untuned; seconds include the exploitability of every iteration. A peer that
does not come to 1e-3 within a quarter of a minute has inf, and the exploitability that it came to.
"in a batch" is the time of one policy where 100,000 are played, a thousand at a call; there they are random ones. The
arithmetic limit is the time of as many independent multiplications, additions and logarithms over arrays that fit the
first cache, measured in the same run.
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
from envs.mean_field.game import FiniteMFG
from envs.mean_field.games.crowd import EPSILON, crowd_1d
from mfmarl.solvers import solve

SIZES = ((10, 10), (30, 30), (100, 50))
TOLERANCE = 1e-3
SECONDS = 15.0
"""After which any solver is given up."""
BATCH, POLICIES = 1000, 100_000
"""Policies of one call, and of all."""


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


def fastest_in_turns(calls: dict[str, Callable[[], object]], turns: int = 15) -> dict[str, float]:
    """`fastest` of each, a tenth of a second at a time: a processor that slows down for a while does so for all."""
    best = dict.fromkeys(calls, np.inf)
    for _ in range(turns):
        for name, call in calls.items():
            best[name] = min(best[name], fastest(call, 0.1, 1))
    return best


def arithmetic_limit(size: int, horizon: int) -> float:
    """Seconds of the multiplications and additions of one exploitability, and of its logarithms, and of nothing else.

    Eight sums that do not wait for each other, over arrays that fit the first cache, and NumPy's logarithm of as many
    numbers in a row: both are what this machine does at best on one thread without fast-math.
    """
    # occupancies, what they earn, the flow, and the best response's sweep; three actions of three successors
    products = horizon * size * (3 + 3 + 9 + 9)
    numbers = np.linspace(0.1, 0.9, 512)

    def work(values: Any, products: int) -> float:
        a = b = c = d = e = f = g = h = 0.0
        for _ in range(products // 512):
            for i in range(0, 512, 8):
                a += values[i] * 0.5
                b += values[i + 1] * 0.5
                c += values[i + 2] * 0.5
                d += values[i + 3] * 0.5
                e += values[i + 4] * 0.5
                f += values[i + 5] * 0.5
                g += values[i + 6] * 0.5
                h += values[i + 7] * 0.5
        return a + b + c + d + e + f + g + h

    run = compiled(work)
    # of many games' worth, so that calling it does not count
    times = 1 + 100_000 // products
    masses = np.linspace(0.001, 0.1, min(1000, horizon * size))
    logarithm = fastest(lambda: np.log(masses), 0.5) / len(masses)
    return fastest(lambda: run(numbers, products * times), 0.5) / times + logarithm * horizon * size


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
        # before its scoring: they import each other
        import mfglib.alg  # noqa: F401
        from mfglib.scoring import exploitability_score

        return float(exploitability_score(self.env, self.uniform))

    def to_tolerance(self) -> tuple[float, str, float]:
        """Seconds, the algorithm and its lowest exploitability: the fastest of some, none of them tuned further."""
        from mfglib import alg

        tried = [alg.OnlineMirrorDescent(1.0), alg.OnlineMirrorDescent(0.1), alg.FictitiousPlay()]
        found = []
        for solver in tried:
            rounds, gaps, seconds = 100, [np.inf], [0.0]
            # it begins anew with four times as many rounds; the last call alone counts
            while min(gaps) > TOLERANCE and seconds[-1] < SECONDS / 4:
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
            while gap > TOLERANCE and time.perf_counter() - began < SECONDS:
                solver.iteration()
                gap = min(gap, NashConv(self.game, solver.get_policy()).nash_conv())
            seconds = time.perf_counter() - began
            found.append((seconds if gap <= TOLERANCE else np.inf, f"MirrorDescent(lr={rate})", float(gap)))
        return min(found)


def played(exploitability: Callable[[Any], Any], shape: tuple[int, int, int], policies: int) -> float:
    """Seconds of one of so many random policies, a thousand at a call: the best of three times all."""
    pi = np.random.default_rng(0).dirichlet(np.ones(shape[2]), (BATCH, *shape[:2]))

    def play() -> None:
        for _ in range(policies // BATCH):
            exploitability(pi)

    return fastest(play, 0.0, 3) / policies


def ours_to_tolerance(game: FiniteMFG) -> tuple[float, str, float]:
    """Seconds, the solver and its lowest exploitability: the fastest of two."""
    found = []
    for solver in ("interior_point", "mirror_prox"):
        told = solve(game, solver, tol=TOLERANCE, max_iterations=10**9, callback=lambda point: point.seconds > SECONDS)
        seconds = told.history[-1].seconds if told.converged else np.inf
        found.append((seconds, solver, told.exploitability))
    return min(found)


def measured(size: int, horizon: int, solved: bool) -> list[dict[str, object]]:
    """A row for each way of one size."""
    game = crowd_1d(size, horizon)
    pi = game.uniform_policy()
    coded = machine_code(game)
    limit = arithmetic_limit(size, horizon)
    peers = {
        peer.__name__: peer(size, horizon)
        for name, peer in (("mfglib", MFGLib), ("open_spiel", OpenSpiel))
        if importlib.util.find_spec(name) is not None
    }
    seconds = fastest_in_turns(
        {"numba": lambda: coded(pi), "NumPy": lambda: game.exploitability(pi)}
        | {name: peer.exploitability for name, peer in peers.items()}
    )
    rows: list[dict[str, object]] = [
        {"way": "numba", "seconds": seconds["numba"], "value": coded(pi)},
        {"way": "numba, in a batch", "seconds": played(coded, game.shape, POLICIES), "value": np.nan},
        {"way": "NumPy", "seconds": seconds["NumPy"], "value": float(game.exploitability(pi))},
        # as many as take about as long
        {"way": "NumPy, in a batch", "seconds": played(game.exploitability, game.shape, 5 * BATCH), "value": np.nan},
    ]
    for row in rows:
        row["arithmetic limits"] = float(row["seconds"]) / limit  # type: ignore[arg-type]
    if solved:
        rows[2]["to 1e-3, s"], rows[2]["solver"], rows[2]["reached"] = ours_to_tolerance(game)
    for name, peer in peers.items():
        row = {"way": name, "seconds": seconds[name], "value": peer.exploitability()}
        if solved:
            row["to 1e-3, s"], row["solver"], row["reached"] = peer.to_tolerance()
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
    for name in ("mfglib", "open_spiel"):
        if importlib.util.find_spec(name) is None:
            print(f"{name} is not there; see --peers", file=sys.stderr)
    rows = []
    for size in SIZES:
        print(f"S, T = {size}", file=sys.stderr, flush=True)
        rows += measured(*size, solved=not options.no_solve)
    table = pd.DataFrame(rows)
    table["10^5, s"] = table["seconds"] * 1e5
    for peer in (MFGLib.__name__, OpenSpiel.__name__):
        theirs = table[table["way"] == peer].set_index("S")["seconds"]
        if len(theirs):
            table[f"{peer} takes times"] = table["S"].map(theirs) / table["seconds"]
            if "to 1e-3, s" in table:
                solved = table[table["way"] == peer].set_index("S")["to 1e-3, s"]
                table[f"{peer} solves in times"] = table["S"].map(solved) / table["to 1e-3, s"]
    with pd.option_context("display.width", 250, "display.max_columns", None, "display.float_format", "{:.4g}".format):
        print(table.to_string(index=False))
    if options.out:
        table.to_csv(options.out, index=False, float_format="%.6g")


if __name__ == "__main__":
    main()
