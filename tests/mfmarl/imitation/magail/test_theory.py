"""MAGAIL's two failures in the coordination game: the closed forms, and the dynamics that they are of."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mfmarl.errors import UserError
from mfmarl.imitation.magail.joint import (
    collapse_class,
    coordination_rate,
    independent_limit,
    joint_of,
    js_distance,
)
from mfmarl.imitation.magail.theory import (
    BETA_C,
    FLOOR,
    Array,
    RewardStyle,
    best_reward,
    best_reward_slope,
    coordination_expert,
    growth_in_ascent,
    symmetric_point,
    threshold_in_ascent,
)

BIMODAL = coordination_expert(0.0)
STYLES: tuple[RewardStyle, ...] = ("non_saturating", "gail", "airl")


def test_rewards_of_the_best_discriminator() -> None:
    e, pi = np.array([0.5, 0.0, 0.25]), np.array([0.25, 0.25, 0.0])
    D = np.array([2 / 3, 0.0, 1.0])
    np.testing.assert_allclose(best_reward(e, pi, "non_saturating"), np.log(D + FLOOR), atol=1e-15)
    np.testing.assert_allclose(best_reward(e, pi, "gail"), -np.log(1 - D + FLOOR), atol=1e-12)
    np.testing.assert_allclose(best_reward(e, pi, "airl"), np.log(D + FLOOR) - np.log(1 - D + FLOOR), atol=1e-12)
    assert math.isnan(best_reward(0.0, 0.0, "gail"))
    assert best_reward(0.0, 0.25, "non_saturating", -2.0) == pytest.approx(-math.log(1 + math.exp(2)), abs=1e-7)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("e", [0.5, 0.03, 0.0])
def test_slopes_are_those_of_the_rewards(style: RewardStyle, e: float) -> None:
    step = 1e-6
    apart = float(best_reward(e, 0.25 + step, style) - best_reward(e, 0.25 - step, style))
    assert best_reward_slope(e, 0.25, style) == pytest.approx(apart / (2 * step), abs=1e-8)


@pytest.mark.parametrize(
    ("off", "lowest", "beta"),
    [(0.0, -math.inf, 8.6743), (0.01, -math.inf, 1.426), (0.05, -math.inf, 0.643), (0.1, -math.inf, 0.318),
     (0.0, -2.0, 0.527), (0.0, -3.0, 0.988), (0.0, -4.0, 1.473), (0.0, -10.0, 4.464)],
)  # fmt: skip
def test_thresholds_of_the_symmetric_point(off: float, lowest: float, beta: float) -> None:
    point = symmetric_point(off, "non_saturating", lowest)
    assert point.threshold == pytest.approx(beta, abs=1e-3)
    assert point.stable(point.threshold + 1e-9)
    assert not point.stable(point.threshold - 1e-9)
    measured = threshold_in_ascent(coordination_expert(off), "non_saturating", lowest)
    assert measured == pytest.approx(point.threshold, abs=1e-5)


def test_the_closed_form_without_noise() -> None:
    assert pytest.approx(8.6743, abs=5e-5) == BETA_C
    # the floor is left out of r_s there, which moves it by some 1e-8
    assert symmetric_point(0.0, "non_saturating").threshold == pytest.approx(BETA_C, abs=2e-8)


def test_the_saturating_reward_never_leaves_the_symmetric_point() -> None:
    assert symmetric_point(0.0, "gail").threshold == pytest.approx((2 * math.log(3) - 8 / 3) / 4, abs=1e-7)
    for off in np.linspace(0.0, 0.99, 100):
        for lowest in (-math.inf, -4.0):
            point = symmetric_point(off, "gail", lowest)
            assert all(point.stable(beta) for beta in (0.0, 0.01, 1.0, 100.0))
    # a price on entropy would be needed
    assert threshold_in_ascent(BIMODAL, "gail", between=(-0.5, 2.0)) == pytest.approx(-0.11736, abs=1e-5)


def test_growth_of_nudges_is_the_linear_rate() -> None:
    point = symmetric_point(0.05, "airl")
    for beta in (0.0, point.threshold, 2.0):
        found = growth_in_ascent(beta, coordination_expert(0.05), "airl")
        assert found == pytest.approx(point.growth(beta)[0], abs=1e-4)


def test_what_cannot_be_followed_is_refused() -> None:
    with pytest.raises(UserError, match="want between 0 and 1, both left out"):
        growth_in_ascent(-500.0, BIMODAL, "non_saturating")
    with pytest.raises(UserError, match="want growth, then decay"):
        threshold_in_ascent(BIMODAL, "gail", between=(0.0, 2.0))
    with pytest.raises(UserError, match="want 0 to 1"):
        coordination_expert(1.5)


def joint(p: float, q: float) -> Array:
    return joint_of([np.array([p, 1 - p]), np.array([q, 1 - q])])


def test_the_distance_cannot_tell_the_two_failures_apart() -> None:
    limit = math.sqrt(3 / 4 * math.log2(4 / 3))
    assert limit == pytest.approx(0.5579230, abs=5e-8)
    failures = [joint(0.5, 0.5), joint(1.0, 1.0), joint(0.0, 0.0)]
    for law in failures:
        assert js_distance(BIMODAL.ravel(), law.ravel()) == pytest.approx(limit, abs=1e-15)
    assert [float(coordination_rate(law)) for law in failures] == [0.5, 1.0, 1.0]
    assert [collapse_class(law) for law in failures] == ["symmetric", "AA", "BB"]
    assert js_distance(BIMODAL.ravel(), BIMODAL.ravel()) == 0.0
    assert js_distance(np.array([1.0, 0.0]), np.array([0.0, 1.0])) == 1.0


def test_no_independent_policies_are_nearer() -> None:
    limit = math.sqrt(3 / 4 * math.log2(4 / 3))
    assert independent_limit(BIMODAL) == pytest.approx(limit, abs=1e-9)
    grid = np.linspace(0, 1, 101)
    laws = np.stack([joint(p, q).ravel() for p in grid for q in grid])
    assert js_distance(BIMODAL.ravel(), laws).min() >= limit - 1e-12
    asymmetric = np.diag([0.7, 0.3])
    least = float(js_distance(asymmetric.ravel(), laws).min())
    assert least - 1e-3 < independent_limit(asymmetric) <= least
    # what independent agents can play is reached, of three agents too
    assert independent_limit(joint(0.3, 0.8), 3) < 1e-3
    three = joint_of([np.array([0.2, 0.8]), np.array([0.5, 0.3, 0.2]), np.array([0.6, 0.4])])
    assert independent_limit(three, 3) < 1e-3


def test_classes_by_their_margin() -> None:
    assert [collapse_class(joint(p, p)) for p in (0.44, 0.46, 0.54, 0.56)] == ["BB", "symmetric", "symmetric", "AA"]
    assert collapse_class(joint(1.0, 0.0)) == "symmetric"
    assert collapse_class(np.array([[0.7, 0.0], [0.0, 0.3]])) == "AA+BB"
    assert coordination_rate(joint(1.0, 0.0)) == 0.0
    with pytest.raises(UserError, match="want entries of 0 or more that sum to 1"):
        js_distance(np.array([0.5, 0.6]), np.array([0.5, 0.5]))
