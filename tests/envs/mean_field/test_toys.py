"""The three toys at the exact values of their study, and the mistakes that are easily made with them."""

import numpy as np
import pytest

from envs.mean_field.game import FiniteMFG
from envs.mean_field.games.garnet import garnet
from envs.mean_field.games.toys import AttractorMFG, CrowdAvoidanceMFG, TriStateCongestionMFG
from envs.mean_field.imitation import imitation_bounds, imitation_errors
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


def lipschitz(game: FiniteMFG, crowd: float, pull: float) -> dict[str, float]:
    # |mu(s) - nu(s)| is at most half of the L1 distance, and a pulled row moves by twice what pulls it
    return {"R": 1 + crowd, "L_r": crowd / 2, "L_P": pull}


def test_bounds_hold_on_a_thousand_random_games() -> None:
    rng = np.random.default_rng(0)
    for seed in range(1000):
        crowd, pull = float(rng.uniform(0, 2)), float(rng.choice([0.0, rng.uniform(0, 1.5)]))
        game = garnet(states=4, actions=2, successors=2, horizon=5, crowd=crowd, pull=pull, seed=seed)
        expert = random_policies(game, rng)
        share = float(rng.choice([0.01, 0.1, 0.5]))
        learner = (1 - share) * expert + share * random_policies(game, rng)
        found = imitation_bounds(game, expert, learner, **lipschitz(game, crowd, pull))
        gap = game.exploitability(learner)
        assert gap <= found.flows + 1e-10
        assert found.flows <= found.MFC + 1e-10
        assert gap <= found.VAN + 1e-10
        assert found.flows <= found.BC + 1e-10


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
