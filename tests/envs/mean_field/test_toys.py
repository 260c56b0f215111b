"""The three toys at the exact values of their study, and the mistakes that are easily made with them."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from envs.mean_field.game import FiniteMFG
from envs.mean_field.games.garnet import garnet
from envs.mean_field.games.toys import AttractorMFG, CrowdAvoidanceMFG, TriStateCongestionMFG
from envs.mean_field.imitation import imitation_bounds, imitation_errors
from envs.mean_field.kernel import Array
from tests.envs.mean_field.test_game import random_policies

ALPHAS = np.linspace(0, 1, 21)


def test_flows_and_gaps_by_hand() -> None:
    attractor, crowd = AttractorMFG(3, 0.5), CrowdAvoidanceMFG(3, 0.5)
    np.testing.assert_allclose(attractor.run(0.25)[:3, 1], [0, 0.25, 0.5078125], atol=1e-15)
    np.testing.assert_allclose(crowd.run(0.25)[:3, 1], [0, 0.25, 0.431640625], atol=1e-15)
    assert attractor.NIG(0.25) == pytest.approx(0.6328125, abs=1e-12)
    assert crowd.NIG(0.25) == pytest.approx(0.681640625, abs=1e-12)


def test_ten_steps() -> None:
    attractor = AttractorMFG(10, 0.5)
    worst = attractor.errors(0.2).max()
    assert attractor.NIG(0.2) == pytest.approx(1.585545122, abs=1e-9)
    assert (pytest.approx(1.785252, abs=1e-6), pytest.approx(1.995460, abs=1e-6)) == (worst.VAN, worst.MFC)
    assert CrowdAvoidanceMFG(10, 0.5).NIG(0.2) == pytest.approx(5.282022791, abs=1e-9)
    assert TriStateCongestionMFG(10, 0.5, 0.5).NIG((0.2, 0.2)) == pytest.approx(5.899794861, abs=1e-9)


@pytest.mark.parametrize("toy", [AttractorMFG(12, 0.8), CrowdAvoidanceMFG(12, 1.7)])
def test_errors_have_closed_forms(toy: AttractorMFG | CrowdAvoidanceMFG) -> None:
    found, n = toy.errors(ALPHAS), np.arange(12)
    a = ALPHAS[:, None]
    inside = 1 - toy.run(ALPHAS)[:, :-1, 1]
    np.testing.assert_allclose(found.BC, np.broadcast_to(2 * a, (21, 12)), atol=1e-12)
    np.testing.assert_allclose(found.VAN, 2 * (1 - (1 - a) ** (n + 1)), atol=1e-12)
    np.testing.assert_allclose(found.MFC, 2 * (a + (1 - a) * (1 - inside)), atol=1e-12)


def test_tri_state_errors_have_closed_forms() -> None:
    toy, n = TriStateCongestionMFG(9, 0.5, 0.7), np.arange(9)
    found = toy.errors((0.4, 0.5))
    out = 1 - 0.6**n
    np.testing.assert_allclose(found.BC, 2 * 0.9, atol=1e-12)
    np.testing.assert_allclose(found.VAN, 2 * (0.9 + 0.1 * out), atol=1e-12)
    np.testing.assert_allclose(found.MFC, 2 * (0.9 + 0.1 * (1 - toy.run((0.4, 0.5))[:-1, 0])), atol=1e-12)


@pytest.mark.parametrize("toy", [CrowdAvoidanceMFG(9, 0.6), CrowdAvoidanceMFG(9, 1.5, rho0=0.2)])
def test_gap_where_staying_dominates(toy: CrowdAvoidanceMFG) -> None:
    outside = toy.run(ALPHAS)[..., :-1, 1]
    np.testing.assert_allclose(toy.NIG(ALPHAS), (outside - outside[..., :1]).sum(-1), atol=1e-12)


@pytest.mark.parametrize("rho0", [0.0, 0.1])
def test_gap_of_the_attractor_is_not_its_cost(rho0: float) -> None:
    toy = AttractorMFG(9, 0.6, rho0)
    for alpha in ALPHAS:
        outside = toy.run(alpha)[:, 1]
        stayed = [rho0]
        for rho in outside[:-2]:
            stayed.append(stayed[-1] + (1 - stayed[-1]) * min(1.0, 0.6 * rho))
        assert toy.NIG(alpha) == pytest.approx((outside[:-1] - stayed).sum(), abs=1e-12)


def test_ends_of_the_range() -> None:
    crowd, attractor = CrowdAvoidanceMFG(8, 0.5), AttractorMFG(8, 0.4)
    for toy in (crowd, attractor):
        zero = toy.errors(0.0)
        assert not np.any([zero.BC, zero.VAN, zero.MFC])
        assert toy.NIG(0.0) == 0
        assert toy.errors(1.0).max().BC == 2.0
    assert crowd.NIG(1.0) == pytest.approx(7.0, abs=1e-12)
    assert attractor.NIG(1.0) == pytest.approx((1 - 0.6**7) / 0.4, abs=1e-12)


@pytest.mark.parametrize("toy", [AttractorMFG(10, 0.5), CrowdAvoidanceMFG(10, 0.5)])
def test_slope_at_zero(toy: AttractorMFG | CrowdAvoidanceMFG) -> None:
    assert toy.NIG(1e-7) / 1e-7 == pytest.approx(45, rel=1e-4)


def test_slope_at_zero_of_the_tri_state() -> None:
    assert TriStateCongestionMFG(10, 0.5, 0.5).NIG((1e-7, 0.0)) / 1e-7 == pytest.approx(45, rel=1e-4)


def test_crowd_settles_where_going_fails() -> None:
    assert CrowdAvoidanceMFG(4000, 2.0).run(0.05)[-1, 1] == pytest.approx(2**-0.5, abs=1e-3)


def test_the_learners_own_flow_is_not_the_experts() -> None:
    found = AttractorMFG(10, 0.5).errors(0.2)
    # the first who leave drag nobody yet
    assert (found.VAN < found.MFC)[2:].all()
    np.testing.assert_allclose(found.VAN[:2], found.MFC[:2])


def test_clipped_in_the_errors_too() -> None:
    toy = TriStateCongestionMFG(5, 0.5, 0.5)
    np.testing.assert_array_equal(toy.errors((1.4, 0.0)).BC, toy.errors((1.0, 0.0)).BC)
    np.testing.assert_allclose(toy.errors((0.9, 0.9)).BC, 2.0, atol=1e-12)
    with pytest.raises(ValueError, match="want probabilities"):
        AttractorMFG(5, 0.5).NIG(1.5)


def with_equilibrium(seed: int, crowd: float, pull: float) -> tuple[FiniteMFG, Array, float]:
    """A random game of 5 steps, a policy that is an equilibrium of it, and the largest reward there is.

    Where the population has that policy's flow, rewards make its actions worth V = u and all others less; elsewhere
    places pay less by what they are more crowded.
    """
    plain = garnet(states=4, actions=2, successors=2, horizon=5, crowd=0.0, pull=pull, seed=seed)
    rng = np.random.default_rng(seed)
    T, S, A = plain.shape
    expert = np.eye(A)[rng.integers(A, size=(T, S))]
    flow = plain.flow(expert)
    u = np.concatenate([rng.uniform(-1, 1, (T, S)), np.zeros((1, S))])
    ahead = np.stack([plain.kernel.expect(t, u[t + 1], flow[t]) for t in range(T)])
    base = u[:-1, :, None] - ahead - (1 - expert) * rng.uniform(0, 0.5, (T, S, A))

    def reward(t: NDArray[np.int64], mu: Array) -> Array:
        return base[t] - crowd * (mu - flow[t])[..., None]

    game = replace(plain, reward=reward, loops=None)
    return game, expert, float(np.abs(base).max()) + crowd


def spec_bounds(
    game: FiniteMFG, expert: Array, learner: Array, R: float, L_r: float, L_P: float
) -> tuple[float, float, float, float]:
    """The bounds by flows, MFC, VAN and BC, as the specification writes them, step by step."""
    H, S, A = game.shape
    mu_E, mu, alone = game.flow(expert), game.flow(learner), game.flow_against(learner, game.flow(expert))
    d = [sum(abs(mu_E[n, s] - mu[n, s]) for s in range(S)) for n in range(H)]
    pairs = [(s, a) for s in range(S) for a in range(A)]
    m = [sum(abs(mu_E[n, s] * expert[n, s, a] - mu[n, s] * learner[n, s, a]) for s, a in pairs) for n in range(H)]
    van = [sum(abs(mu_E[n, s] * expert[n, s, a] - alone[n, s] * learner[n, s, a]) for s, a in pairs) for n in range(H)]
    bc = [sum(mu_E[n, s] * abs(expert[n, s, a] - learner[n, s, a]) for s, a in pairs) for n in range(H)]
    by_flows = sum(2 * L_r * d[n] + R * m[n] + R * L_P * sum(d[:n]) for n in range(H))
    by_mfc = max(m) * (H * (2 * L_r + R) + R * L_P * H * (H - 1) / 2)
    by_van = max(van) * sum((2 * L_r + R) * (1 + L_P) ** n + R * ((1 + L_P) ** n - 1) for n in range(H))
    cloned = [max(bc) * (n if L_P == 0 else ((1 + L_P) ** n - 1) / L_P) for n in range(H)]
    by_bc = sum(2 * L_r * cloned[n] + R * (cloned[n] + max(bc)) + R * L_P * sum(cloned[:n]) for n in range(H))
    own = float(game.exploitability(expert))
    return by_flows + own, by_mfc + own, by_van + own, by_bc + own


def test_bounds_hold_on_a_thousand_random_games() -> None:
    rng = np.random.default_rng(0)
    nearest = 0.0
    for seed in range(1000):
        crowd, pull = float(rng.uniform(0, 2)), float(rng.choice([0.0, rng.uniform(0, 1.5)]))
        game, expert, R = with_equilibrium(seed, crowd, pull)
        assert abs(game.exploitability(expert)) < 1e-12
        share = float(rng.choice([0.01, 0.1, 0.5]))
        learner = (1 - share) * expert + share * random_policies(game, rng)
        # |mu(s) - nu(s)| is at most half of the L1 distance, and a pulled row moves by twice what pulls it
        constants = {"R": R, "L_r": crowd / 2, "L_P": pull}
        found = imitation_bounds(game, expert, learner, **constants)
        gap = float(game.exploitability(learner))
        assert gap <= found.flows + 1e-10
        assert found.flows <= found.MFC + 1e-10
        assert gap <= found.VAN + 1e-10
        assert found.flows <= found.BC + 1e-10
        nearest = max(nearest, gap / found.flows)
        if seed < 50:
            told = (found.flows, found.MFC, found.VAN, found.BC)
            np.testing.assert_allclose(told, spec_bounds(game, expert, learner, **constants), rtol=1e-12)
    # they are not so far off that anything would pass
    assert nearest > 0.1


@pytest.mark.parametrize("H", [2, 8, 20])
@pytest.mark.parametrize("L", [0.2, 1.0, 2.0])
def test_bounds_hold_of_the_toys(H: int, L: float) -> None:
    for toy, learners in (
        (AttractorMFG(H, L), ALPHAS),
        (CrowdAvoidanceMFG(H, L), ALPHAS),
        (TriStateCongestionMFG(H, L, 0.7), np.stack([ALPHAS / 2, ALPHAS / 3], -1)),
    ):
        gap, bounds = toy.NIG(learners), toy.bounds(learners)
        for bound in (bounds.flows, bounds.MFC, bounds.VAN, bounds.BC):
            assert (gap <= bound + 1e-12).all()


@pytest.mark.parametrize("toy", [AttractorMFG(3, 0.7), CrowdAvoidanceMFG(3, 0.7), CrowdAvoidanceMFG(3, 2.5),
                                 TriStateCongestionMFG(3, 0.5, 0.7), TriStateCongestionMFG(3, 4.0, 0.2)])  # fmt: skip
def test_toys_know_how_far_transitions_follow_the_population(
    toy: AttractorMFG | CrowdAvoidanceMFG | TriStateCongestionMFG,
) -> None:
    rng = np.random.default_rng(0)
    S = toy.game.num_states
    # near the corners, where it is steepest
    one = rng.dirichlet(np.full(S, 0.2), 20_000)
    other = one + 1e-2 * (rng.dirichlet(np.full(S, 0.2), 20_000) - one)
    apart = np.abs(one - other).sum(-1) > 1e-4
    one, other = one[apart], other[apart]
    rows = np.abs(toy.game.kernel.rows(0, one)[1] - toy.game.kernel.rows(0, other)[1]).sum(-1).max((-2, -1))
    ratio = (rows / np.abs(one - other).sum(-1)).max()
    assert 0.95 * toy.L_P <= ratio <= toy.L_P * (1 + 1e-9)


def test_bounds_want_constants_that_are_some() -> None:
    toy = AttractorMFG(3, 0.5)
    with pytest.raises(ValueError, match=r"L_P is -0\.5; want a number, 0 or more"):
        imitation_bounds(toy.game, toy.expert, toy.policy(0.1), R=1.0, L_r=0.0, L_P=-0.5)
    with pytest.raises(ValueError, match="L_r is nan"):
        imitation_bounds(toy.game, toy.expert, toy.policy(0.1), R=1.0, L_r=float("nan"), L_P=0.5)


def test_without_coupling_of_the_transitions_van_is_mfc() -> None:
    game = garnet(crowd=1.0, pull=0.0)
    rng = np.random.default_rng(0)
    expert, learner = random_policies(game, rng), random_policies(game, rng)
    found = imitation_errors(game, expert, learner)
    np.testing.assert_allclose(found.VAN, found.MFC, atol=1e-13)
    bounds = imitation_bounds(game, expert, learner, R=2.0, L_r=0.5, L_P=0.0)
    own = game.exploitability(expert)
    # (2 L_r + R) H e, and (2 L_r + R) H (H + 1) / 2 e of BC
    assert bounds.MFC - own == pytest.approx(3 * 10 * found.MFC.max())
    assert pytest.approx(bounds.MFC) == bounds.VAN
    assert bounds.BC - own == pytest.approx(3 * 55 * found.BC.max() - 2 * 0.5 * 10 * found.BC.max())
