"""A profile in its game: what deviators leave, and what they may start from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

import envs
from envs.population import PopulationEnv, type_slices
from mfmarl.deviation import CLOCK, DeviationEnv, Potential, Sight, Units, observed_mean, some_deviators, whole_type
from mfmarl.errors import UserError
from mfmarl.network import PolicyNetwork, types_of
from mfmarl.players import network_player, network_sight, reference_player
from mfmarl.policy import network_in
from mfmarl.runs.checkpoint import Checkpoint, latest_checkpoint
from mfmarl.runs.schema import open_run
from mfmarl.yardstick import Player

Who = Literal["one", "type"]
"""One agent of the type deviates, or all of them together."""
Start = Literal["fresh", "checkpoint"]
"""From new networks, or from those of the profile itself."""
UNIT_EPISODES, LEAST_SCALE, RIDGE, LITTLE = 32, 0.01, 1e-3, 1e-3


@dataclass(frozen=True)
class Trained:
    """Networks that a deviator may start from."""

    network: PolicyNetwork
    reward_scale: NDArray[np.float32]
    """[N], of the rewards that action values are told in; 1 where outputs are no values."""


@dataclass(frozen=True)
class Subject:
    """A profile in its game."""

    make: Callable[[int], PopulationEnv]
    """copies -> the game"""
    player: Player
    discount: float
    algorithm: Literal["mfq", "mfac"] = "mfq"
    trained: Trained | None = None

    @classmethod
    def of_networks(
        cls,
        make: Callable[[int], PopulationEnv],
        trained: Trained,
        discount: float,
        algorithm: Literal["mfq", "mfac"],
    ) -> Subject:
        """A profile of trained networks."""
        return cls(make, network_player(trained.network), discount, algorithm, trained)

    def deviation(
        self, kind: int, who: Who, copies: int, seed: int, *, start: Start = "fresh", units: Units | None = None,
        first: int = 0, number: int = 1,
    ) -> DeviationEnv:  # fmt: skip
        """The game of type `kind`'s deviators: all of them, or one a copy, in turn from the `first`-th of the type.

        Where they are many, `number` of them a copy move the means too little to feel each other, and serve to train.
        """
        inner = self.make(copies)
        places = some_deviators(inner, kind, number, first) if who == "one" else whole_type(inner, kind)
        return DeviationEnv(inner, self.player, places, seed=seed, sight=self._sight(start), units=units)

    def _sight(self, start: Start) -> Sight:
        if start == "fresh":
            return observed_mean
        if self.trained is None:
            raise ValueError("this profile has no networks to start from: train its deviators fresh")
        return network_sight(self.trained.network)


@dataclass(frozen=True)
class Staying:
    """Play where everyone stays, as a deviator sees it."""

    units: Units
    spread: float | None
    """Of the rewards in these units; None where they hardly spread, so that it is no unit."""
    rows: NDArray[np.float32]
    """[R, D + F + CLOCK]: observations as they are."""


def staying(subject: Subject, kind: int, start: Start, seed: int) -> Staying:
    """What the agents of a type see and earn where everyone stays."""
    env = subject.deviation(kind, "type", UNIT_EPISODES, seed, start=start)
    step, seen, rewards = env.reset(seed), [], []
    for _ in range(env.horizon):
        seen.append(step.obs)
        step = env.stay()
        rewards.append(step.reward)
    obs = np.stack(seen).reshape(env.horizon, -1, seen[0].shape[-1])
    rows = obs.reshape(-1, obs.shape[-1])
    spread = rows.std(0, dtype=np.float64)
    scale = np.where(spread < LEAST_SCALE, 1.0, spread)
    # rare as they are, ones of the clock would be far larger than all else
    scale[-CLOCK:-1] = 1.0
    earned = np.stack(rewards).reshape(env.horizon, -1).astype(np.float64)
    potential = _potential(obs, earned, subject.discount)
    worth = np.stack([potential.of(obs[t], t) for t in range(env.horizon)] + [np.zeros(obs.shape[1])])
    told = earned + subject.discount * worth[1:] - worth[:-1]
    units = Units(rows.mean(0, dtype=np.float64).astype(np.float32), scale.astype(np.float32), potential)
    spread_told = float(told.std())
    known = spread_told > LITTLE * float(np.abs(earned).mean())
    return Staying(units, spread_told if known else None, rows)


def _potential(obs: NDArray[np.float32], earned: NDArray[np.float64], discount: float) -> Potential:
    """The returns that follow [T, R] on the observations [T, R, D]: a level a period and slopes of all, least squares.

    Entries that hardly move within a period get none.
    """
    returns = np.zeros_like(earned)
    following = np.zeros(earned.shape[1])
    for t in range(len(earned) - 1, -1, -1):
        following = earned[t] + discount * following
        returns[t] = following
    means = obs.mean(1, keepdims=True, dtype=np.float64)
    away = (obs - means).reshape(-1, obs.shape[-1])
    spread = away.std(0)
    away /= np.where(spread < LEAST_SCALE, np.inf, spread)
    around = (returns - returns.mean(1, keepdims=True)).reshape(-1)
    square = away.T @ away / len(away) + RIDGE * np.eye(spread.size)
    slope = np.linalg.solve(square, away.T @ around / len(away)) / np.maximum(spread, LEAST_SCALE)
    return Potential(slope, returns.mean(1) - means[:, 0] @ slope, discount)


def run_subject(run: Path, *, split: str | None = None, checkpoint: Checkpoint | None = None) -> Subject:
    """The profile of a run's checkpoint in the run's game.

    Args:
        split: of recorded data, where the game holds some out; without it what the run was trained on.
        checkpoint: where it was read already; else the newest.

    Raises:
        UserError: for a folder that is no run or has no checkpoint, policies of another game, or a split that the game
            has not.
        StorageFailed: where the checkpoint is damaged.
    """
    config = open_run(run).config
    options = options_in(config.env, config.env_options, split)
    checkpoint = checkpoint or latest_checkpoint(run)
    network = network_in(checkpoint, run)
    agents = network.shape.types[-1][1]
    scale = checkpoint.tensors.get("scale", {}).get("reward", np.ones(agents, np.float32))
    make = partial(_make, config.env, config.num_agents, options)
    _check_fit(run, network, make(1))
    algorithm: Literal["mfq", "mfac"] = "mfac" if config.algorithm == "mfac" else "mfq"
    return Subject.of_networks(make, Trained(network, scale), config.discount, algorithm)


def _check_fit(run: Path, network: PolicyNetwork, env: PopulationEnv) -> None:
    shape = network.shape
    types = types_of(type_slices(env.agent_types))
    wanted = (types, env.observation_space.shape[0], getattr(env.action_space, "n", None))
    if (shape.types, shape.observations, shape.num_actions) != wanted:
        told = [
            f"{[stop - start for start, stop in t]} agents by type, {seen} observed entries, "
            f"{'continuous' if actions is None else actions} actions"
            for t, seen, actions in ((shape.types, shape.observations, shape.num_actions), wanted)
        ]
        raise UserError(
            f"{run}: its policies are of another game: they play {told[0]}; the run's game has {told[1]}; the "
            "checkpoint belongs to another run"
        )


def options_in(env: str, options: Mapping[str, Any], split: str | None) -> dict[str, Any]:
    """A game's options with the part of its data that is asked for.

    Raises:
        UserError: where the game has no data to split.
    """
    if split is None:
        return dict(options)
    if not envs.has_held_out(env, **options):
        raise UserError(f"split {split}: {env} has no data to split; leave it out")
    return {**options, "split": split}


def reference_subject(
    name: str,
    env: str,
    *,
    num_agents: int | None = None,
    options: Mapping[str, Any] | None = None,
    discount: float = 0.99,
) -> Subject:
    """The reference policy `name` of environment `env`, for all agents.

    Raises:
        ValueError: for an unknown environment, option or policy, or one that cannot be played there.
    """
    subject = Subject(
        partial(_make, env, num_agents, dict(options or {})), reference_player(name, discount), discount
    )
    subject.player(subject.make(1), 0)
    return subject


def _make(env: str, num_agents: int | None, options: Mapping[str, Any], copies: int) -> PopulationEnv:
    return envs.make(env, num_envs=copies, num_agents=num_agents, seed=0, **options)
