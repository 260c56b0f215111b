"""A noise common to all: without it, and with one that is known, the plain game; else by enumeration."""

import itertools

import numpy as np
import pytest

from envs.mean_field import make
from envs.mean_field.checks import BadPolicy
from envs.mean_field.common_noise import CommonNoiseMFG
from envs.mean_field.game import FiniteMFG
from envs.mean_field.histories import TooManyHistories, histories
from envs.mean_field.kernel import moving


def tiny(horizon: int = 2) -> CommonNoiseMFG:
    """2 states, actions and noises; everything depends on everything."""
    rng = np.random.default_rng(0)
    base, other = rng.dirichlet(np.ones(2), (2, 2, 2, 2))
    r = rng.normal(size=(2, 2, 2))
    successors = np.broadcast_to(np.arange(2), (2, 2, 2)).copy()

    def law(z: int):
        return lambda t, mu: base[z] * mu[..., :1, None, None] + other[z] * mu[..., 1:, None, None]

    return CommonNoiseMFG(
        name="tiny",
        horizon=horizon,
        initial=np.array([0.3, 0.7]),
        kernels=tuple(moving(successors, law(z)) for z in range(2)),
        reward=lambda t, mu, z: r[z] - mu[..., None] * (1 + t[:, None, None]),
        noise=np.array([0.4, 0.6]),
        noise_matrix=np.array([[0.9, 0.1], [0.25, 0.75]]),
        terminal=lambda mu: -2 * mu,
    )


def random_policies(game: CommonNoiseMFG, rng: np.random.Generator, *lead: int) -> np.ndarray:
    return rng.dirichlet(np.ones(game.shape[2]), (*lead, *game.shape[:2]))


def without_noise(plain: FiniteMFG) -> CommonNoiseMFG:
    return CommonNoiseMFG(
        name="still",
        horizon=plain.horizon,
        initial=plain.initial,
        kernels=(plain.kernel,),
        reward=lambda t, x, z: plain.reward(t, x),
        noise=np.ones(1),
        noise_matrix=np.ones((1, 1)),
        sees_actions=plain.sees_actions,
        terminal=plain.terminal,
    )


@pytest.mark.parametrize(
    ("name", "options"), [("garnet", {"pull": 1.5, "horizon": 5}), ("linear-quadratic", {"horizon": 4}),
                          ("equilibrium-price", {"capacity": 2})],
)  # fmt: skip
def test_without_noise_it_is_the_plain_game(name: str, options: dict) -> None:
    plain = make(name, **options)
    game = without_noise(plain)
    rng = np.random.default_rng(0)
    pi = rng.dirichlet(np.ones(plain.num_actions), (plain.horizon, plain.num_states))
    found, want = game.audit(pi), plain.audit(pi)
    np.testing.assert_allclose(found.mu, want.mu, atol=1e-12)
    np.testing.assert_allclose(found.best_response.values, want.best_response.values, atol=1e-12)
    np.testing.assert_allclose(found.per_state, want.per_state, atol=1e-12)
    assert found.value == pytest.approx(want.value, abs=1e-12)
    assert found.exploitability == pytest.approx(want.exploitability, abs=1e-12)
    np.testing.assert_allclose(game.action_values(pi), plain.action_values(pi), atol=1e-12)


def test_a_noise_that_is_known_is_time() -> None:
    # z_t = t, surely
    noisy, T = tiny(), 3
    rng = np.random.default_rng(1)
    kernels = tuple(noisy.kernels[t % 2] for t in range(T))
    game = CommonNoiseMFG(
        name="clock", horizon=T, initial=noisy.initial, kernels=kernels,
        reward=lambda t, mu, z: np.cos(z)[:, None, None] - mu[..., None] * np.array([1.0, 2.0]),
        noise=np.eye(T)[0], noise_matrix=np.roll(np.eye(T), 1, 1),
    )  # fmt: skip
    plain = FiniteMFG(
        name="plain", horizon=T, initial=noisy.initial,
        kernel=moving(kernels[0].next, lambda t, mu: kernels[t].law(t, mu)),
        reward=lambda t, mu: np.cos(t)[:, None, None] - mu[..., None] * np.array([1.0, 2.0]),
    )  # fmt: skip
    assert game.shape == plain.shape
    pi = random_policies(game, rng)
    np.testing.assert_allclose(game.audit(pi).mu, plain.audit(pi).mu, atol=1e-12)
    assert game.exploitability(pi) == pytest.approx(plain.exploitability(pi), abs=1e-12)


