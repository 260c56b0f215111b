"""Expert queries until a learner is as good as its expert and stays so: DAgger against model-based MEGA-DAgger.

    OMP_NUM_THREADS=1 python benchmarks/imitation_queries.py [--envs ...] [--methods ...] [--seeds 10] [--first 0]
        [--table [--rooms 1]] [--out docs/figures/imitation_queries.csv]

After every round the learner plays 20 episodes, with the same starts for all. It is as good where their mean return is
at most ROOM below the expert's; "queries until as good" are those made by the first of five such rounds on end, and
there the run stops. Those of the four that confirm it do not count, in which DAgger would go on to ask at every step. A
run that is not as good by the end of its interactions counts as if it had asked at each of them. Both methods have the
same rounds, interactions, gradient steps after each, and episodes that go on from round to round. Rows, one a round,
are appended as runs end; a run that the file has is not done again. Prints means over seeds, the mean over seeds of
MEGA-DAgger's queries over DAgger's with its 95 % interval, and the one-sided p of Wilcoxon's signed-rank test.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

sys.path.insert(0, str(Path(__file__).parents[1]))

from analysis.statistics import MIN_RUNS, interval
from mfmarl.imitation import experts
from mfmarl.imitation.dagger import DAggerAgent
from mfmarl.imitation.interactive import Choice, Steps
from mfmarl.imitation.mega_dagger.model_based import MEGADAggerAgent
from mfmarl.imitation.rollout import Act, episodes, spaces_of
from mfmarl.imitation.settings import of_spaces

EPISODES, STARTS, OTHER_STARTS, ON_END = 20, 77, 78, 5
MEGA = "MEGA-DAgger"
COLUMNS = [
    "env", "method", "seed", "round", "interactions", "queries", "mean_return", "as_good", "cpu_seconds",
    "final_return",
]  # fmt: skip
LEARNER = {"hidden_dims": (64, 64), "batch_size": 256, "learning_rate": 3e-3, "activation": "relu", "fresh": False}


@dataclass(frozen=True)
class Task:
    """What is learnt, and by which rounds."""

    expert: Act
    room: float
    """By how much a return that is as good as the expert's may be below it."""
    interactions: int
    tau: float
    """Chosen on seeds 100 and 101."""
    rounds: dict[str, Any]


TASKS = {
    "Pendulum-v1": Task(experts.pendulum, 15.0, 3000, 0.02, {"rollout": 50, "updates": 200, "loss": "mse"}),
    "CartPole-v1": Task(experts.cartpole, 25.0, 1500, 0.3, {"rollout": 20, "updates": 200}),
    "Acrobot-v1": Task(experts.acrobot, 5.0, 1500, 0.5, {"rollout": 20, "updates": 200}),
}
ASKED = 0.25
"""Share of states asked about where it is drawn, not judged; about what MEGA-DAgger asks of Pendulum."""


class RandomlyAsking(DAggerAgent):
    """DAgger that asks about states drawn at random after its first round: a control of what uncertainty is worth."""

    def choose(self, states: NDArray[np.float32]) -> Choice:
        """As DAgger, but for who is asked."""
        first = self.beta(self.rounds) >= 1
        asked = np.ones(len(states), bool) if first else self.draws.random(len(states)) < ASKED
        actions = self.act(states).copy()
        labels = np.zeros_like(actions)
        if asked.any():
            labels[asked] = self.ask(states[asked])
            if first:
                actions[asked] = labels[asked]
        return Choice(actions, asked, labels)

    def learn(self, steps: Steps) -> dict[str, float]:
        """From those asked about."""
        told = steps[steps.asked]
        return self.update(told.states, told.labels) if len(told.states) else {}


METHODS: dict[str, tuple[type[Any], dict[str, Any]]] = {
    "DAgger 1[i=0]": (DAggerAgent, {"beta": "first"}),
    "DAgger .95^i": (DAggerAgent, {}),
    "DAgger, asks at random": (RandomlyAsking, {"beta": "first"}),
    MEGA: (MEGADAggerAgent, {"world": {"prior": 1.0}}),
}


class AsGood(Exception):
    """The learner was as good for long enough."""


def returned(env: str, act: Act, number: int = EPISODES, starts: int = STARTS) -> float:
    """Mean over episodes that start alike for all."""
    return float(np.mean([e.rewards.sum() for e in episodes(env, act, number, starts, num_envs=number)]))


def learn(env: str, method: str, seed: int, **settings: Any) -> pd.DataFrame:
    """One run: a row a round."""
    task, (kind, own) = TASKS[env], METHODS[method]
    if kind is MEGADAggerAgent:
        own = {"tau": task.tau, **own}
    agent = kind(
        {**of_spaces(spaces_of(env)), **LEARNER, **task.rounds, **own, **settings}, env, task.expert, seed=seed
    )
    near = returned(env, task.expert) - task.room
    rows: list[dict[str, Any]] = []
    began = time.process_time()

    def look(row: dict[str, Any]) -> None:
        # who was told nothing plays as before
        mean = returned(env, agent.policy.act) if row["asked"] else rows[-1]["mean_return"]
        rows.append(
            {
                "env": env, "method": method, "seed": seed, "round": row["round"],
                "interactions": row["interactions"], "queries": row["queries"], "mean_return": round(mean, 3),
                "as_good": mean >= near, "cpu_seconds": round(time.process_time() - began, 2),
            }
        )  # fmt: skip
        if all(r["as_good"] for r in rows[-ON_END:]) and len(rows) >= ON_END:
            raise AsGood

    with contextlib.suppress(AsGood):
        agent.train(task.interactions, look)
    rows[-1]["final_return"] = round(returned(env, agent.policy.act, 50, OTHER_STARTS), 3)
    return pd.DataFrame(rows, columns=COLUMNS)


