"""The safety filter of MEGA-DAgger on CartPole-v1: h along every trajectory that it accepts, against its bound.

    OMP_NUM_THREADS=1 python benchmarks/imitation_safety.py [--seeds 5] [--out docs/figures/imitation_safety.csv]

h is how far cart and pole are from falling, the less of 1 - |place| / 2.4 and 1 - |angle| / .2095. Two experts take
turns: one that balances, and one that does so but for a third of the states, in which it pushes the wrong way. A row
is a step: h in it, and the least that h may be after so many accepted steps on end. Draws a figure beside the file.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[1]))

from mfmarl.imitation import experts
from mfmarl.imitation.interactive import Steps
from mfmarl.imitation.mega_dagger.safety_filter import SafetyFilterAgent, accepted, accepted_runs, least_barrier
from mfmarl.imitation.rollout import episodes, spaces_of
from mfmarl.imitation.settings import of_spaces

ENV = "CartPole-v1"
ETA, SLACK = 0.1, 0.02
SETTINGS = {"hidden_dims": (64, 64), "learning_rate": 3e-3, "batch_size": 256, "updates": 200, "num_envs": 8}
GATE = {"rollout": 100, "takeover": 0.9, "release": 0.95, "eta": ETA, "slack": SLACK}


def clumsy(states: NDArray[np.float32]) -> NDArray[np.int64]:
    """Balances, but where the cart moves to the right fast it pushes the wrong way."""
    return np.where(states[:, 1] > 0.25, 1 - experts.cartpole(states), experts.cartpole(states))


class Watched(SafetyFilterAgent):
    """Keeps the rounds that it has learnt from."""

    def __init__(self, *given: Any, **more: Any) -> None:
        super().__init__(*given, **more)
        self.played: list[Steps] = []

    def learn(self, steps: Steps) -> dict[str, float]:
        """Also remember them."""
        self.played.append(steps)
        return super().learn(steps)


def measure(seed: int) -> tuple[pd.DataFrame, dict[str, float]]:
    """(Every accepted trajectory, step by step; figures of the run)."""
    config = {**of_spaces(spaces_of(ENV)), **SETTINGS, **GATE}
    agent = Watched(config, ENV, [experts.cartpole, clumsy], seed=seed, barrier=experts.cartpole_margin)
    result = agent.train(12 * 800)
    rows, judged, kept, runs = [], 0, 0, 0
    for steps in agent.played:
        h, after = experts.cartpole_margin(steps.states), experts.cartpole_margin(steps.next_states)
        passed = steps.asked & accepted(h, after, ETA, SLACK)
        judged, kept = judged + int(steps.asked.sum()), kept + int(passed.sum())
        for run in accepted_runs(steps, passed):
            along = np.append(h[run], after[run[-1]])
            number = np.arange(len(along))
            bound = least_barrier(float(along[0]), number, ETA, SLACK)
            rows.append(pd.DataFrame({"seed": seed, "run": runs, "step": number, "h": along, "bound": bound}))
            runs += 1
    played = episodes(ENV, agent.policy.act, 50, 77, num_envs=50)
    returned = float(np.mean([one.rewards.sum() for one in played]))
    figures = {"seed": seed, "judged": judged, "accepted": kept, "runs": runs, "return": returned}
    return pd.concat(rows, ignore_index=True), figures | {"queries": result.counts.queries}


def draw(table: pd.DataFrame, path: Path) -> None:
    """Every trajectory's h, and h less its bound."""
    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(9, 3.4), constrained_layout=True)
    for _, one in table.groupby(["seed", "run"]):
        left.plot(one["step"], one["h"], color="C0", alpha=0.15, linewidth=0.8)
    right.plot(table["step"], table["h"] - table["bound"], ".", color="C0", alpha=0.2, markersize=2)
    longest = np.arange(table["step"].max() + 1)
    left.plot(longest, least_barrier(GATE["takeover"], longest, ETA, SLACK), "k--", label="bound from h = .9")
    right.axhline(0, color="k", linestyle="--")
    left.set(xlabel="accepted steps on end", ylabel="h", title="along accepted trajectories")
    right.set(xlabel="accepted steps on end", ylabel="h - bound", title="never below 0")
    left.legend()
    figure.savefig(path, dpi=110)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, write, draw, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path("docs/figures/imitation_safety.csv"))
    args = parser.parse_args(argv)
    found = [measure(seed) for seed in range(args.seeds)]
    table = pd.concat([rows for rows, _ in found], ignore_index=True)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    worst = table.assign(room=table["h"] - table["bound"]).groupby(["seed", "step"], as_index=False)
    worst.agg(trajectories=("h", "size"), least_h=("h", "min"), least_room=("room", "min")).round(6).to_csv(
        args.out, index=False
    )
    draw(table, args.out.with_suffix(".png"))
    print(pd.DataFrame([figures for _, figures in found]).to_string(index=False))
    print(f"least h - bound over {len(table)} steps: {(table['h'] - table['bound']).min():.3g}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
