"""Distances against closed forms and against an optimal transport by linear programming."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from scipy.optimize import linprog

from analysis.equilibrium.distances import policy_distance, two_sample, wasserstein_2


def transported(p: np.ndarray, q: np.ndarray, x: np.ndarray) -> float:
    n = len(x)
    cost = (x[:, None] - x[None]) ** 2
    rows = [np.kron(np.eye(n)[i], np.ones(n)) for i in range(n)] + [np.kron(np.ones(n), np.eye(n)[j]) for j in range(n)]
    found = linprog(cost.ravel(), A_eq=np.array(rows), b_eq=np.concatenate([p, q]))
    return float(np.sqrt(found.fun))


def test_wasserstein_is_the_best_transport() -> None:
    rng = np.random.default_rng(0)
    p, q = rng.dirichlet(np.ones(5), 8), rng.dirichlet(0.3 * np.ones(5), 8)
    x = rng.normal(size=(8, 5))
    want = [transported(*row) for row in zip(p, q, x, strict=True)]
    np.testing.assert_allclose(wasserstein_2(p, q, x), want, atol=1e-6)


def test_distances_of_point_masses_and_of_equal_laws() -> None:
    x = np.array([0.0, 3.0, 10.0])
    at_0, at_10 = np.eye(3)[[0, 0]], np.eye(3)[[2, 2]]
    found = policy_distance(at_0, at_10, x)
    assert (found.kl, found.kl_reversed, found.wasserstein, found.observations) == (np.inf, np.inf, 10.0, 2)
    mixed = np.array([[0.2, 0.3, 0.5]])
    same = policy_distance(mixed, mixed, x)
    assert (same.kl, same.wasserstein) == (0.0, 0.0)


def test_kl_is_of_p_against_q() -> None:
    p, q = np.array([[0.5, 0.5]]), np.array([[0.9, 0.1]])
    found = policy_distance(p, q, np.array([0.0, 1.0]))
    assert found.kl == pytest.approx(0.5 * np.log(0.5 / 0.9) + 0.5 * np.log(5))
    assert found.kl_reversed == pytest.approx(0.9 * np.log(1.8) + 0.1 * np.log(0.2))
    # of laws on 0 and 1, .4 of the mass goes one unit
    assert found.wasserstein == pytest.approx(np.sqrt(0.4))


def test_two_samples_of_one_law_are_told_apart_as_often_as_the_test_says() -> None:
    rng = np.random.default_rng(1)
    p_values = [two_sample(rng.normal(size=40), rng.normal(size=30)).rank_p for _ in range(400)]
    assert stats.kstest(p_values, "uniform").pvalue > 0.01
    shifted = two_sample(rng.normal(size=200), rng.normal(1.0, size=200))
    assert shifted.ks_p < 1e-6
    # P(Y > X) of normals one standard deviation apart
    assert shifted.higher == pytest.approx(stats.norm.cdf(1 / np.sqrt(2)), abs=0.06)


@pytest.mark.parametrize(
    ("p", "told"),
    [(np.ones((2, 3)), "row 0"), (np.array([[0.5, 0.5, 0.0], [np.nan, 0.5, 0.5]]), "row 1"), (np.ones(3), "shape")],
)
def test_what_is_no_law_is_refused(p: np.ndarray, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        policy_distance(p, np.full((2, 3), 1 / 3), np.arange(3.0))
    with pytest.raises(ValueError, match="3 or more finite"):
        two_sample(np.array([1.0, np.nan, 2.0]), np.arange(3.0))
