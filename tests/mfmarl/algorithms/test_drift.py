"""What the correction hands to its estimators."""

from types import SimpleNamespace

import pytest
import torch

from mfmarl.algorithms.drift import DriftCorrection, Stored
from mfmarl.algorithms.peers import Peers
from mfmarl.core.importance import action_moments, gaussian_log_ratio
from mfmarl.core.importance_config import ImportanceConfig
from mfmarl.core.laws import Categorical
from mfmarl.core.mean_action import MeanField
from tests.mfmarl.core.importance.laws import played, population


@pytest.mark.parametrize("bandwidth", [0.0, 0.05])
def test_gaussian_ratios_are_those_of_actions_between_0_and_1(bandwidth: float):
    """The bandwidth is told on that scale; steps of the current version have a ratio of exactly 1."""
    new, old, action = population(6, 20, 5, seed=0, drift=0.6)
    version = torch.tensor([1, 1, 2, 1, 2, 0])
    nothing = torch.zeros(6, 20, 0)
    stored = Stored(nothing, nothing, action, played(old, action), version, old.float())
    config = ImportanceConfig(estimator="gaussian", bandwidth=bandwidth)
    drift = DriftCorrection(config, MeanField("one_hot", 5, 20), Peers())
    policy = SimpleNamespace(version=torch.tensor(2))
    got = drift._log_ratio(Categorical(new.float()), stored, policy)  # type: ignore[arg-type]
    (mean, variance), (old_mean, old_variance) = action_moments(new), action_moments(old)
    want = gaussian_log_ratio(
        mean / 4, variance / 16, old_mean / 4, old_variance / 16, action / 4, bandwidth=bandwidth, spacing=1 / 4
    )
    assert bool((got[[2, 4]] == 0).all())
    drifted = [0, 1, 3, 5]
    assert torch.allclose(got[drifted].double(), want[drifted].double(), rtol=1e-4, atol=1e-5)
    assert float(want[drifted].abs().max()) > 0.1
