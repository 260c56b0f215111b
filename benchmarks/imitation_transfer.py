"""Whether a reward that imitation finds still holds where the dynamics have changed: MaxEnt IRL, AIRL and GAIL.

A maze of 5 x 5 cells with one gap in its wall; the expert is soft-optimal for a reward at the goal. Each method sees 50
of its episodes; the reward it finds, networks' on all cells, is solved anew where the gap is at the other end, or where
every move goes the opposite way. What the best policy for it earns of the true reward stands between what random moves
earn (0) and the most there is (1). Each seed is a row of a CSV as soon as it is there, and is not run again.

    OMP_NUM_THREADS=1 python benchmarks/imitation_transfer.py --out docs/figures/imitation_transfer.csv
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from analysis.figures.style import WIDE, looks, panels  # noqa: E402
from analysis.statistics import interval  # noqa: E402
from mfmarl.imitation.adversarial_agent import AdversarialAgent  # noqa: E402
from mfmarl.imitation.airl import AIRLAgent  # noqa: E402
from mfmarl.imitation.demonstrations import Demonstrations  # noqa: E402
from mfmarl.imitation.gail import GAILAgent  # noqa: E402
from mfmarl.imitation.maxent_irl import maxent_irl, state_features  # noqa: E402
from mfmarl.imitation.rollout import episodes, spaces_of  # noqa: E402
from mfmarl.imitation.soft_values import Array, occupancy, soft_values  # noqa: E402
from mfmarl.imitation.steps import Steps  # noqa: E402
from mfmarl.runs.files import replacing  # noqa: E402
from mfmarl.seeding import stream  # noqa: E402

SIZE, ACTIONS, DISCOUNT, SLIP, LENGTH = 5, 4, 0.9, 0.1, 40
STATES = SIZE * SIZE
MOVES = ((-1, 0), (1, 0), (0, -1), (0, 1))
REWARD = np.zeros(STATES)
REWARD[2 * SIZE + 4] = 3.0
START = np.full(STATES, 1 / STATES)


def maze(gap: int, order: tuple[int, ...] = (0, 1, 2, 3)) -> Array:
    """P[S, A, S]: a wall stands between columns 1 and 2, open in row `gap`; action a is move order[a], and slips."""
    P = np.zeros((STATES, ACTIONS, STATES))
    for i, j in np.ndindex(SIZE, SIZE):
        for move, (di, dj) in enumerate(MOVES):
            to_i, to_j = i + di, j + dj
            inside = 0 <= to_i < SIZE and 0 <= to_j < SIZE
            blocked = not inside or ({j, to_j} == {1, 2} and i != gap)
            to = i * SIZE + j if blocked else to_i * SIZE + to_j
            for a in range(ACTIONS):
                P[i * SIZE + j, a, to] += 1 - SLIP if order[a] == move else SLIP / (ACTIONS - 1)
    return P


SEEN = maze(0)
CHANGED = {"gap moved": maze(SIZE - 1), "moves reversed": maze(0, (1, 0, 3, 2))}


class Maze(gym.Env[NDArray[np.float32], int]):
    """The maze that is seen, from any cell, its state one-hot; cut by time."""

    observation_space = gym.spaces.Box(0.0, 1.0, (STATES,), np.float32)
    action_space = gym.spaces.Discrete(ACTIONS)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[NDArray[np.float32], dict[str, Any]]:
        super().reset(seed=seed)
        self.state, self.time = int(self.np_random.integers(STATES)), 0
        return self._seen(), {}

    def step(self, action: int) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        earned = float(REWARD[self.state])
        self.state = int(self.np_random.choice(STATES, p=SEEN[self.state, action]))
        self.time += 1
        return self._seen(), earned, False, self.time == LENGTH, {}

    def _seen(self) -> NDArray[np.float32]:
        return np.eye(STATES, dtype=np.float32)[self.state]


def shown(seed: int) -> Demonstrations:
    """50 episodes of the soft-optimal expert."""
    pi, rng = soft_values(SEEN, REWARD, DISCOUNT).pi, np.random.default_rng(stream(seed, "expert"))

    def act(states: NDArray[np.float32]) -> NDArray[np.int64]:
        ends = pi[states.argmax(1)].cumsum(1)
        return np.minimum((rng.random((len(states), 1)) >= ends).sum(1), ACTIONS - 1)

    spaces = spaces_of(Maze)
    return Demonstrations.from_episodes(episodes(Maze, act, 50, stream(seed, "shown")), spaces, "maze")


def every_step() -> Steps:
    """Each action in each state, S A rows; what follows is not looked at."""
    states = torch.eye(STATES).repeat_interleave(ACTIONS, 0)
    ends = torch.zeros(STATES * ACTIONS, dtype=torch.bool)
    return Steps(states, torch.arange(ACTIONS).repeat(STATES), states, ends, torch.zeros(len(states)))


@dataclass(frozen=True)
class Found:
    """What a method makes of demonstrations."""

    reward: Array
    """[S, A]"""
    policy: Array
    """[S, A], as it was trained in the maze that is seen."""


SETTINGS: dict[str, Any] = {
    "state_dim": STATES, "action_dim": ACTIONS, "hidden_dims": (64,), "policy_lr": 3e-3, "discriminator_lr": 3e-3,
    "discriminator_steps": 10, "past_rollouts": 4, "gradient_penalty": 1.0, "num_envs": 32, "rollout": 32,
    "ppo": {"epochs": 6, "discount": DISCOUNT},
}  # fmt: skip


def of_maxent_irl(demonstrations: Demonstrations, seed: int, interactions: int) -> Found:
    """Features of states; the expert's are those of its action frequencies, one of each action added, in the maze."""
    steps = demonstrations.transitions
    seen = np.ones((STATES, ACTIONS))
    np.add.at(seen, (steps.states.argmax(1), steps.actions), 1)
    wanted = occupancy(SEEN, seen / seen.sum(1, keepdims=True), START, DISCOUNT).sum(1)
    found = maxent_irl(SEEN, START, DISCOUNT, state_features(STATES, ACTIONS), wanted, tol=1e-8)
    return Found(found.reward, found.policy)


