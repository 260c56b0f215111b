"""Drawing actions by arrays: the laws that torch draws from."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from mfmarl.core.laws import Categorical
from mfmarl.imitation.acting import player
from mfmarl.imitation.laws import Gaussian
from mfmarl.imitation.networks import Actor
from mfmarl.imitation.spaces import Spaces

STATES = np.random.default_rng(0).normal(size=(3, 2)).astype(np.float32)
DRAWS = 4000


def actor(spaces: Spaces) -> Actor:
    """With weights that make actions differ, and a normaliser that has seen states."""
    made = Actor(spaces, (16, 16), 0, last_gain=6.0)
    made.norm.update(torch.randn(100, 2, generator=torch.Generator().manual_seed(1)) * 3 + 1)
    return made


def drawn(policy: Actor) -> NDArray[Any]:
    """[DRAWS, 3] or [DRAWS, 3, A]"""
    act = player(policy, DRAWS, len(STATES), torch.Generator().manual_seed(0))
    return np.stack([act(STATES) for _ in range(DRAWS)])


def test_numbered_actions_are_as_frequent_as_the_law_says() -> None:
    policy = actor(Spaces(2, 3))
    law = policy.law(torch.from_numpy(STATES))
    assert isinstance(law, Categorical)
    probs = law.probs.detach().numpy()
    shares = np.stack([(drawn(policy) == a).mean(0) for a in range(3)], -1)
    assert np.ptp(probs) > 0.5
    # five standard deviations of a share
    np.testing.assert_allclose(shares, probs, atol=5 * 0.5 / DRAWS**0.5)


def test_continuous_actions_have_the_law_s_quantiles() -> None:
    spaces = Spaces(2, 2, (-2.0, -1.0), (2.0, 3.0))
    policy = actor(spaces)
    law = policy.law(torch.from_numpy(STATES))
    assert isinstance(law, Gaussian)
    below = (drawn(policy) <= law.mean.detach().numpy()).mean(0)
    inside = (law.mean > torch.tensor(spaces.low)) & (law.mean < torch.tensor(spaces.high))
    assert bool(inside.any())
    np.testing.assert_allclose(below[inside.numpy()], 0.5, atol=5 * 0.5 / DRAWS**0.5)
    assert drawn(policy).min() >= -2.0
    assert drawn(policy).max() <= 3.0


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_without_noise_it_is_the_mode(activation: str) -> None:
    policy = Actor(Spaces(2, 1, (-2.0,), (2.0,)), (16, 16), 0, activation=activation, log_std=-20.0, last_gain=1.0)  # type: ignore[arg-type]
    act = player(policy, 1, len(STATES), torch.Generator().manual_seed(0))
    assert act(STATES).astype(float) == pytest.approx(policy.act(STATES).astype(float), abs=1e-5)


def test_layers_that_it_does_not_know() -> None:
    with pytest.raises(TypeError, match="an actor's layer is Dropout; want Linear, Tanh or ReLU"):
        player(Actor(Spaces(2, 3), (16,), 0, dropout=0.1), 1, 1, torch.Generator())
