"""Behavioural cloning, DAgger and model-based MEGA-DAgger on CartPole, Acrobot and Pendulum, 5 seeds each.

    OMP_NUM_THREADS=1 python benchmarks/imitation_interactive.py [--cases ...] [--seeds 5] [--table]
        [--out docs/figures/imitation_interactive.csv]

Experts are written by hand (mfmarl/imitation/experts.py). All learners have layers of 64 x 64, batches of 256 and a
learning rate of 3e-3 that falls to 0 in each fit; on Pendulum the loss is the squared error, and so what is sampled is
the likeliest action. Returns are means over 50 episodes with the same starts for all, the expert's among them.
MEGA-DAgger and DAgger have the same rounds, interactions and gradient steps after each. Rows are appended as they come;
a run that the file has is not done again. Prints a table as Markdown: means over seeds with 95 % intervals; and
queries until as good, seed by seed, with the one-sided p of Wilcoxon's signed-rank test.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

sys.path.insert(0, str(Path(__file__).parents[1]))

from analysis.statistics import interval
from mfmarl.imitation import experts
from mfmarl.imitation.bc import BCAgent
from mfmarl.imitation.dagger import DAggerAgent
from mfmarl.imitation.demonstrations import Demonstrations
from mfmarl.imitation.mega_dagger.model_based import MEGADAggerAgent
from mfmarl.imitation.networks import Policy
from mfmarl.imitation.result import Counts, generator
from mfmarl.imitation.rollout import Act, episodes, spaces_of
from mfmarl.imitation.settings import of_spaces

CARTPOLE, ACROBOT, PENDULUM = "CartPole-v1", "Acrobot-v1", "Pendulum-v1"
EXPERTS: dict[str, Act] = {CARTPOLE: experts.cartpole, ACROBOT: experts.acrobot, PENDULUM: experts.pendulum}
EPISODES, STARTS = 50, 77
LEARNER = {"hidden_dims": (64, 64), "batch_size": 256, "learning_rate": 3e-3, "activation": "relu"}
ROUNDS = {
    CARTPOLE: {**LEARNER, "rollout": 50, "updates": 200},
    ACROBOT: {**LEARNER, "rollout": 100, "updates": 200},
    PENDULUM: {**LEARNER, "rollout": 200, "updates": 300, "loss": "mse"},
}
INTERACTIONS = {CARTPOLE: 600, ACROBOT: 1000, PENDULUM: 2600}
ROOM = {CARTPOLE: 25.0, ACROBOT: 5.0, PENDULUM: 15.0}
"""By how much a return that is as good as the expert's may be below it."""


@dataclass(frozen=True)
class Run:
    """One seed of one case."""

    case: str
    env: str
    seed: int
    mean_return: float
    """Of the likeliest actions."""
    sampled_return: float
    expert: float
    """The expert's from the same starts."""
    demonstrations: int
    interactions: int
    queries: int
    first_queries: int
    """By the first round after which 20 episodes were as good as the expert's; -1: never."""
    updates: int
    cpu_seconds: float
    """Of learning and playing, without evaluation."""


def returned(env: str, act: Act, number: int) -> float:
    """Mean over episodes that start alike for all."""
    return float(np.mean([e.rewards.sum() for e in episodes(env, act, number, STARTS, num_envs=number)]))


def cloned(env: str, number: int, **settings: Any) -> Callable[[int], Run]:
    """BC: 2,000 gradient steps on so many episodes."""

    def run(seed: int) -> Run:
        spaces = spaces_of(env)
        given = Demonstrations.from_episodes(episodes(env, EXPERTS[env], number, seed), spaces, env)
        loss = "mse" if spaces.continuous else "nll"
        began = time.process_time()
        agent = BCAgent({**of_spaces(spaces), **LEARNER, "loss": loss, **settings}, given, seed)
        result = agent.train(2000)
        return measured(f"BC {number}", env, seed, agent.policy, result.counts, -1, time.process_time() - began)

    return run


def interactive(method: str, env: str, **settings: Any) -> Callable[[int], Run]:
    """DAgger or MEGA-DAgger."""

    def run(seed: int) -> Run:
        config = {**of_spaces(spaces_of(env)), **ROUNDS[env], **settings}
        kind = MEGADAggerAgent if method.startswith("MEGA") else DAggerAgent
        agent: Any = kind(config, env, EXPERTS[env], seed=seed)
        near, paused, first = returned(env, EXPERTS[env], 20) - ROOM[env], 0.0, -1

        def look(row: dict[str, Any]) -> None:
            nonlocal paused, first
            since = time.process_time()
            if first < 0 and returned(env, agent.policy.act, 20) >= near:
                first = row["queries"]
            paused += time.process_time() - since

        began = time.process_time()
        result = agent.train(INTERACTIONS[env], look)
        spent = time.process_time() - began - paused
        return measured(method, env, seed, agent.policy, result.counts, first, spent)

    return run


