"""Bounds and moments against enumeration, closed forms and simulation."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from mfmarl.core.bounds import (
    WeightMoments,
    bernoulli_second_moment,
    bernstein,
    clip_bias,
    clipped_joint_moments,
    error_bound,
    gaussian_second_moment,
    hoeffding,
    joint_moments,
    log_sum_law,
    mean_field_term,
    mixture_moments_bound,
    moments_by_sum,
    self_normalised_bias,
)

OLD = np.array([[0.5, 0.3, 0.2], [0.1, 0.2, 0.7], [0.4, 0.4, 0.2]])
NEW = np.array([[0.2, 0.3, 0.5], [0.3, 0.3, 0.4], [0.5, 0.4, 0.1]])


def bernoulli(p: float, neighbours: int) -> np.ndarray:
    return np.tile([1 - p, p], (neighbours, 1))


def joint_law(law: np.ndarray) -> np.ndarray:
    """Probabilities of all joint actions of three neighbours."""
    return np.einsum("a,b,c->abc", *law).ravel()


@pytest.mark.parametrize(("neighbours", "value"), [(10, 1.48024), (100, 50.505)])
def test_second_moment_of_bernoulli_drift_has_the_values_of_the_specification(neighbours: int, value: float) -> None:
    exact = bernoulli_second_moment(0.5, 0.6, neighbours)
    assert exact == pytest.approx(1.04**neighbours, rel=1e-12)
    assert exact == pytest.approx(value, rel=1e-5)
    old, new = bernoulli(0.5, neighbours), bernoulli(0.6, neighbours)
    assert math.exp(joint_moments(old, new).log_second) == pytest.approx(exact, rel=1e-12)
    law, target = log_sum_law(old), log_sum_law(new)
    by_sum = moments_by_sum(law, target, target - law)
    assert math.exp(by_sum.log_second) == pytest.approx(exact, rel=1e-10)
    assert by_sum.log_largest == pytest.approx(neighbours * math.log(1.2), rel=1e-10)
    assert by_sum.effective_share == pytest.approx(1 / exact, rel=1e-10)
    assert (by_sum.log_mean, by_sum.bias) == pytest.approx((0, 0), abs=1e-12)


def test_the_law_of_a_sum_is_relatively_exact_in_its_tails() -> None:
    binomial = stats.binom(999, 0.3).logpmf(np.arange(1000))
    assert binomial.min() < -1000
    np.testing.assert_allclose(log_sum_law(bernoulli(0.3, 999)), binomial, rtol=1e-9)
    mass = np.zeros(7)
    for actions, p in zip(itertools.product(range(3), repeat=3), joint_law(OLD), strict=True):
        mass[sum(actions)] += p
    np.testing.assert_allclose(np.exp(log_sum_law(OLD)), mass, rtol=1e-12)


def test_moments_of_heterogeneous_neighbours_are_those_of_enumeration() -> None:
    weight = joint_law(NEW) / joint_law(OLD)
    found = joint_moments(OLD, NEW)
    assert math.exp(found.log_second) == pytest.approx(joint_law(OLD) @ weight**2, rel=1e-12)
    assert math.exp(found.log_largest) == pytest.approx(weight.max(), rel=1e-12)
    law, target = log_sum_law(OLD), log_sum_law(NEW)
    marginal = moments_by_sum(law, target, target - law)
    # Rao and Blackwell: the ratio of the sums' laws varies less
    assert marginal.log_second < found.log_second - 0.1


@pytest.mark.parametrize("clip", [1.0, 1.5, 3.0, 8.0])
def test_bounds_of_the_clipped_joint_ratio_hold(clip: float) -> None:
    law, target = joint_law(OLD), joint_law(NEW)
    weight = np.minimum(target / law, clip)
    bias = np.maximum(target - clip * law, 0).sum()
    found = clipped_joint_moments(OLD, NEW, clip)
    assert bias <= found.bias <= 4 * bias + 0.3
    assert math.exp(found.log_mean) <= law @ weight
    assert math.exp(found.log_second) >= law @ weight**2
    normalised = law * weight / (law @ weight)
    assert 0.5 * abs(normalised - target).sum() <= found.normalised_bias
    # at t = 1 the bias is at most E[w^2] / (4 c)
    assert found.bias <= math.exp(joint_moments(OLD, NEW).log_second) / (4 * clip) * 1.001


def test_clipping_above_the_largest_weight_changes_nothing() -> None:
    assert clipped_joint_moments(OLD, NEW, 1e6) == joint_moments(OLD, NEW)


def test_clip_bias_is_what_clipping_takes() -> None:
    law, target = log_sum_law(bernoulli(0.5, 50)), log_sum_law(bernoulli(0.6, 50))
    weight = np.minimum(target - law, math.log(5))
    missing = 1 - np.exp(law + weight).sum()
    assert missing > 0.1
    assert clip_bias(law, target, 5) == pytest.approx(missing, rel=1e-9)
    assert moments_by_sum(law, target, weight).bias == pytest.approx(missing, rel=1e-9)
    # no f between 0 and 1 loses more, and the f that is 1 just where weights are clipped loses that
    clipped = target - law > math.log(5)
    lost = np.exp(target[clipped]).sum() - np.exp((law + weight)[clipped]).sum()
    assert lost == pytest.approx(missing, rel=1e-9)


def test_the_bias_of_no_correction_is_the_total_variation() -> None:
    law, target = log_sum_law(bernoulli(0.5, 20)), log_sum_law(bernoulli(0.6, 20))
    variation = 0.5 * abs(np.exp(law) - np.exp(target)).sum()
    found = moments_by_sum(law, target, np.zeros(21))
    assert (found.bias, found.normalised_bias) == pytest.approx((variation, variation))
    assert (found.log_second, found.log_largest) == pytest.approx((0, 0), abs=1e-12)


@pytest.mark.parametrize(("old", "new"), [(0.04, 0.04), (0.04, 0.03), (0.04, 0.07)])
def test_gaussian_second_moment_is_that_of_integration(old: float, new: float) -> None:
    x = np.linspace(-6, 6, 400_001)
    before, now = stats.norm(0.0, old**0.5).logpdf(x), stats.norm(0.1, new**0.5).logpdf(x)
    integral = np.exp(2 * now - before).sum() * (x[1] - x[0])
    assert gaussian_second_moment(0.1, old, new) == pytest.approx(integral, rel=1e-6)
    # exp(N (m' - m)^2 / sigma^2), N = 100, sigma = 2
    assert gaussian_second_moment(0.1, 4 / 100) == pytest.approx(math.exp(100 * 0.1**2 / 4), rel=1e-12)
    assert gaussian_second_moment(0.1, old, 2 * old) == math.inf


def test_bounds_by_hand() -> None:
    moments = WeightMoments(0.0, math.log(4.0), math.log(10.0), 0.0, 0.0)
    level = math.log(2 / 0.05)
    assert bernstein(moments, 200, 0.05, 3.0) == pytest.approx(
        2 * 3 * 10 * level / (3 * 200) + 3 * math.sqrt(2 * 4 * level / 200)
    )
    assert hoeffding(moments, 200, 0.05, 3.0) == pytest.approx(3 * 10 * math.sqrt(level / 400))
    assert error_bound(moments, 200, 0.05, 3.0) == bernstein(moments, 200, 0.05, 3.0)
    # 1 - sqrt(2 4 log(2/.05) / 200)
    least = 1 - math.sqrt(8 * level / 200)
    self_normalised = error_bound(moments, 200, 0.05, 3.0, self_normalised=True)
    assert self_normalised == pytest.approx(min(3.0, bernstein(moments, 200, 0.025, 3.0) / least))
    assert error_bound(moments, 10, 0.05, 3.0, self_normalised=True) == 3.0
    assert error_bound(moments, 10**8, 0.05, self_normalised=True) < 1e-3


def test_bounds_beyond_floating_point_are_infinite_and_vacuous() -> None:
    old, new = bernoulli(0.01, 1000), bernoulli(0.99, 1000)
    moments = joint_moments(old, new)
    assert moments.log_second > 4000
    assert moments.effective_share == 0.0
    assert error_bound(moments, 100, 0.05) == math.inf
    assert error_bound(moments, 100, 0.05, self_normalised=True) == 1.0


@pytest.mark.parametrize("self_normalised", [False, True])
@pytest.mark.parametrize("clip", [math.inf, 2.0])
@pytest.mark.parametrize("neighbours", [1, 10, 40])
def test_errors_exceed_their_bound_no_more_often_than_delta(
    neighbours: int, clip: float, self_normalised: bool
) -> None:
    """2,000 replays of n = 300, for indicators of every threshold."""
    delta, steps, replays = 0.05, 300, 2000
    law, target = log_sum_law(bernoulli(0.5, neighbours)), log_sum_law(bernoulli(0.6, neighbours))
    log_weight = np.minimum(target - law, math.log(clip))
    bound = error_bound(moments_by_sum(law, target, log_weight), steps, delta, self_normalised=self_normalised)
    counts = np.random.default_rng(neighbours).multinomial(steps, np.exp(law) / np.exp(law).sum(), replays)
    weight = np.exp(log_weight)
    divisor = counts @ weight if self_normalised else steps
    for threshold in range(neighbours + 1):
        f = (np.arange(neighbours + 1) >= threshold).astype(float)
        errors = abs(counts @ (weight * f) / divisor - np.exp(target) @ f)
        # five standard errors of a share of delta
        assert (errors > bound).mean() <= delta + 5 * math.sqrt(delta * (1 - delta) / replays)
        if neighbours == threshold == 1 and not self_normalised:
            # by the normal law 1.96 x .6 / sqrt(n), by Hoeffding's 1.2 sqrt(log 40 / 2n): half of it would fail
            assert np.quantile(errors, 1 - delta) == pytest.approx(bound / 1.385, rel=0.06)


def test_self_normalised_bias_falls_as_one_over_n() -> None:
    law, target = log_sum_law(bernoulli(0.5, 8)), log_sum_law(bernoulli(0.6, 8))
    weight, f = np.exp(target - law), (np.arange(9) > 4).astype(float)
    rng = np.random.default_rng(5)
    biases, sizes = [], np.array([25, 50, 100, 200])
    for steps in sizes:
        counts = rng.multinomial(steps, np.exp(law) / np.exp(law).sum(), 100_000)
        ratio = (counts @ (weight * f)) / (counts @ weight)
        # a control variate of mean 0: the first order of the error
        truth = np.exp(target) @ f
        control = counts @ (weight * (f - truth)) / steps
        biases.append((ratio - truth - control).mean())
        assert biases[-1] == pytest.approx(self_normalised_bias(law, target - law, f, steps), rel=0.15)
    slope = np.polyfit(np.log(sizes), np.log(np.abs(biases)), 1)[0]
    assert slope == pytest.approx(-1, abs=0.1)


def test_mixture_bound_holds_for_any_drift() -> None:
    found = mixture_moments_bound(0.5)
    for new in (0.6, 0.9, 0.999):
        law, target = log_sum_law(bernoulli(0.5, 30)), log_sum_law(bernoulli(new, 30))
        mixed = np.logaddexp(law, target) + math.log(0.5)
        exact = moments_by_sum(mixed, target, target - mixed)
        assert exact.log_second <= found.log_second + 1e-12
        assert exact.log_largest <= found.log_largest + 1e-12
        clipped = moments_by_sum(mixed, target, np.minimum(target - mixed, math.log(1.2)))
        assert clipped.bias <= mixture_moments_bound(0.5, 1.2).bias + 1e-12
        assert clipped.log_mean >= mixture_moments_bound(0.5, 1.2).log_mean - 1e-12


def test_mean_field_term_bounds_the_effect_of_finitely_many_neighbours() -> None:
    law = bernoulli(0.3, 100)
    assert mean_field_term(2.0, law) == pytest.approx(2 * math.sqrt(0.3 * 0.7 / 100))
    values = 2 * abs(np.arange(101) / 100 - 0.3)
    gap = abs(np.exp(log_sum_law(law)) @ values - 0.0)
    # mean absolute against standard deviation: sqrt(2/pi)
    assert gap == pytest.approx(math.sqrt(2 / math.pi) * mean_field_term(2.0, law), rel=0.01)
    three = np.full((50, 3), 1 / 3)
    assert mean_field_term(1.0, three) == pytest.approx(math.sqrt((2 / 3) / 4 / 50))


def test_an_action_that_was_never_played_is_refused() -> None:
    with pytest.raises(ValueError, match="neighbour 1 plays action 0 now and never did"):
        joint_moments(np.array([[0.5, 0.5], [0.0, 1.0]]), np.array([[0.5, 0.5], [0.1, 0.9]]))