def test_expected_values_by_enumeration() -> None:
    """Every path of noise, and in it every path of one agent."""
    game = tiny()
    pi = random_policies(game, np.random.default_rng(2))
    nodes = {(0,): 0, (1,): 1, (0, 0): 2, (0, 1): 3, (1, 0): 4, (1, 1): 5}
    assert game.tree.number == 6
    total = 0.0
    for z0, z1 in itertools.product(range(2), repeat=2):
        chance = game.noise[z0] * game.noise_matrix[z0, z1]
        assert game.tree.probability[nodes[z0, z1]] == pytest.approx(chance, abs=1e-15)
        n0, n1 = nodes[z0,], nodes[z0, z1]
        mus = [game.initial]
        for t, (z, n) in enumerate([(z0, n0), (z1, n1)]):
            P = game.kernels[z].law(t, mus[t])
            mus.append(np.einsum("s,sa,sak->k", mus[t], pi[n], P))
        for s0, a0, s1, a1, s2 in itertools.product(range(2), repeat=5):
            p = game.initial[s0] * pi[n0, s0, a0] * game.kernels[z0].law(0, mus[0])[s0, a0, s1]
            p *= pi[n1, s1, a1] * game.kernels[z1].law(1, mus[1])[s1, a1, s2]
            first = game.reward(np.array([0]), mus[0][None], np.array([z0]))[0, s0, a0]
            second = game.reward(np.array([1]), mus[1][None], np.array([z1]))[0, s1, a1]
            total += chance * p * (first + second - 2 * mus[2][s2])
    assert game.audit(pi).value == pytest.approx(total, abs=1e-13)


def test_no_policy_that_sees_the_history_is_better_than_the_best_response() -> None:
    game = tiny()
    pi = random_policies(game, np.random.default_rng(3))
    mu = game.flow(pi)
    # all 2^12 deterministic ones, in one batch
    chosen = np.array(list(itertools.product(range(2), repeat=12))).reshape(-1, 6, 2)
    values = game.value(np.eye(2)[chosen], mu)
    found = game.audit(pi)
    assert values.max() == pytest.approx(found.best_response_value, abs=1e-13)
    assert game.value(found.best_response.policy, mu) == pytest.approx(found.best_response_value, abs=1e-13)


def test_policies_of_the_present_are_spread_and_batches_are_loops() -> None:
    game = tiny(horizon=3)
    rng = np.random.default_rng(4)
    present = rng.dirichlet(np.ones(2), (3, 2, 2))
    spread = game.spread(present)
    assert spread.shape == game.shape == (14, 2, 2)
    assert game.exploitability(present) == game.exploitability(spread)
    pi = random_policies(game, rng, 2, 3)
    found, q = game.audit(pi), game.action_values(pi)
    for i, j in np.ndindex(2, 3):
        one = game.audit(pi[i, j])
        assert one.exploitability == pytest.approx(found.exploitability[i, j], abs=1e-13)
        np.testing.assert_allclose(game.flow_against(pi[i, j], one.mu), one.mu, atol=1e-15)
        own = game.evaluate(pi[i, j], one.mu)[: game.tree.number]
        np.testing.assert_allclose((pi[i, j] * q[i, j]).sum(-1), own, atol=1e-13)
    assert (found.exploitability >= -found.rounding).all()


def test_actions_that_a_state_has_not() -> None:
    full = tiny()
    mask = np.array([[True, True], [True, False]])
    game = CommonNoiseMFG(
        name="masked", horizon=2, initial=full.initial, kernels=full.kernels, noise=full.noise,
        noise_matrix=full.noise_matrix, action_mask=mask,
        reward=lambda t, mu, z: np.where(mask, full.reward(t, mu, z), np.inf),
    )  # fmt: skip
    uniform = game.uniform_policy()
    np.testing.assert_array_equal(uniform[3], [[0.5, 0.5], [1.0, 0.0]])
    found = game.audit(uniform)
    assert np.isfinite(found.exploitability)
    assert (found.best_response.policy[:, 1, 1] == 0).all()
    assert (game.action_values(uniform)[:, 1, 1] == 0).all()
    with pytest.raises(BadPolicy, match="plays action 1 in state 1"):
        game.flow(np.full((6, 2, 2), 0.5))


def test_a_bar_that_never_closes_is_the_beach_bar() -> None:
    plain, game = make("beach-bar", size=6, horizon=4), make("beach-bar-closing", size=6, horizon=4, closes=0.0)
    want = plain.exploitability(plain.uniform_policy())
    assert game.exploitability(game.uniform_policy()) == pytest.approx(want, abs=1e-12)
    assert make("beach-bar-closing", size=6, horizon=4).tree.number == 10


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(TooManyHistories, match=r"n: the noise has over 100,000 histories by step 15 of 40"):
        histories(np.array([0.5, 0.5]), np.full((2, 2), 0.5), 40, "n")
    with pytest.raises(BadPolicy, match=r"n: the noise's transitions at \[1\] sums to 0\.5"):
        histories(np.array([0.5, 0.5]), np.array([[1.0, 0.0], [0.25, 0.25]]), 2, "n")
    game = tiny()
    with pytest.raises(BadPolicy, match=r"shape \(2, 2\); want \[\.\.\., 6, 2, 2\]"):
        game.flow(np.full((2, 2), 0.5))
    still = without_noise(make("left-right"))
    with pytest.raises(BadPolicy, match="may be a policy"):
        still.exploitability(np.full((1, 1, 1, 2), 0.5))