def until_as_good(rounds: pd.DataFrame, rooms: float = 1.0) -> pd.DataFrame:
    """A row a run: its queries until as good, whether it ever was, and its return at the end from other starts.

    Args:
        rooms: how many of the task's rooms the return may be below the expert's.
    """
    found = []
    near = {e: returned(e, TASKS[e].expert) - rooms * TASKS[e].room for e in rounds["env"].unique()}
    for key, run in rounds.groupby(["env", "method", "seed"], sort=False):
        env, method, seed = map(str, key)
        # returns in the file are rounded
        good = (run["mean_return"] >= near[env] - 1e-3).to_numpy()
        first = next((i for i in range(len(good) - ON_END + 1) if good[i : i + ON_END].all()), None)
        reached = first is not None
        queries = TASKS[env].interactions if first is None else int(run["queries"].iloc[first])
        found.append(
            (env, method, int(seed), queries, reached, run["final_return"].iloc[-1], run["cpu_seconds"].iloc[-1])
        )
    return pd.DataFrame(found, columns=["env", "method", "seed", "queries", "reached", "final_return", "cpu_seconds"])


def table(runs: pd.DataFrame) -> str:
    """Means over seeds, and MEGA-DAgger's queries over DAgger's of the same seeds, as Markdown."""
    rows = [
        "| environment | method | seeds | as good | queries until then | return then | MEGA-DAgger's over these | p |",
        "|---" * 8 + "|",
    ]
    for (env, method), of in runs.groupby(["env", "method"], sort=False):
        rows.append(
            f"| {env} | {method} | {len(of)} | {of['reached'].sum()} | {told(of['queries'])} "
            f"| {told(of['final_return'])} | {against(runs[runs['env'] == env], str(method))} |"
        )
    return "\n".join(rows)


def against(runs: pd.DataFrame, method: str) -> str:
    """(Mean ratio of queries with its interval, one-sided p of the signed ranks of the differences)."""
    wide = runs.pivot(index="seed", columns="method", values="queries")
    if method == MEGA or MEGA not in wide:
        return "- | -"
    pairs = wide[[MEGA, method]].dropna()
    test = stats.wilcoxon(pairs[MEGA], pairs[method], alternative="less")
    return f"{told(pairs[MEGA] / pairs[method])} | {test.pvalue:.3g}"


def told(values: pd.Series) -> str:
    """Mean and interval."""
    if len(values) < MIN_RUNS:
        return f"{values.mean():.4g}"
    found = interval(values.to_numpy(float))
    return f"{found.estimate:.4g} [{found.low:.4g}, {found.high:.4g}]"


def draw(rounds: pd.DataFrame, path: Path) -> None:
    """Return against queries: means over seeds, each carried on from where it stopped, and 95 % bands."""
    matplotlib.use("Agg")
    import seaborn as sns
    from matplotlib import pyplot

    envs = list(dict.fromkeys(rounds["env"]))
    figure, axes = pyplot.subplots(1, len(envs), figsize=(4.5 * len(envs), 3.4), constrained_layout=True, squeeze=False)
    for axis, env in zip(axes[0], envs, strict=True):
        of = rounds[rounds["env"] == env]
        grid = np.linspace(of["queries"].min(), of.groupby(["method", "seed"])["queries"].max().quantile(0.9), 60)
        lines = []
        for (method, seed), run in of.groupby(["method", "seed"]):
            # the last policy of as many queries
            at = np.searchsorted(run["queries"].to_numpy(), grid, side="right") - 1
            means = run["mean_return"].to_numpy()[np.maximum(at, 0)]
            lines.append(pd.DataFrame({"queries": grid, "return": means, "method": method, "seed": seed}))
        sns.lineplot(pd.concat(lines), x="queries", y="return", hue="method", errorbar=("ci", 95), ax=axis)
        axis.set(title=env)
        axis.legend(title=None, loc="lower right", fontsize=8)
    figure.savefig(path, dpi=110)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, write, draw, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--envs", nargs="+", default=list(TASKS), choices=list(TASKS), metavar="ENV")
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS), metavar="METHOD")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--out", type=Path, default=Path("docs/figures/imitation_queries.csv"))
    parser.add_argument("--table", action="store_true", help="no runs: figure of the file, table of the seeds")
    parser.add_argument("--rooms", type=float, default=1.0, help="in the table: so many times ROOM below the expert's")
    args = parser.parse_args(argv)
    # first rounds are smaller than a batch, as is meant
    warnings.filterwarnings("ignore", message=".*fewer than")
    args.out.parent.mkdir(parents=True, exist_ok=True)
    seeds = range(args.first, args.first + args.seeds)
    for env, seed, method in product([] if args.table else args.envs, seeds, args.methods):
        done = pd.read_csv(args.out) if args.out.exists() else pd.DataFrame(columns=COLUMNS)
        if ((done["env"] == env) & (done["method"] == method) & (done["seed"] == seed)).any():
            continue
        rows = learn(env, method, seed)
        rows.to_csv(args.out, mode="a", header=not args.out.exists(), index=False)
        print(until_as_good(rows).to_string(index=False, header=False), flush=True)
    rounds = pd.read_csv(args.out)
    draw(rounds, args.out.with_suffix(".png"))
    print(table(until_as_good(rounds[rounds["seed"].isin(seeds)], args.rooms)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
