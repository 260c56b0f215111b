"""Simulated replays: against plain sums, against exact laws, and against the bounds."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from analysis.bounds import tabulate
from analysis.bounds.populations import Drift
from analysis.bounds.simulation import draw_counts, draw_pool, estimates
from analysis.bounds.tabulate import Bounds, Row
from mfmarl.core.importance import effective_sample_size


@pytest.fixture(scope="module")
def alike() -> Bounds:
    return tabulate(agents=(10, 40), steps=(100, 2000), repetitions=400, seed=3)


@pytest.fixture(scope="module")
def heterogeneous() -> Bounds:
    return tabulate(drift="logit:.2:.4", actions=3, agents=(12,), steps=(100, 500), repetitions=100, seed=3)


def row(found: Bounds, estimator: str, form: str, steps: int, num_agents: int | None = None) -> Row:
    rows = [r for r in found.rows if (r.estimator, r.form, r.steps, r.function) == (estimator, form, steps, "linear")]
    return next(r for r in rows if num_agents in (None, r.num_agents))


def test_estimates_are_plain_sums() -> None:
    rng = np.random.default_rng(0)
    log_weight, values = rng.normal(size=(1, 4)), rng.random((2, 1, 4))
    counts = np.array([[3.0, 0.0, 2.0, 5.0], [0.0, 1.0, 9.0, 0.0]])
    found = estimates(log_weight, values, counts, 10)
    for r, times in enumerate(counts.astype(int)):
        weight = np.repeat(np.exp(log_weight[0]), times)
        f = np.repeat(values[:, 0], times, axis=1)
        np.testing.assert_allclose(found.plain[:, r], (weight * f).mean(1))
        np.testing.assert_allclose(found.self_normalised[:, r], (weight * f).sum(1) / weight.sum())
        ess = float(effective_sample_size(torch.from_numpy(weight)))
        assert found.effective_share[r] == pytest.approx(ess / 10)


@pytest.mark.parametrize("level", [-2000.0, 590.0])
def test_weights_beyond_floating_point_keep_their_ratios(level: float) -> None:
    found = estimates(np.array([[level, level - 1.0]]), np.array([[[1.0, 0.0]]]), np.array([[1.0, 1.0]]), 2)
    assert found.self_normalised[0, 0] == pytest.approx(1 / (1 + np.exp(-1)))
    assert np.isfinite(found.plain).all()


def test_sums_are_drawn_by_their_law() -> None:
    population = Drift(0.3, 0.4).population(21, 0)
    sums, counts = draw_counts(np.random.default_rng(0), population.log_laws()[0], 1000, 500)
    assert counts.sum(1).tolist() == [1000.0] * 500
    # 500,000 draws of Binomial(20, .3): mean 6, variance 4.2
    assert counts.mean(0) @ sums / 1000 == pytest.approx(6, abs=5 * (4.2 / 500_000) ** 0.5)


@pytest.mark.parametrize("fresh", [0.0, 0.5])
def test_drawn_populations_have_the_law_of_their_sums(fresh: float) -> None:
    population = Drift(shift=0.5, spread=0.5, actions=3).population(6, 0)
    pool = draw_pool(np.random.default_rng(1), population, ["joint", "mixture"], 200_000, 0.0, fresh)
    old, new = (np.exp(law) for law in population.log_laws())
    law = (1 - fresh) * old + fresh * new
    share = np.bincount(pool.sums, minlength=law.size) / pool.sums.size
    assert (abs(share - law) < 5 * np.sqrt(law * (1 - law) / pool.sums.size) + 1e-12).all()
    # joint weights average to 1 over old steps, mixture weights over the mixed ones
    weight = np.exp(pool.log_weight["mixture" if fresh else "joint"])
    assert weight.mean() == pytest.approx(1, abs=5 * weight.std() / pool.sums.size**0.5)


@pytest.mark.parametrize("which", ["alike", "heterogeneous"])
def test_bounds_are_exceeded_no_more_often_than_delta(which: str, request: pytest.FixtureRequest) -> None:
    found: Bounds = request.getfixturevalue(which)
    assert len(found.rows) == 2 * 17 * 2 * len(found.settings.agents)
    for r in found.rows:
        assert r.violations <= 0.05 + 5 * (0.05 * 0.95 / r.repetitions) ** 0.5, r
        assert abs(r.bias) <= r.bias_bound + 6 * r.rms / r.repetitions**0.5 + (0.05 if "self" in r.form else 0.0), r
        assert r.rms <= 1.0 or r.form in ("plain", "clip")


def test_figures_are_those_of_the_closed_forms(alike: Bounds) -> None:
    joint = row(alike, "joint", "plain", 2000, 10)
    assert joint.second_moment == pytest.approx(1.04**9)
    assert joint.largest_weight == pytest.approx(1.2**9)
    assert joint.ess_share == pytest.approx(1.04**-9)
    assert joint.ess_simulated == pytest.approx(1.04**-9, rel=0.02)
    # 2 sqrt(.24 / 9)
    assert joint.mean_field_term == pytest.approx(2 * (0.24 / 9) ** 0.5)
    level = np.log(40) / 2000
    assert joint.bernstein == pytest.approx(1.2**9 * 2 * level / 3 + (2 * 1.04**9 * level) ** 0.5)
    assert joint.hoeffding == pytest.approx(1.2**9 * (level / 2) ** 0.5)
    assert joint.usable == "yes"
    assert row(alike, "uncorrected", "plain", 2000, 40).ess_share == pytest.approx(1)


def test_correction_removes_the_bias(alike: Bounds) -> None:
    uncorrected = row(alike, "uncorrected", "plain", 2000, 10)
    # f is 1/2 + 2 (abar - .55), clipped: 2 x .1 less what clipping takes
    assert -0.2 < uncorrected.bias < -0.15
    assert uncorrected.gain == 1.0
    for estimator in ("joint", "marginal", "mixture"):
        corrected = row(alike, estimator, "self", 2000, 10)
        assert abs(corrected.bias) < 0.005
        assert corrected.gain > 10


def test_joint_and_marginal_agree_where_they_must_and_marginal_is_better_elsewhere(
    alike: Bounds, heterogeneous: Bounds
) -> None:
    one, two = (row(alike, name, "plain", 100, 40) for name in ("joint", "marginal"))
    assert (one.rms, one.bound) == pytest.approx((two.rms, two.bound))
    joint, marginal = (row(heterogeneous, name, "plain", 500) for name in ("joint", "marginal"))
    assert marginal.second_moment < joint.second_moment
    assert marginal.ess_simulated > joint.ess_simulated
    assert not row(heterogeneous, "mixture", "plain", 500).exact


def test_what_cannot_be_used_says_why() -> None:
    found = tabulate(agents=(400,), steps=(100,), estimators=("joint", "mixture"), repetitions=50, seed=0)
    assert row(found, "joint", "plain", 100).usable == "ess+bound+worse"
    assert row(found, "mixture", "plain", 100).usable == "yes"


def test_one_seed_gives_one_table_whichever_estimators_are_asked_for(alike: Bounds) -> None:
    again = tabulate(agents=(10, 40), steps=(100, 2000), repetitions=400, seed=3, estimators=("mixture", "joint"))
    assert row(again, "joint", "clip", 100, 40) == row(alike, "joint", "clip", 100, 40)
    assert row(again, "mixture", "self", 2000, 10) == row(alike, "mixture", "self", 2000, 10)
