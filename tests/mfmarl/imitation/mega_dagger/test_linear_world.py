import math

import numpy as np
import pytest
import torch

from mfmarl.imitation.mega_dagger.linear_world import LinearWorld, most_queries, most_queries_in_rounds
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


def test_a_random_prior_and_a_fit_of_the_perturbed_rest_are_a_draw_from_the_posterior() -> None:
    rng = np.random.default_rng(0)
    phi, y = rng.normal(size=(4, 6)), rng.normal(size=4)
    sigma, ridge, members = 0.7, 0.5, 40_000
    prior = sigma / math.sqrt(ridge) * rng.normal(size=(6, members))
    rest = LinearWorld(6, members, sigma, ridge)
    rest.take_in(phi, y[:, None] + sigma * rng.normal(size=(4, members)) - phi @ prior)
    drawn = rest.weights + prior
    closed = LinearWorld(6, 1, sigma, ridge)
    closed.take_in(phi, y[:, None])
    at = np.concatenate([phi, rng.normal(size=(4, 6))])
    u = closed.uncertainty(at)
    # the standard error of a normal variance of M draws is sqrt(2 / M) of it
    np.testing.assert_allclose((at @ drawn).var(1), u, rtol=4 * math.sqrt(2 / members))
    np.testing.assert_allclose((at @ drawn).mean(1), (at @ closed.weights)[:, 0], atol=4 * math.sqrt(u.max() / members))
    # without a prior, members fitted to perturbed targets agree where there is no data
    bare = LinearWorld(6, members, sigma, ridge)
    bare.take_in(phi, y[:, None] + sigma * rng.normal(size=(4, members)))
    unseen = np.linalg.svd(phi)[2][-1]
    assert (unseen @ bare.weights).var() < 1e-20 < closed.uncertainty(unseen)[0] == pytest.approx(sigma**2 / ridge)


def test_the_bound_of_rounds_solves_its_equation_and_is_below_the_other_for_rounds_of_one_step() -> None:
    n = most_queries_in_rounds(3.0, 2, 10, ridge=0.5)
    assert n == pytest.approx(2 * 10 / math.log(31) * math.log1p(n))
    assert 0 < most_queries_in_rounds(0.1, 3, 1) < most_queries(0.1, 3)
    with pytest.raises(ValueError, match="steps 0"):
        most_queries_in_rounds(1.0, 3, 0)
