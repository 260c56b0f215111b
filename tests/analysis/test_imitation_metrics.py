import numpy as np
import pytest
from scipy import stats

from analysis.imitation_metrics import over_seeds
from mfmarl.imitation.metrics import Metrics


def run(mean: float, success: float | None) -> Metrics:
    return Metrics(np.array([mean - 1, mean + 1]), success, mean / 10, 0.0, 0.0, 1.0, 2.0)


def test_means_and_student_intervals_over_seeds() -> None:
    found = over_seeds([run(mean, None) for mean in (1.0, 2.0, 6.0)])
    half = stats.t.ppf(0.975, 2) * np.std([1, 2, 6], ddof=1) / np.sqrt(3)
    assert found.loc["returns"].tolist() == pytest.approx([3, 3 - half, 3 + half, 3])
    assert found.loc["mmd", "mean"] == pytest.approx(0.3)
    assert "success" not in found.index
    assert over_seeds([run(1.0, s) for s in (0.0, 0.5, 1.0)]).loc["success", "mean"] == 0.5


def test_two_seeds_give_no_interval() -> None:
    with pytest.raises(ValueError, match="2 runs give no interval"):
        over_seeds([run(1.0, None)] * 2)
