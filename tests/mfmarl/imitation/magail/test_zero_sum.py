"""The zero-sum study: its figures by the closed forms, V other than 0 among them, and what occupancies leave open."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError
from scipy.special import rel_entr

from envs.markov import zero_sum
from mfmarl.imitation.magail.cloning import FALLBACKS
from mfmarl.imitation.magail.zero_sum import DECIDING, Measured, ZeroSumStudy, demonstrations, sample_sizes, study
from mfmarl.imitation.magail.zero_sum_settings import ZeroSumSettings

K = 8.1


@pytest.fixture(scope="module")
def found() -> ZeroSumStudy:
    return study(ZeroSumSettings(epochs=25, rollout_episodes=40, seeds=(1, 2), bc_seeds=(1, 2, 3), expert_total=150))


def closed(measured: Measured, most: float) -> tuple[np.ndarray, np.ndarray]:
    """V and both gaps: K (1 - m n) (p0 - p1) (q0 - q1), K |q0 - q1| - V, K |p0 - p1| + V."""
    m, n = (pi[..., 0, 2] for pi in measured.policies)
    first, second = (pi[..., DECIDING, 0] - pi[..., DECIDING, 1] for pi in measured.policies)
    values = most * (1 - m * n) * first * second
    return values, np.stack([most * np.abs(second) - values, most * np.abs(first) + values], -1)


def test_every_record_by_the_closed_forms(found: ZeroSumStudy) -> None:
    values, gaps = closed(found.learnt, K)
    assert np.abs(values).min() > 1e-5, "V = 0 would hide a wrong sign"
    np.testing.assert_allclose(found.learnt.values, values, rtol=0, atol=1e-9)
    np.testing.assert_allclose(found.learnt.gaps, gaps, rtol=0, atol=1e-9)
    np.testing.assert_allclose(found.learnt.exploitability, gaps.max(-1), rtol=0, atol=1e-9)
    first, second = (np.abs(pi[..., DECIDING, 0] - pi[..., DECIDING, 1]) for pi in found.learnt.policies)
    np.testing.assert_allclose(found.learnt.nash_conv, K * (first + second), rtol=0, atol=1e-9)
    assert np.abs(found.learnt.gaps[..., 1] - (K * first - values)).max() > 1e-3


def test_distance_of_occupancies_of_the_learners(found: ZeroSumStudy) -> None:
    game = zero_sum()
    one = game.occupancy([pi[-1, 1] for pi in found.learnt.policies]).joint.ravel()
    expert = np.zeros((7, 3, 3))
    # (1 - gamma) of all play is the first step, and so on
    expert[0, 2, 2], expert[2, 2, 2], expert[3, 2, 2] = 0.1, 0.09, 0.81
    middle = (one + expert.ravel()) / 2
    bits = (rel_entr(one, middle).sum() + rel_entr(expert.ravel(), middle).sum()) / (2 * np.log(2))
    assert found.learnt.distance[-1, 1] == pytest.approx(np.sqrt(bits), abs=1e-9)


def test_clones_are_of_prefixes_of_each_seeds_demonstrations(found: ZeroSumStudy) -> None:
    assert found.clone_samples == (1, 2, 5, 10, 20, 50, 100, 150)
    for fallback, gap in zip(FALLBACKS, (0.0, K, K), strict=True):
        clones = found.clones[fallback]
        assert clones.gaps.shape == (8, 3, 2)
        np.testing.assert_allclose(clones.gaps, gap, rtol=0, atol=1e-9)
        # with all samples the occupancy is the expert's, whatever can be gained
        np.testing.assert_allclose(clones.distance[-1], 0, rtol=0, atol=1e-6)
    # one step shows s0 alone: uniform in s2 and s3 afterwards
    assert found.clones["uniform"].distance[0].min() > 0.5
    shown = demonstrations(zero_sum(), found.settings, 1)
    assert len(shown.states) == 150
    assert set(shown.actions.ravel()) == {2}


def test_sample_sizes() -> None:
    assert sample_sizes(1000) == (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
    assert sample_sizes(1) == (1,)
    assert sample_sizes(30) == (1, 2, 5, 10, 20, 30)


def test_what_occupancies_leave_open(found: ZeroSumStudy) -> None:
    expert, *samples, first, second = found.left_open
    assert expert.report is not None
    np.testing.assert_allclose(expert.report.exploitability, [0.0, K], rtol=0, atol=1e-9)
    np.testing.assert_allclose(expert.report.nash_conv, [0.0, 2 * K], rtol=0, atol=1e-9)
    assert expert.deciding == 0
    assert [left.of for left in samples] == ["samples of seed 1", "samples of seed 2"]
    for r, left in enumerate((first, second)):
        # MAGAIL's policies come everywhere: nothing is open
        assert left.report is not None
        assert left.deciding > 0
        want = found.learnt.exploitability[-1, r]
        np.testing.assert_allclose(left.report.exploitability, [want, want], rtol=0, atol=1e-9)


def test_one_sample_leaves_values_open() -> None:
    found = study(ZeroSumSettings(epochs=2, rollout_episodes=5, seeds=(4,), expert_total=1, gamma=0.8, expert_action=0))
    left = found.left_open[1]
    assert left.report is None
    assert "which the occupancy never visits" in left.reason
    values, gaps = closed(found.learnt, 0.8**2 / 0.2)
    np.testing.assert_allclose(found.learnt.gaps, gaps, rtol=0, atol=1e-9)
    np.testing.assert_allclose(found.learnt.values, values, rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    "given", [{"seeds": ()}, {"seeds": (1, 1)}, {"bc_seeds": (3, 3)}, {"gamma": 0}, {"expert_action": 3}, {"epoch": 1}]
)
def test_bad_settings_are_refused(given: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        ZeroSumSettings.model_validate(given)
