"""Every method imitates a type of the inventory market; each imitator is put back into the profile and audited exactly.

    OMP_NUM_THREADS=1 python benchmarks/imitation_inventory.py [--game NAME] [--methods ...] [--seeds 3] [--table]
        [--out docs/figures/imitation_inventory.csv]

The game's name says who the expert is: its own profile (`mfmarl.imitation.type_game`), here the equilibrium of the
exact mean field. All of the type learn at once, so learners meet the population that they make. Rows are appended as
they come, and what the file has is not done again. Prints means over seeds with 95 % t intervals as Markdown, and draws
NIG.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

sys.path.insert(0, str(Path(__file__).parents[1]))

from analysis.figures.forest import Row, forest
from analysis.figures.style import looks
from analysis.imitation_audit import EXPERT, FIGURES, Imitator, audit_imitators, over_seeds
from mfmarl.imitation import AIRLAgent, BCAgent, DAggerAgent, Demonstrations, GAILAgent, MEGADAggerAgent
from mfmarl.imitation.imitated import Acting
from mfmarl.imitation.market_irl import imitated_reward
from mfmarl.imitation.result import Counts
from mfmarl.imitation.rollout import episodes, spaces_of
from mfmarl.imitation.settings import of_spaces
from mfmarl.imitation.type_experts import expert_of
from mfmarl.imitation.type_game import TypeGame, type_game
from mfmarl.runs.files import replacing
from mfmarl.seeding import stream

GAME = "inventory/market-easy,jitter=0,num_agents=30:discounter"
ROUNDS = 6
LEARNER: dict[str, Any] = {"hidden_dims": (64, 64), "learning_rate": 1e-3, "batch_size": 128}
ADVERSARIAL: dict[str, Any] = {
    "hidden_dims": (64, 64), "rollout": 52, "policy_lr": 3e-3, "discriminator_lr": 3e-3, "discriminator_steps": 10,
    "gradient_penalty": 0.01,
}  # fmt: skip
COPIES, ADVERSARIAL_ROUNDS = 4, 75
"""Of the game that GAIL and AIRL play side by side, and of how many episodes of each."""
Learnt = tuple[Any, Counts]


class Trial:
    """One seed: what methods are given."""

    def __init__(self, game: TypeGame, seed: int) -> None:
        self.game, self.seed, self.name = game, seed, game.name
        self.spaces = spaces_of(game.name)
        self.config = of_spaces(self.spaces)
        self.asked = LEARNER | {"num_envs": game.agents, "rollout": game.horizon, "updates": 500}
        self.steps = game.agents * game.horizon * ROUNDS

    def expert(self) -> Any:
        return expert_of(self.game, seed=stream(self.seed, "expert"))

    def shown(self, number: int) -> Demonstrations:
        played = episodes(self.name, self.expert(), number, stream(self.seed, "shown"), self.game.agents)
        return Demonstrations.from_episodes(played, self.spaces, self.name)


def cloned(trial: Trial, number: int) -> Learnt:
    agent = BCAgent(trial.config | LEARNER, trial.shown(number), trial.seed)
    found = agent.train(2000)
    return found.policy, found.counts


def asking(trial: Trial, kind: Any, **more: Any) -> Learnt:
    agent = kind(trial.config | trial.asked | more, trial.name, trial.expert(), seed=trial.seed)
    found = agent.train(trial.steps)
    return found.policy, found.counts


def adversarial(trial: Trial, kind: Any, **ppo: float) -> Learnt:
    envs = COPIES * trial.game.agents
    config = trial.config | ADVERSARIAL | {"num_envs": envs, "ppo": {"discount": 0.9, "minibatch": 512, **ppo}}
    agent = kind(config, trial.name, trial.shown(10 * trial.game.agents), trial.seed)
    found = agent.train(envs * ADVERSARIAL["rollout"] * ADVERSARIAL_ROUNDS)
    return found.policy, found.counts


def by_reward(trial: Trial) -> Learnt:
    shown = trial.shown(ROUNDS * trial.game.agents)
    return imitated_reward(trial.game, shown), Counts(demonstrations=shown.steps)


METHODS: dict[str, Callable[[Trial], Learnt]] = {
    "BC, 8 episodes": lambda trial: cloned(trial, 8),
    "BC, 48 episodes": lambda trial: cloned(trial, 48),
    "DAgger": lambda trial: asking(trial, DAggerAgent),
    "MEGA-DAgger": lambda trial: asking(trial, MEGADAggerAgent, tau=TAU),
    "MaxEnt IRL": by_reward,
    "GAIL": lambda trial: adversarial(trial, GAILAgent, entropy=0.01),
    "AIRL": lambda trial: adversarial(trial, AIRLAgent),
}
TAU = 1.0
"""Of states' changes, which time and demand make: .02 asks everywhere."""


