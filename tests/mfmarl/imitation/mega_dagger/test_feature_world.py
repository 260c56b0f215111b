import math
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from mfmarl.errors import UserError
from mfmarl.imitation.dagger import DAggerAgent
from mfmarl.imitation.mega_dagger.feature_world import FeatureWorld
from mfmarl.imitation.mega_dagger.linear_world import most_queries, most_queries_in_rounds
from mfmarl.imitation.mega_dagger.model_based import MEGADAggerAgent

LENGTH, ENTRIES = 10, 2
CONFIG: dict[str, Any] = {
    "state_dim": ENTRIES, "action_dim": 2, "hidden_dims": (4,), "batch_size": 1, "updates": 1, "rollout": 1,
    "fresh": False, "horizon": 1, "candidates": 1,
}  # fmt: skip


class Linear(gym.Env[NDArray[np.float32], int]):
    """x' = A x + b(a) + noise: A turns and shrinks, actions push to either side."""

    observation_space = gym.spaces.Box(-np.inf, np.inf, (ENTRIES,), np.float32)
    action_space: Any = gym.spaces.Discrete(2)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[NDArray[np.float32], dict[str, Any]]:
        super().reset(seed=seed)
        self.x, self.time = self.np_random.normal(size=ENTRIES), 0
        return self.x.astype(np.float32), {}

    def step(self, action: int) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        turned = 0.8 * np.array([self.x[0] - 0.5 * self.x[1], self.x[1] + 0.5 * self.x[0]])
        self.x = turned + 0.2 * (2 * action - 1) + 0.3 * self.np_random.normal(size=ENTRIES)
        self.time += 1
        return self.x.astype(np.float32), 0.0, False, self.time == LENGTH, {}


def expert(states: NDArray[np.float32]) -> NDArray[np.int64]:
    return (states[:, 0] < 0).astype(np.int64)


def of_state(states: NDArray[np.float32], _: NDArray[np.generic]) -> NDArray[np.float64]:
    """(1, x) within the unit ball."""
    rows = np.concatenate([np.ones((len(states), 1)), states], 1)
    found: NDArray[np.float64] = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1)
    return found


def agent_of(tau: float, **settings: Any) -> MEGADAggerAgent:
    world = FeatureWorld(of_state, ENTRIES)
    return MEGADAggerAgent({**CONFIG, "tau": tau, **settings}, Linear, expert, world=world)


@pytest.mark.parametrize("tau", [0.6, 0.15])
def test_the_agent_s_queries_stay_below_the_bound(tau: float) -> None:
    result = agent_of(tau).train(240)
    asked = [row["queries"] for row in result.history]
    # u is the trace over both entries
    for n in asked:
        assert n <= 2 * 3 / (tau / ENTRIES) * math.log1p(n / 3)
    assert 3 < asked[-1] <= most_queries(tau / ENTRIES, 3)
    assert asked[-1] < 240 / 2, "and not for want of steps"
    late = asked[-1] - asked[119]
    assert late < asked[119]


def test_so_they_do_where_rounds_are_longer() -> None:
    tau, steps = 0.2, 10
    queries = agent_of(tau, rollout=steps).train(400).counts.queries
    assert 3 < queries <= most_queries_in_rounds(tau / ENTRIES, 3, steps)


def test_without_tolerance_it_is_dagger_and_with_every_tolerance_it_never_asks() -> None:
    shared = {key: value for key, value in CONFIG.items() if key not in {"horizon", "candidates"}}
    mega, dagger = agent_of(0.0), DAggerAgent({**shared, "beta": "constant", "beta_end": 1.0}, Linear, expert)
    for agent in (mega, dagger):
        agent.train(2 * LENGTH)
    assert mega.counts == dagger.counts
    np.testing.assert_array_equal(mega.states, dagger.states)
    assert agent_of(math.inf).train(2 * LENGTH).counts.queries == 0


def test_what_it_predicts_is_least_squares_and_its_trace() -> None:
    world = FeatureWorld(lambda s, a: s, 2, sigma=2.0, ridge=1.0)
    rows, actions = np.array([[1, 0], [1, 0], [1, 0]], np.float32), np.zeros(3, np.int64)
    assert world.predict(torch.eye(2), torch.zeros(2))[1].tolist() == [8, 8]
    world.fit(rows, actions, rows + np.array([[2, 1], [4, 1], [0, 1]], np.float32))
    after, u = world.predict(torch.eye(2), torch.zeros(2))
    # weights 6 / (3 + 1) and 3 / 4; u is 2 x 4 / (3 + 1), and 2 x 4 where nothing was seen
    np.testing.assert_allclose(after.numpy(), np.array([[2.5, 0.75], [0, 1]]))
    assert u.tolist() == pytest.approx([2, 8])


def test_saved_training_goes_on_bit_for_bit_within_an_episode(tmp_path: Path) -> None:
    whole = agent_of(0.3, rollout=4, num_envs=2)
    whole.train(24)
    whole.save(tmp_path)
    again = MEGADAggerAgent.load(tmp_path, env=Linear, expert=expert, world=FeatureWorld(of_state, ENTRIES))
    for agent in (whole, again):
        agent.train(80)
    assert again.counts == whole.counts
    np.testing.assert_array_equal(again.states, whole.states)
    for a, b in zip(again.policy.parameters(), whole.policy.parameters(), strict=True):
        assert torch.equal(a, b)


def test_a_saved_agent_wants_the_kind_of_world_that_it_had(tmp_path: Path) -> None:
    agent_of(0.3).save(tmp_path)
    with pytest.raises(UserError, match="saved with the world FeatureWorld, not EnsembleWorld: give load"):
        MEGADAggerAgent.load(tmp_path, env=Linear, expert=expert)