def measured(method: str, env: str, seed: int, policy: Policy, counts: Counts, first: int, seconds: float) -> Run:
    """The row of one run."""
    sampled = partial(policy.act, generator=generator(seed))
    return Run(
        f"{method} {env}", env, seed, returned(env, policy.act, EPISODES), returned(env, sampled, EPISODES),
        returned(env, EXPERTS[env], EPISODES), counts.demonstrations, counts.interactions, counts.queries, first,
        counts.updates, seconds,
    )  # fmt: skip


CASES: dict[str, Callable[[int], Run]] = {
    f"BC 10 {PENDULUM}": cloned(PENDULUM, 10, activation="tanh", learning_rate=1e-2),
    f"BC 50 {PENDULUM}": cloned(PENDULUM, 50),
    f"BC 10 {CARTPOLE}": cloned(CARTPOLE, 10),
    f"BC 10 {ACROBOT}": cloned(ACROBOT, 10),
    **{
        f"{name} {env}": interactive(name, env, **settings)
        for env in (CARTPOLE, ACROBOT, PENDULUM)
        for name, settings in (
            ("DAgger .95^i", {}),
            ("DAgger 1[i=0]", {"beta": "first"}),
            ("MEGA-DAgger", {}),
        )
    },
    f"DAgger, expert acts, {CARTPOLE}": interactive("DAgger, expert acts,", CARTPOLE, beta="constant", beta_end=1.0),
}


def table(runs: pd.DataFrame) -> str:
    """Means over seeds with intervals, as Markdown."""
    columns = ("mean_return", "sampled_return", "queries", "first_queries", "cpu_seconds")
    rows = [
        "| case | seeds | expert | mode | sampled | queries | queries until as good | CPU seconds |",
        "|---" * 8 + "|",
    ]
    for case, of in runs.groupby("case", sort=False):
        cells = [told(of[name]) for name in columns]
        rows.append(f"| {case} | {len(of)} | {of['expert'].mean():.1f} | " + " | ".join(cells) + " |")
    return "\n".join(rows)


def paired(runs: pd.DataFrame) -> str:
    """MEGA-DAgger's queries until as good beside DAgger's, seed by seed: a line an environment."""
    lines = []
    for env, of in runs.groupby("env", sort=False):
        wide = of.pivot_table(index="seed", columns="case", values="first_queries")
        own, asked = f"MEGA-DAgger {env}", f"DAgger 1[i=0] {env}"
        if not {own, asked} <= set(wide) or (wide[[own, asked]] < 0).any(axis=None):
            continue
        both = wide[[own, asked]].dropna()
        p = stats.wilcoxon(both[own], both[asked], alternative="less").pvalue
        lines.append(
            f"{env}, {len(both)} seeds: MEGA-DAgger's over DAgger's {told(both[own] / both[asked])}, p = {p:.2g}"
        )
    return "\n".join(lines)


def told(values: pd.Series) -> str:
    """Mean and interval; a dash where there is none to tell."""
    if (values < 0).all() and values.name == "first_queries":
        return "-"
    if (values < 0).any() and values.name == "first_queries":
        return f"not by {(values < 0).sum()} of {len(values)}"
    if len(values) < 3:
        return f"{values.mean():.4g}"
    found = interval(values.to_numpy(float))
    return f"{found.estimate:.4g} [{found.low:.4g}, {found.high:.4g}]"


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, write, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", nargs="+", default=list(CASES), choices=list(CASES), metavar="CASE")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path("docs/figures/imitation_interactive.csv"))
    parser.add_argument("--table", action="store_true", help="no runs, the table of the file")
    args = parser.parse_args(argv)
    # first rounds are smaller than a batch, as is meant
    warnings.filterwarnings("ignore", message=".*fewer than batch_size")
    args.out.parent.mkdir(parents=True, exist_ok=True)
    for case in [] if args.table else args.cases:
        for seed in range(args.seeds):
            done = pd.read_csv(args.out) if args.out.exists() else pd.DataFrame({"case": [], "seed": []})
            if ((done["case"] == case) & (done["seed"] == seed)).any():
                continue
            row = pd.DataFrame([asdict(CASES[case](seed))])
            row.to_csv(args.out, mode="a", header=not args.out.exists(), index=False)
            print(row.to_string(index=False, header=False), flush=True)
    runs = pd.read_csv(args.out)
    print(table(runs), paired(runs), sep="\n\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