def main() -> None:
    """Measure what is missing, print and draw."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--game", default=GAME)
    ask.add_argument("--methods", nargs="+", choices=list(METHODS), default=list(METHODS))
    ask.add_argument("--seeds", type=int, default=3)
    ask.add_argument("--out", type=Path, default=Path("imitation_inventory.csv"))
    ask.add_argument("--table", action="store_true", help="print what the file has, and measure nothing")
    given = ask.parse_args()
    table = pd.read_csv(given.out) if given.out.exists() else pd.DataFrame({"game": [], "method": [], "seed": []})
    for seed in range(0 if given.table else given.seeds):
        for method in given.methods:
            done = (table["game"] == given.game) & (table["method"] == method) & (table["seed"] == seed)
            if not done.any():
                table = pd.concat([table, measured(given.game, method, seed)], ignore_index=True)
                table = table.drop_duplicates(["game", "method", "seed", "acting"])
                write(table, given.out)
    mine = table[table["game"] == given.game]
    print(told(mine))
    with replacing(given.out.with_suffix(".png")) as temporary:
        drawn(mine).savefig(temporary, format="png", dpi=110, bbox_inches="tight")


def measured(name: str, method: str, seed: int) -> pd.DataFrame:
    """The rows of one imitator, and of the expert."""
    game = type_game(name)
    trial, began = Trial(game, seed), time.process_time()
    policy, counts = METHODS[method](trial)
    spent = time.process_time() - began
    acting: tuple[Acting, ...] = ("sampled",) if method == "MaxEnt IRL" else ("sampled", "mode")
    found = audit_imitators(game, [Imitator(method, seed, policy)], acting=acting)
    print(f"{method}, seed {seed}: NIG {found['NIG'].iloc[1]:.1f} $, {spent:.0f} CPU s", flush=True)
    kept = found[["method", "seed", "acting", *FIGURES]].assign(game=name)
    used = asdict(counts) | {"cpu": spent}
    return kept.assign(**{key: [0] + [value] * (len(kept) - 1) for key, value in used.items()})


def write(table: pd.DataFrame, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        table.round(4).to_csv(temporary, index=False, lineterminator="\n")


def told(table: pd.DataFrame) -> str:
    """Markdown: a row a method and way of acting."""
    figures = over_seeds(table)
    lines = [f"| method | acts | seeds | {' | '.join(FIGURES)} | labels | interactions | CPU s |", "|" + "---|" * 10]
    for (method, acting), rows in table.groupby(["method", "acting"], sort=False):
        cells = []
        for name in FIGURES:
            mine = (figures["method"] == method) & (figures["acting"] == acting) & (figures["figure"] == name)
            one = figures[mine].iloc[0]
            span = "" if pd.isna(one["low"]) else f" [{one['low']:.1f}, {one['high']:.1f}]"
            cells.append(f"{one['estimate']:.1f}{span}")
        labels = rows["demonstrations"].mean() + rows["queries"].mean()
        seeds = "" if method == EXPERT else len(rows)
        cells += [f"{labels:,.0f}", f"{rows['interactions'].mean():,.0f}", f"{rows['cpu'].mean():.0f}"]
        lines.append(f"| {method} | {acting} | {seeds} | {' | '.join(cells)} |")
    return "\n".join(lines)


def drawn(table: pd.DataFrame) -> Any:
    """NIG of drawn actions: mean, 95 % interval and seeds of each method."""
    mine = table[(table["acting"] == "sampled") & (table["method"] != EXPERT)]
    found = over_seeds(mine)
    found = found[found["figure"] == "NIG"].sort_values("estimate")
    rows = [
        Row(one["method"], one["estimate"], one["low"], one["high"], dots=mine[mine["method"] == one["method"]]["NIG"])
        for _, one in found.iterrows()
    ]
    unit = "$ per agent and episode; low is good"
    return forest(rows, looks([row.policy for row in rows]), "Nash imitation gap", unit)


if __name__ == "__main__":
    main()
