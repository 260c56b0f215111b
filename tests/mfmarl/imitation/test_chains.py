import numpy as np
import pytest

from mfmarl.imitation.chains import Chain, cliff, growth, recoverable

HORIZONS = (8, 16, 32, 64)


def closed_form(horizon: int, error: float) -> float:
    return horizon - (1 - error) * (1 - (1 - error) ** horizon) / error


@pytest.mark.parametrize(("horizon", "error", "cost"), [(100, 0.01, 37.2372), (64, 0.01, 17.034), (2, 0.5, 1.25)])
def test_what_cloning_costs_on_the_cliff(horizon: int, error: float, cost: float) -> None:
    # of two steps at one half: 1/2 fall at once and pay 2, 1/4 fall at the second and pay 1
    found = cliff(error).expected_cost(horizon)
    assert found == pytest.approx(cost, abs=5e-4)
    assert found == pytest.approx(closed_form(horizon, error), rel=1e-12)


@pytest.mark.parametrize(("horizon", "error"), [(64, 0.01), (100, 0.3)])
def test_what_dagger_costs_where_errors_are_mended(horizon: int, error: float) -> None:
    assert recoverable(error).expected_cost(horizon) == pytest.approx(horizon * error, rel=1e-12)


def test_cloning_grows_with_the_square_of_the_horizon_and_dagger_with_the_horizon() -> None:
    assert growth([cliff(0.01).expected_cost(T) for T in HORIZONS], HORIZONS) > 1.8
    assert growth([recoverable(0.01).expected_cost(T) for T in HORIZONS], HORIZONS) == pytest.approx(1.0)


@pytest.mark.parametrize("chain", [cliff(0.01), recoverable(0.01)])
def test_what_is_played_costs_what_is_computed(chain: Chain) -> None:
    costs = chain.sampled_cost(64, 20_000, np.random.default_rng(0))
    error = costs.std() / np.sqrt(len(costs))
    assert abs(costs.mean() - chain.expected_cost(64)) < 4 * error
