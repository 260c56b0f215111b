"""The library's estimators on sums and on drawn actions, against exact laws."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from analysis.bounds.estimators import ESTIMATORS, log_ratio, log_ratio_by_sum
from analysis.bounds.functions import centre, values
from analysis.bounds.populations import Drift, parse_drift
from mfmarl.core.bounds import joint_moments, moments_by_sum
from mfmarl.errors import UserError

ALIKE = Drift(0.5, 0.6).population(31, 0)
MIXED = Drift(shift=0.2, spread=0.6, actions=3).population(5, 0)


def test_joint_and_marginal_are_one_where_agents_are_alike() -> None:
    sums = np.arange(31)
    old, new = ALIKE.log_laws()
    np.testing.assert_allclose(log_ratio_by_sum("joint", ALIKE, sums, 0.0), new - old, atol=1e-11)
    np.testing.assert_allclose(log_ratio_by_sum("marginal", ALIKE, sums, 0.0), new - old, atol=1e-8)


def test_mixture_is_the_ratio_against_the_average_law() -> None:
    old, new = ALIKE.log_laws()
    mixed = np.logaddexp(old, new) - np.log(2)
    np.testing.assert_allclose(log_ratio_by_sum("mixture", ALIKE, np.arange(31), 0.0), new - mixed, atol=1e-11)


def test_gaussian_is_the_ratio_of_normal_laws() -> None:
    sums, n, h = np.arange(31), 30, 0.05
    then, now = (n * p * (1 - p) + (h * n) ** 2 for p in (0.5, 0.6))
    wanted = 0.5 * ((sums - 15) ** 2 / then - (sums - 18) ** 2 / now + np.log(then / now))
    np.testing.assert_allclose(log_ratio_by_sum("gaussian", ALIKE, sums, h), wanted, atol=1e-10)


def test_heterogeneous_ratios_by_enumeration() -> None:
    """All 3^4 joint actions of four neighbours: E[w] = 1, moments as computed, and E[w_joint | sum] = w_marginal."""
    action = np.array([(0, *a) for a in itertools.product(range(3), repeat=4)])
    law, target = (np.take_along_axis(p[None], action[..., None], 2)[:, 1:, 0].prod(1) for p in (MIXED.old, MIXED.new))
    joint, mixture = (
        np.exp(log_ratio(name, MIXED, torch.from_numpy(action), 0.0)) for name in ("joint", "mixture")
    )  # fmt: skip
    np.testing.assert_allclose(joint, target / law, rtol=1e-12)
    np.testing.assert_allclose(mixture, 2 * target / (law + target), rtol=1e-12)
    assert law @ joint == pytest.approx(1)
    assert law @ joint**2 == pytest.approx(np.exp(joint_moments(MIXED.old[1:], MIXED.new[1:]).log_second))
    sums = action[:, 1:].sum(1)
    marginal = np.exp(log_ratio_by_sum("marginal", MIXED, np.arange(9), 0.0))
    for s in range(9):
        here = sums == s
        assert marginal[s] == pytest.approx((law * joint)[here].sum() / law[here].sum(), rel=1e-8)


def test_one_logit_shift_for_all_makes_the_joint_ratio_a_function_of_the_sum() -> None:
    """Each agent's ratio is exp(shift a) up to a factor, so differing agents alone do not part the estimators."""
    together, apart = (Drift(shift=0.4, spread=s).population(40, 1) for s in (0.0, 0.4))
    for population, same in ((together, True), (apart, False)):
        old, new = population.log_laws()
        joint = joint_moments(population.old[1:], population.new[1:]).log_second
        marginal = moments_by_sum(old, new, new - old).log_second
        assert (joint == pytest.approx(marginal, rel=1e-9)) is same
        assert marginal <= joint + 1e-12


def test_what_depends_on_who_played_what_is_not_told_by_sums() -> None:
    with pytest.raises(ValueError, match="joint depends on who played what"):
        log_ratio_by_sum("joint", MIXED, np.arange(3), 0.0)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_without_drift_weights_are_one(name: str) -> None:
    still = Drift(shift=0.0, spread=0.0, actions=4).population(6, 2)
    action = torch.randint(0, 4, (20, 6), generator=torch.Generator().manual_seed(0))
    assert not log_ratio(name, still, action, 0.05).any()


def test_functions_keep_to_their_range_and_slope() -> None:
    sums = np.arange(MIXED.span + 1)
    linear, indicator = values(MIXED, sums)
    middle = centre(MIXED)
    assert 0 <= linear.min() <= linear.max() <= 1
    assert np.abs(np.diff(linear)).max() == pytest.approx(2 / MIXED.span)
    assert set(indicator) == {0.0, 1.0}
    np.testing.assert_array_equal(indicator == 1, sums / MIXED.span > middle)
    assert values(ALIKE, np.array([0, 15, 30]))[0] == pytest.approx([0.0, 0.4, 1.0])


def test_drifts_are_read() -> None:
    assert parse_drift(".5:.6") == Drift(0.5, 0.6)
    assert parse_drift("logit:-.1:3e-1", 5) == Drift(shift=-0.1, spread=0.3, actions=5)
    population = parse_drift("logit:.5:0", 3).population(4, 0)
    np.testing.assert_allclose(population.old.sum(1), 1)
    np.testing.assert_allclose(np.diff(np.log(population.new / population.old), axis=1), 0.25)


@pytest.mark.parametrize(
    ("text", "actions", "part"),
    [
        (".5:1", 2, "p' = 1; want a probability above 0 and below 1"),
        ("0:.5", 2, "p = 0; want a probability"),
        (".5-.6", 2, "want P:P', e.g. .5:.6, or logit:MEAN:SD"),
        (".5:.6", 3, "is of two actions; for 3 give --drift logit:MEAN:SD"),
        ("logit:.1:-1", 2, "a standard deviation of 0 to 10"),
        ("nan:.5", 2, "want P:P'"),
    ],
)
def test_bad_drifts_are_refused(text: str, actions: int, part: str) -> None:
    with pytest.raises(UserError, match=part.replace("(", r"\(")):
        parse_drift(text, actions)
