"""Units that the field moves: allotment, whole numbers around a mean, and the same backward as forward."""

from __future__ import annotations

import numpy as np
import pytest

from envs.inventory.mean_field.units import allot, before_joining, before_visits, joined, visited

ORDERS = np.array([10.0, 20.0, 30.0, 40.0])
QUARTERS = np.full(4, 0.25)


@pytest.mark.parametrize(
    ("rule", "granted"),
    [("proportional", (6, 12, 18, 24)), ("uniform", (10, 50 / 3, 50 / 3, 50 / 3)), ("linear", (0, 10, 20, 30))],
)
def test_allotment_of_the_specifications_example(rule: str, granted: tuple[float, ...]) -> None:
    # 100 ordered, 60 there
    np.testing.assert_allclose(allot(ORDERS, QUARTERS, 15.0, rule), granted)
    np.testing.assert_array_equal(allot(ORDERS, QUARTERS, 25.0, rule), ORDERS)


@pytest.mark.parametrize("rule", ["proportional", "uniform", "linear"])
def test_what_is_granted_is_the_capacity(rule: str) -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        orders = rng.integers(0, 40, 9).astype(float)
        weights = rng.dirichlet(np.ones(9))
        capacity = rng.uniform(0.05, 0.95) * float(weights @ orders)
        granted = allot(orders, weights, capacity, rule)
        assert float(weights @ granted) == pytest.approx(capacity)
        assert ((granted >= 0) & (granted <= orders + 1e-12)).all()


@pytest.mark.parametrize("rest", [(), (3,), (3, 2)])
def test_values_go_backward_as_probabilities_go_forward(rest: tuple[int, ...]) -> None:
    rng = np.random.default_rng(1)
    mass, value = rng.random((12, 4, *rest)), rng.random((12, *rest))
    granted = np.array([0.0, 1.0, 2.5, 30.25])
    assert float((joined(mass, granted) * value).sum()) == pytest.approx(
        float((mass * before_joining(value, granted)).sum())
    )
    for visitors in (0.0, 0.3, 2.0, 5.75, 40.0):
        there, back = visited(value, visitors), before_visits(value, visitors)
        assert float((there * value).sum()) == pytest.approx(float((value * back).sum()))
        assert float(there.sum()) == pytest.approx(float(value.sum()))


def test_fractions_are_whole_numbers_that_keep_the_mean() -> None:
    mass = np.zeros((9, 1))
    mass[2, 0] = 1.0
    np.testing.assert_allclose(joined(mass, np.array([3.25])), [0, 0, 0, 0, 0, 0.75, 0.25, 0, 0][:9], atol=1e-15)
    np.testing.assert_allclose(visited(mass[:, 0], 0.5), [0, 0.5, 0.5, 0, 0, 0, 0, 0, 0])
    # more visitors than there is stock buy what there is
    np.testing.assert_allclose(visited(mass[:, 0], 5.0), [1, 0, 0, 0, 0, 0, 0, 0, 0])
