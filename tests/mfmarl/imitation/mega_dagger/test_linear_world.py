import math

import numpy as np
import pytest
import torch

from mfmarl.imitation.mega_dagger.linear_world import LinearWorld, most_queries
from mfmarl.imitation.mega_dagger.world import disagreement


def test_uncertainty_by_hand() -> None:
    world = LinearWorld(2, 1, sigma=2.0, ridge=1.0)
    assert world.uncertainty([[1, 0], [0, 3]]) == pytest.approx([4, 36])
    world.take_in([[1, 0], [1, 0], [1, 0]], [[2], [4], [0]])
    # the first direction was seen 3 times: 4 / (3 + 1); its weight is 6 / 4
    assert world.uncertainty([[1, 0], [0, 1]]) == pytest.approx([1, 4])
    assert world.weights[:, 0] == pytest.approx([1.5, 0])


def test_an_ensemble_of_posterior_draws_disagrees_by_as_much() -> None:
    rng = np.random.default_rng(0)
    world = LinearWorld(3, 2, sigma=0.7, ridge=0.5)
    world.take_in(rng.normal(size=(10, 3)), rng.normal(size=(10, 2)))
    phi = rng.normal(size=(4, 3))
    means = phi @ world.draws(40_000, rng)
    # of 2 entries, so twice u; the standard error of a variance of 40,000 draws is .7 %
    found = disagreement(torch.from_numpy(means)).numpy()
    np.testing.assert_allclose(found, 2 * world.uncertainty(phi), rtol=0.03)


@pytest.mark.parametrize(("tau", "features"), [(1.0, 3), (0.3, 4), (0.05, 2)])
def test_queries_stay_below_the_bound(tau: float, features: int) -> None:
    rng = np.random.default_rng(1)
    world, queries = LinearWorld(features, 1), 0
    for _ in range(3000):
        phi = rng.normal(size=features)
        phi /= max(1.0, np.linalg.norm(phi))
        if world.uncertainty(phi)[0] > tau:
            world.take_in(phi, [0.0])
            queries += 1
            assert queries <= 2 * features / tau * math.log1p(queries / features)
    assert 0 < queries <= most_queries(tau, features)


def test_the_bound_solves_its_equation() -> None:
    n = most_queries(0.1, 3, ridge=0.5)
    assert n == pytest.approx(60 * math.log1p(n / 1.5))
    assert n > 60
    with pytest.raises(ValueError, match="tau is 2"):
        most_queries(2, 3)
