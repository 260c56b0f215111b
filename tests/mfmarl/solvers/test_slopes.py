"""Derivatives by differences are those that can be written down."""

import numpy as np
import pytest

from envs.mean_field import AttractorMFG, FiniteMFG, make
from mfmarl.solvers.slopes import law_slopes, reward_slopes, terminal_slopes


def dense_slopes(game: FiniteMFG, pi: np.ndarray, share: float = 1e-4) -> tuple[np.ndarray, np.ndarray]:
    mu = game.flow(pi)
    seen = mu[:-1, :, None] * pi if game.sees_actions else mu[:-1]
    slopes = reward_slopes(game, mu, pi, share * seen)
    T, S, A = game.shape
    found = np.zeros((T, S, A, S * A if game.sees_actions else S))
    found[slopes.t, slopes.s, slopes.a, slopes.place] = slopes.value
    return found, mu


def test_a_local_logarithm() -> None:
    game = make("crowd-1d", size=5, horizon=3)
    found, mu = dense_slopes(game, game.uniform_policy())
    want = np.broadcast_to(-np.eye(5)[None, :, None] / mu[:-1, :, None, None], found.shape)
    np.testing.assert_allclose(found, want, rtol=1e-7)


def test_actions_that_are_seen() -> None:
    game = make("rock-paper-scissors")
    found, _ = dense_slopes(game, game.uniform_policy())
    np.testing.assert_allclose(found[0, 0], [[0, -1, 2], [4, 0, -2], [-3, 6, 0]], atol=1e-10)


def test_local_and_not_are_the_same() -> None:
    # braess is local in truth and does not say so
    found, mu = dense_slopes(make("braess"), make("braess").uniform_policy())
    assert set(np.round(found.ravel(), 9)) == {-1.0, 0.0}
    # CD, state 6, is crowded at t = 3, and at t = 1, 2 by nobody: no difference there
    assert found[3, 6, 0, 6] == pytest.approx(-1.0)
    assert (mu[1, 6], found[1, 6, 0, 6]) == (0.0, 0.0)


def test_what_comes_last() -> None:
    game = make("linear-quadratic", reach=2, horizon=2)
    mu = game.flow(game.uniform_policy())
    # -1/2 (m - x)^2, dm/dmu(x') = x'
    places = np.arange(-2, 3)
    want = -(mu[-1] @ places - places)[:, None] * places
    np.testing.assert_allclose(terminal_slopes(game, mu, 1e-4 * mu[-1]), want, atol=1e-8)
    assert not terminal_slopes(make("crowd-1d"), make("crowd-1d").flow(make("crowd-1d").uniform_policy()), mu[-1]).any()


def test_a_law_that_moves() -> None:
    game = AttractorMFG(3, 0.5).game
    found = law_slopes(game, 0, np.array([0.75, 0.25]), np.full(2, 1e-4))
    # staying fails with probability L mu(s1)
    np.testing.assert_allclose(found[0, 0], [[0, -0.5], [0, 0.5]], atol=1e-10)
    assert not found[0, 1].any()
