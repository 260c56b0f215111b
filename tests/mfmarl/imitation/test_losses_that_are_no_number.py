"""Imitation ends where a loss is not finite, with what to change."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from mfmarl.errors import TrainingFailed
from mfmarl.imitation.bc import BCAgent
from mfmarl.imitation.run import _check_finite


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_cloning_ends_at_the_first_row_of_its_history(value: float, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    agent = BCAgent({"state_dim": 2, "action_dim": 3, "hidden_dims": (8,), "batch_size": 16})
    step, taken, told = agent._step, [0], []

    def spoilt(*batch: torch.Tensor) -> torch.Tensor:
        taken[0] += 1
        return step(*batch) * (value if taken[0] == 150 else 1.0)

    monkeypatch.setattr(agent, "_step", spoilt)
    with pytest.raises(TrainingFailed, match=rf"the loss is {value} at update 200: lower learning_rate"):
        agent.fit(rng.normal(size=(64, 2)).astype(np.float32), rng.integers(0, 3, 64), 400, told.append)
    # what is saved is saved by whom it tells
    assert [row["updates"] for row in told] == [100]
    assert taken == [200]


@pytest.mark.parametrize("name", ["loss", "critic_loss", "discriminator_loss"])
@pytest.mark.parametrize("value", [math.nan, -math.inf])
def test_a_round_of_imitation_is_refused_by_the_loss_that_is_none(name: str, value: float) -> None:
    with pytest.raises(TrainingFailed, match=f"^round 3: {name} is {value}; lower the learning rates, or raise"):
        _check_finite({name: value, "return": 1.0}, 3)
    _check_finite({name: 0.5, "return": math.nan}, 3)
