"""Training where agents see their neighbours only: the platform rebuilds the mean actions that the network showed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import envs
from mfmarl.algorithms.mfq_config import MFQConfig
from mfmarl.config import TrainConfig
from mfmarl.core.mean_action import MeanField
from mfmarl.trainer import LocalTrainer


@pytest.mark.parametrize("name", ["network-30", "network-100-wide"])
def test_mean_actions_are_rebuilt_as_the_network_gave_them(name: str) -> None:
    env = envs.make(f"inventory/{name}", num_envs=4, seed=0)
    assert env.neighbours is not None
    rng = np.random.default_rng(0)
    for _ in range(3):
        actions = rng.integers(11, size=(4, env.num_agents))
        field = MeanField("one_hot", 11, env.num_agents, neighbours=torch.from_numpy(env.neighbours))
        rebuilt = field.of(torch.from_numpy(actions))
        np.testing.assert_allclose(env.step(actions).mean_action, rebuilt.numpy(), rtol=1e-6)


@pytest.mark.parametrize("method", ["is", "mf"])
def test_a_network_trains(method: Any) -> None:
    config = TrainConfig(
        env="inventory/network-30",
        env_options={"horizon": 12},
        method=method,
        num_episodes=32,
        num_envs=4,
        seed=0,
        mfq=MFQConfig(warmup_population_steps=64, replay_population_steps=512, batch_population_steps=16),
    )
    trainer = LocalTrainer(config)
    before = {k: v.clone() for k, v in trainer.learner.network.state_dict().items()}
    metrics = [trainer.iterate() for _ in range(4)]
    assert trainer.learner.gradient_steps > 0
    assert np.isfinite([m["return_mean"] for m in metrics if "return_mean" in m]).all()
    assert any((before[k] != v).any() for k, v in trainer.learner.network.state_dict().items())
    assert trainer.type_names == [f"echelon_{k}" for k in range(5)]
