"""Shards of demonstrations, the stream that RLlib's BC and MARWIL learn from, and what they learn."""

from __future__ import annotations

import math
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mfmarl.errors import DamagedFile, UserError
from mfmarl.imitation.demonstrations import Demonstrations, Episode
from mfmarl.imitation.spaces import Spaces

pytest.importorskip("ray")
pytestmark = pytest.mark.ray

DISCRETE, CONTINUOUS = Spaces(3, 2), Spaces(2, 2, (-2.0, 0.0), (2.0, 5.0))


def demonstrations(spaces: Spaces, lengths: tuple[int, ...] = (3, 1, 7, 4)) -> Demonstrations:
    rng = np.random.default_rng(0)
    episodes = []
    for i, length in enumerate(lengths):
        uniform = rng.uniform(spaces.low, spaces.high, (length, spaces.action_dim)) if spaces.continuous else None
        actions = rng.integers(0, 2, length) if uniform is None else uniform.astype(np.float32)
        states = rng.normal(size=(length + 1, spaces.state_dim)).astype(np.float32)
        episodes.append(Episode(states, actions, rng.normal(size=length), i % 2 == 0, i % 2 == 1))
    return Demonstrations.from_episodes(episodes, spaces, "Some-v0")


@pytest.mark.parametrize("spaces", [DISCRETE, CONTINUOUS])
def test_episodes_come_back_as_they_were_shard_by_shard_and_again(spaces: Spaces, tmp_path: Path) -> None:
    from mfmarl.rllib.action_laws import in_environment
    from mfmarl.rllib.offline_shards import read_shards, shards_of
    from mfmarl.rllib.offline_stream import endless

    shown = demonstrations(spaces)
    written = shards_of(shown, tmp_path, size=3)
    assert read_shards(tmp_path) == written
    assert (written.episodes, written.steps, len(written.files), written.spaces) == (4, 15, 2, spaces)
    paths = [tmp_path / name for name in written.files]
    found = list(islice(endless(paths, np.random.default_rng(1)), 8))
    for turn, half in enumerate((found[:4], found[4:])):
        by_number = sorted(half, key=lambda one: one.id_)
        assert [one.id_ for one in by_number] == [f"{i}_{turn}" for i in range(4)]
        for i, one in enumerate(by_number):
            np.testing.assert_array_equal(one.get_observations(), shown[i].observations)
            np.testing.assert_allclose(in_environment(one.get_actions(), spaces), shown[i].actions, rtol=0, atol=1e-6)
            np.testing.assert_allclose(one.get_rewards(), shown[i].rewards, rtol=1e-6)
            assert (one.is_terminated, one.is_truncated) == (shown[i].terminated, shown[i].truncated)


def test_no_more_episodes_than_a_shard_has_are_asked_for_before_one_is_written(tmp_path: Path) -> None:
    from mfmarl.rllib.offline_shards import write_shards

    shown, seen = demonstrations(DISCRETE), []

    def one_by_one() -> Any:
        for i in range(4):
            seen.append(len(list(tmp_path.glob("*.parquet"))))
            yield shown[i]

    write_shards(one_by_one(), DISCRETE, tmp_path, size=2)
    assert seen == [0, 0, 1, 1]


def test_wrong_shards_are_refused(tmp_path: Path) -> None:
    from mfmarl.rllib.offline_shards import MANIFEST, read_shards, shards_of, write_shards

    with pytest.raises(UserError, match=r"has no shards\.json"):
        read_shards(tmp_path)
    with pytest.raises(UserError, match="no episode to write into"):
        write_shards([], DISCRETE, tmp_path)
    with pytest.raises(UserError, match="shards of 0 episodes; want 1 or more"):
        shards_of(demonstrations(DISCRETE), tmp_path, size=0)
    shards_of(demonstrations(DISCRETE), tmp_path)
    with pytest.raises(UserError, match="has shards already"):
        shards_of(demonstrations(DISCRETE), tmp_path)
    (tmp_path / "shard-00000.parquet").rename(tmp_path / "gone")
    with pytest.raises(UserError, match=r"shard-00000\.parquet is missing; shards\.json names it"):
        read_shards(tmp_path)
    (tmp_path / MANIFEST).write_text("{")
    with pytest.raises(DamagedFile, match=r"shards\.json is damaged"):
        read_shards(tmp_path)


def test_marwils_targets_are_the_returns_of_whole_episodes(tmp_path: Path) -> None:
    from ray.rllib.algorithms.marwil.torch.marwil_torch_learner import MARWILTorchLearner

    from mfmarl.rllib.offline_cloning import OfflineConfig, algorithm_config
    from mfmarl.rllib.offline_shards import shards_of
    from mfmarl.rllib.offline_stream import ShardStream

    shown = demonstrations(DISCRETE)
    shards = shards_of(shown, tmp_path)
    settings = OfflineConfig(method="marwil", discount=0.9, batch_size=1, window=15, hidden_dims=(4,))
    config = algorithm_config(settings, shards, tmp_path, 0)
    spaces = {"default_policy": (config.observation_space, config.action_space)}
    learner = MARWILTorchLearner(config=config, module_spec=config.get_multi_rl_module_spec(spaces=spaces))
    learner.build()
    stream = ShardStream(config)
    stream.learner_handles = [learner]
    rows = stream.sample(1).policy_batches["default_policy"]
    assert len(rows["value_targets"]) == shown.steps
    # row by row, in an order of its own
    found = {tuple(x.tolist()): float(y) for x, y in zip(rows["obs"], rows["value_targets"], strict=True)}
    for i in (0, 2):
        worth = 0.0
        for t in reversed(range(len(shown[i].rewards))):
            worth = float(shown[i].rewards[t]) + 0.9 * worth
            assert found[tuple(shown[i].observations[t].tolist())] == pytest.approx(worth, abs=1e-5)


@pytest.mark.parametrize(("method", "wanted"), [("bc", 0.5), ("marwil", 1 / (1 + math.exp(-2)))])
def test_rllib_learns_frequencies_and_their_weights_from_the_stream(method: str, wanted: float, tmp_path: Path) -> None:
    """One state, two actions seen alike, worth 20 and 0. MARWIL weighs by exp(beta advantage / 10), 10 being where
    RLlib's norm of advantages starts, so that the odds are exp(20 / 10) whatever the values."""
    from mfmarl.rllib.offline_cloning import imitate_offline
    from mfmarl.rllib.offline_shards import write_shards

    state = np.ones((2, 1), np.float32)
    every = (Episode(state, np.array([i % 2]), np.array([20.0 * (i % 2)]), True, False) for i in range(64))
    write_shards(every, Spaces(1, 2), tmp_path, size=20)
    settings = {"method": method, "hidden_dims": (4,), "learning_rate": 0.06, "batch_size": 64, "window": 3200}
    result = imitate_offline(tmp_path, 100, 0, settings)
    assert [row["updates"] for row in result.history] == [50, 100]
    inputs = result.module.forward_inference({"obs": torch.ones(1, 1)})["action_dist_inputs"]
    assert float(torch.softmax(inputs, -1)[0, 1]) == pytest.approx(wanted, abs=0.05)
    assert result.act(state[:1]).shape == (1,)