def of_airl(demonstrations: Demonstrations, seed: int, interactions: int, state_only: bool) -> Found:
    """g of the trained network."""
    agent = AIRLAgent({**SETTINGS, "state_only": state_only}, Maze, demonstrations, seed)
    agent.train(interactions)
    return _found(agent, agent.discriminator.unshaped(every_step()))


def of_gail(demonstrations: Demonstrations, seed: int, interactions: int, policy_lr: float = 3e-3) -> Found:
    """-log(1 - D) of the trained network; by a rate of nothing it tells the expert from random play to the end."""
    agent = GAILAgent({**SETTINGS, "policy_lr": policy_lr}, Maze, demonstrations, seed)
    agent.train(interactions)
    return _found(agent, agent.reward(every_step()))


def _found(agent: AdversarialAgent[Any], paid: torch.Tensor) -> Found:
    with torch.no_grad():
        log_probs = agent.policy.law(torch.eye(STATES)).log_probs
    reward = paid.numpy().reshape(STATES, ACTIONS).astype(float)
    pi = np.exp(log_probs.numpy().astype(float))
    return Found(reward, pi / pi.sum(1, keepdims=True))


METHODS: dict[str, Callable[[Demonstrations, int, int], Found]] = {
    "MaxEnt IRL": of_maxent_irl,
    "AIRL, state-only": partial(of_airl, state_only=True),
    "AIRL, state-action": partial(of_airl, state_only=False),
    "GAIL": of_gail,
    "GAIL, against random play": partial(of_gail, policy_lr=1e-12),
}


def best(P: Array, reward: Array) -> Array:
    """pi[S, A]: the deterministic optimum of r[S, A], by value iteration."""
    V = np.zeros(STATES)
    for _ in range(400):
        Q = reward + DISCOUNT * P @ V
        V = Q.max(1)
    return np.eye(ACTIONS)[Q.argmax(1)]


def worth(P: Array, pi: Array) -> float:
    """Mean true reward of a discounted step."""
    return float(occupancy(P, pi, START, DISCOUNT).sum(1) @ REWARD)


