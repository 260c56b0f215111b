"""What every registered algorithm promises: it repeats, resumes, stays finite, and learns a game of two actions."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mfmarl.config import TrainConfig
from mfmarl.errors import UserError
from mfmarl.policy import Policy
from mfmarl.registry import ALGORITHMS, load
from mfmarl.train import train
from mfmarl.trainer import LocalTrainer
from tests.games import MatchingGame, make_actors, make_pair

PAIRS: dict[str, Any] = {"mfq": make_pair, "mfac": make_actors}
OURS = [name for name, entry in ALGORITHMS.items() if "rllib" not in entry.target]
"""RLlib's own algorithms keep other promises: tests/mfmarl/rllib/test_baselines.py."""
CASES = [(name, {}) for name in OURS] + [
    ("mfac", {"env_options": {"action_mode": "continuous"}}),
    ("mfac", {"sharing": "all", "method": "fresh"}),
    ("mfac", {"sharing": "agent", "method": "independent"}),
    ("mfac", {"reward": "mean", "mean_action": "scalar", "mean_action_by_type": True}),
]


def config(algorithm: str, seed: int = 3, **changes: Any) -> TrainConfig:
    section = {"warmup_population_steps": 32, "hidden": [8, 8], "batch_population_steps": 4}
    small = {"num_agents": 9, "num_envs": 3, "num_episodes": 12, "fragment_length": 8, "seed": seed}
    return TrainConfig.model_validate(small | {"algorithm": algorithm, algorithm: section} | changes)


def played(trainer: LocalTrainer, iterations: int) -> list[dict[str, float]]:
    return [trainer.iterate() for _ in range(iterations)]


def flat(trainer: LocalTrainer) -> dict[str, np.ndarray]:
    tensors, _ = trainer.get_state()
    return {f"{file}/{name}": array.copy() for file, table in tensors.items() for name, array in table.items()}


def assert_equal(first: dict[str, np.ndarray], second: dict[str, np.ndarray]) -> None:
    assert first.keys() == second.keys()
    for name, array in first.items():
        np.testing.assert_array_equal(array, second[name], err_msg=name)


@pytest.mark.parametrize(("algorithm", "changes"), CASES)
def test_repeats_resumes_and_stays_finite(algorithm: str, changes: dict[str, Any]) -> None:
    chosen = config(algorithm, **changes)
    first, second = LocalTrainer(chosen), LocalTrainer(chosen)
    assert played(first, 4) == played(second, 4)
    tensors, states = second.get_state()
    tensors = {f: {k: v.copy() for k, v in t.items()} for f, t in tensors.items()}
    lines = played(first, 3)
    resumed = LocalTrainer(chosen)
    resumed.set_state(tensors, states)
    assert played(resumed, 3) == lines
    assert_equal(flat(first), flat(resumed))
    assert all(math.isfinite(v) for line in lines for v in line.values())
    assert first.learner.gradient_steps > 20
    other = LocalTrainer(config(algorithm, seed=4, **changes))
    assert played(other, 4)[-1] != lines[-1]


@pytest.mark.parametrize("algorithm", OURS)
@pytest.mark.parametrize("seed", [0, 1])
def test_learns_a_game_of_two_actions(algorithm: str, seed: int) -> None:
    rollout, learner = PAIRS[algorithm](MatchingGame(num_envs=8, num_actions=2), "mf", seed, 160)
    assert isinstance(learner, load(ALGORITHMS, algorithm))
    while learner.episodes < 160:
        learner.learn([rollout.collect(5)])
    assert rollout.collect(20).reward.mean() > 0.95


@pytest.mark.parametrize(
    ("algorithm", "mode", "law"), [("mfq", "levels", "boltzmann"), ("mfac", "levels", "softmax"),
                                  ("mfac", "continuous", "squashed_gaussian")]
)  # fmt: skip
def test_policies_are_saved_and_play_without_the_learner(tmp_path: Path, algorithm: str, mode: str, law: str) -> None:
    chosen = config(algorithm, num_episodes=6, env_options={"action_mode": mode})
    run = train(chosen, tmp_path, backend="local")
    policy = Policy.load(run, seed=5)
    assert policy.network.shape.law == law
    entries = 1 if mode == "continuous" else policy.network.shape.outputs
    rng = np.random.default_rng(0)
    obs = rng.random((2, 9, policy.network.shape.observations), np.float32)
    mean = np.full((2, 9, entries), 1 / entries, np.float32)
    action = policy.act(obs, mean)
    assert action.shape == (2, 9)
    np.testing.assert_array_equal(action, Policy.load(run, seed=5).act(obs, mean))
    if mode == "continuous":
        assert action.dtype == np.float32
        assert 0 <= action.min() < action.max() <= 1
        with pytest.raises(ValueError, match="continuous actions, which have densities: use act"):
            policy.probs(obs, mean)
    else:
        np.testing.assert_allclose(policy.probs(obs, mean).sum(-1), 1.0, atol=1e-5)


def test_mean_field_q_refuses_continuous_actions() -> None:
    with pytest.raises(UserError, match=r"mfq plays discrete actions; .* choose algorithm mfac"):
        LocalTrainer(config("mfq", env_options={"action_mode": "continuous"}))


def test_estimators_that_need_probabilities_refuse_continuous_actions() -> None:
    changes = {"env_options": {"action_mode": "continuous"}, "method": "is", "importance": {"estimator": "marginal"}}
    with pytest.raises(UserError, match=r"marginal is for discrete actions; .*: take joint, gaussian or mixture"):
        LocalTrainer(config("mfac", **changes))
