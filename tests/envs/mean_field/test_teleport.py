"""The crowd that may be anywhere at once: its equilibrium and what it is worth are known in closed form."""

import numpy as np
import pytest
from scipy.special import logsumexp, softmax

from envs.mean_field import make
from envs.mean_field.games.crowd import teleport_values


@pytest.mark.parametrize(("size", "horizon", "seed"), [(10, 5, 0), (3, 1, 2), (7, 12, 5)])
def test_everyone_goes_where_it_is_best(size: int, horizon: int, seed: int) -> None:
    game, f = make("teleport-crowd", size=size, horizon=horizon, seed=seed), teleport_values(size, horizon, seed)
    pi = game.uniform_policy()
    # wherever they are; the last decision leads nowhere that counts
    pi[:-1] = softmax(f[1:], -1)[:, None, :]
    found = game.audit(pi)
    np.testing.assert_allclose(found.mu[:-1], softmax(f, -1), atol=1e-14)
    assert found.exploitability == pytest.approx(0, abs=1e-12)
    assert found.value == pytest.approx(logsumexp(f, axis=-1).sum(), abs=1e-12)
    # f - ln mu is the same everywhere, so every policy is a best response
    np.testing.assert_allclose(found.per_state - found.per_state[0], 0, atol=1e-12)
    if horizon > 1:
        pi[0] = 1 / size
        assert game.exploitability(pi) > 1e-3