def score(P: Array, pi: Array) -> float:
    """Of the true reward, as a share of the way from random moves to the best policy."""
    low = worth(P, np.full((STATES, ACTIONS), 1 / ACTIONS))
    most = worth(P, best(P, np.repeat(REWARD[:, None], ACTIONS, 1)))
    return (worth(P, pi) - low) / (most - low)


def measured(method: str, seed: int, interactions: int) -> dict[str, Any]:
    """One row: scores of the trained policy as it is, and of the best policy for its reward, in every maze."""
    demonstrations = shown(seed)
    began = time.process_time()
    found = METHODS[method](demonstrations, seed, interactions)
    spent = time.process_time() - began
    # MaxEnt IRL knows the transitions
    played = 0 if method == "MaxEnt IRL" else interactions
    row: dict[str, Any] = {"method": method, "seed": seed, "interactions": played, "cpu_s": spent}
    for name, P in MAZES.items():
        row[f"policy, {name}"] = score(P, found.policy)
        row[f"reward, {name}"] = score(P, best(P, found.reward))
    return row


MAZES = {"as seen": SEEN, **CHANGED}


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Means with 95 % intervals over seeds: method, what, maze, mean, low, high, n."""
    rows = []
    for method, runs in table.groupby("method", sort=False):
        for name in MAZES:
            for what in ("policy", "reward"):
                one = interval(runs[f"{what}, {name}"].to_numpy(float))
                rows.append((method, what, name, one.estimate, one.low, one.high, one.n))
    return pd.DataFrame(rows, columns=["method", "what", "maze", "mean", "low", "high", "n"])


def drawn(table: pd.DataFrame) -> Figure:
    """A panel for each maze: what the best policy for each method's reward earns, with its seeds."""
    figure, axes = panels(1, len(MAZES), width=WIDE, height=2.2)
    methods = list(dict.fromkeys(table["method"]))
    look = looks(methods)
    means = summary(table)
    for axis, name in zip(axes, MAZES, strict=True):
        for y, method in enumerate(methods):
            one = means[(means["what"] == "reward") & (means["maze"] == name) & (means["method"] == method)].iloc[0]
            runs = table.loc[table["method"] == method, f"reward, {name}"].to_numpy(float)
            axis.plot([one["low"], one["high"]], [y, y], color=look[method].colour, linewidth=1.8)
            axis.plot(one["mean"], y, look[method].marker, color=look[method].colour, markersize=5)
            axis.plot(runs, np.full(len(runs), y + 0.25), "o", color="#7A7A7A", markersize=2.6, markeredgewidth=0)
        axis.set_title(name, loc="left")
        axis.set_xlim(-0.3, 1.15)
        axis.set_ylim(len(methods) - 0.45, -0.55)
        axis.set_xlabel("score")
        for level in (0.0, 1.0):
            axis.axvline(level, color="#444444", linewidth=0.8, zorder=0)
        axis.set_yticks(range(len(methods)), methods if axis is axes[0] else [""] * len(methods))
    return figure


def main() -> None:
    """Measure what is missing, write, print and draw."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--seeds", type=int, default=5)
    ask.add_argument("--interactions", type=int, default=40_000)
    ask.add_argument("--out", type=Path, default=Path("imitation_transfer.csv"))
    given = ask.parse_args()
    rows: list[dict[str, Any]] = pd.read_csv(given.out).to_dict("records") if given.out.exists() else []
    given.out.parent.mkdir(parents=True, exist_ok=True)
    for seed in range(given.seeds):
        for method in METHODS:
            if any((row["method"], row["seed"]) == (method, seed) for row in rows):
                continue
            rows.append(measured(method, seed, given.interactions))
            print({key: round(x, 3) if isinstance(x, float) else x for key, x in rows[-1].items()}, flush=True)
            with replacing(given.out) as temporary:
                pd.DataFrame(rows).round(4).to_csv(temporary, index=False, lineterminator="\n")
    table = pd.DataFrame(rows).sort_values("method", key=lambda names: names.map(list(METHODS).index), kind="stable")
    print(summary(table).round(3).to_string(index=False))
    with replacing(given.out.with_suffix(".png")) as temporary:
        drawn(table).savefig(temporary, format="png", dpi=110)


if __name__ == "__main__":
    main()
