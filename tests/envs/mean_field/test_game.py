"""Games: known values, invariants, and what is refused."""

import numpy as np
import pytest

from envs.mean_field.batch import machine_code
from envs.mean_field.checks import BadPolicy
from envs.mean_field.game import FiniteMFG
from envs.mean_field.games.crowd import crowd_1d
from envs.mean_field.games.garnet import garnet
from envs.mean_field.games.one_shot import left_right, rock_paper_scissors
from envs.mean_field.games.routing import braess
from envs.mean_field.kernel import dense, sparse_kernel


def random_policies(game: FiniteMFG, rng: np.random.Generator, *lead: int) -> np.ndarray:
    return rng.dirichlet(np.ones(game.num_actions), (*lead, game.horizon, game.num_states))


@pytest.mark.parametrize(("left", "gap"), [(1.0, 1.0), (0.0, 2.0), (0.5, 0.25), (2 / 3, 0.0)])
def test_left_right(left: float, gap: float) -> None:
    assert left_right().exploitability([[[left, 1 - left]]]) == pytest.approx(gap, abs=1e-12)


def test_rock_paper_scissors() -> None:
    game = rock_paper_scissors()
    assert game.exploitability(game.uniform_policy()) == pytest.approx(1 / 3, abs=1e-12)
    assert game.exploitability(np.array([26, 20, 31])[None, None] / 77) == pytest.approx(0, abs=1e-12)


def test_braess_shortcut_makes_everyone_slower() -> None:
    game = braess()
    pi = game.uniform_policy()
    pi[0, 0], pi[1, 1] = [0.75, 0.25], [1 / 3, 2 / 3]
    found = game.audit(pi)
    assert (found.value, found.exploitability) == (pytest.approx(-3.75, abs=1e-12), pytest.approx(0, abs=1e-12))
    pi[0, 0], pi[1, 1] = [0.5, 0.5], [1.0, 0.0]
    assert game.audit(pi).value == pytest.approx(-3.5, abs=1e-12)


def test_uniform_policy_in_the_crowd() -> None:
    game = crowd_1d(10, 10)
    assert game.exploitability(game.uniform_policy()) == pytest.approx(2.824096936443, abs=1e-9)


@pytest.mark.parametrize("pull", [0.0, 2.0])
def test_a_batch_is_its_loop(pull: float) -> None:
    game = garnet(pull=pull)
    pi = random_policies(game, np.random.default_rng(0), 2, 3)
    found = game.audit(pi)
    assert found.exploitability.shape == (2, 3)
    for i, j in np.ndindex(2, 3):
        one = game.audit(pi[i, j])
        assert one.exploitability == pytest.approx(found.exploitability[i, j], abs=1e-13)
        np.testing.assert_allclose(one.mu, found.mu[i, j], atol=1e-15)
        np.testing.assert_array_equal(one.best_response.policy, found.best_response.policy[i, j])
    np.testing.assert_allclose(game.exploitability(pi), found.exploitability, atol=1e-13)


@pytest.mark.parametrize("seed", range(5))
def test_a_best_response_cannot_be_improved_and_is_worth_its_values(seed: int) -> None:
    game = garnet(pull=1.5, seed=seed)
    rng = np.random.default_rng(seed)
    mu = game.flow(random_policies(game, rng))
    best = game.best_response(mu)
    assert game.value(best.policy, mu) == pytest.approx(best.values[0] @ game.initial, abs=1e-12)
    others = random_policies(game, rng, 200)
    assert (game.value(others, mu) <= game.value(best.policy, mu) + 1e-12).all()


def test_value_is_the_occupancy_times_rewards() -> None:
    game = garnet(pull=1.0)
    rng = np.random.default_rng(0)
    pi, nu = random_policies(game, rng), game.flow(random_policies(game, rng))
    x = game.flow_against(pi, nu)[:-1, :, None] * pi
    assert game.value(pi, nu) == pytest.approx((x * game.rewards(nu)).sum(), abs=1e-12)


def test_relabelling_states_changes_nothing() -> None:
    game = garnet(states=8, pull=0.0)
    rng = np.random.default_rng(3)
    order = rng.permutation(8)
    back = order.argsort()
    kernel = game.kernel
    renamed = FiniteMFG(
        name="renamed",
        horizon=game.horizon,
        initial=game.initial[order],
        kernel=sparse_kernel(back[kernel.next[order]], kernel.prob[order]),
        reward=lambda t, mu: game.reward(t, mu[..., back])[..., order, :],
    )
    pi = random_policies(game, rng)
    assert renamed.exploitability(pi[:, order]) == pytest.approx(game.exploitability(pi), abs=1e-13)


def test_exploitability_is_never_below_its_rounding() -> None:
    rng = np.random.default_rng(0)
    for seed in range(50):
        game = garnet(states=6, horizon=6, pull=float(rng.uniform(0, 3)), seed=seed)
        found = game.audit(random_policies(game, rng, 20))
        assert (found.exploitability >= -found.rounding).all()
        assert found.rounding < 1e-10


def test_compiled_loops_refuse_what_is_no_policy() -> None:
    game = crowd_1d(9, 7)
    exploitability = machine_code(game)
    for value in (0.2, -0.1, np.nan):
        pi = random_policies(game, np.random.default_rng(0), 3)
        pi[1, 2, 3, 0] = value
        with pytest.raises(BadPolicy, match=r"the policy at \[1, 2, 3\] "):
            exploitability(pi)
    with pytest.raises(BadPolicy, match=r"shape \(7, 9\); want \[..., 7, 9, 3\]"):
        exploitability(np.zeros((7, 9)))


def test_actions_that_a_state_has_not() -> None:
    game = FiniteMFG(
        name="masked",
        horizon=2,
        initial=np.array([1.0, 0.0]),
        kernel=dense(np.array([[[1.0, 0], [0, 1]], [[0, 1], [0, 1]]])),
        reward=lambda t, mu: np.broadcast_to(np.array([[0.0, 1.0], [5.0, np.inf]]), (*mu.shape, 2)),
        action_mask=np.array([[True, True], [True, False]]),
    )
    np.testing.assert_array_equal(game.uniform_policy()[0], [[0.5, 0.5], [1, 0]])
    # move at once (1), then 5
    assert game.audit(game.uniform_policy()).best_response_value == pytest.approx(6.0)
    with pytest.raises(BadPolicy, match="plays action 1 in state 1"):
        game.exploitability(np.full((2, 2, 2), 0.5))


@pytest.mark.parametrize(
    ("break_it", "told"),
    [
        (lambda pi: pi[:-1], r"shape \(9, 10, 3\); want \[..., 10, 10, 3\]"),
        (lambda pi: pi * 0.5, r"at \[0, 0\] sums to 0.5"),
        (lambda pi: np.where(np.arange(3) == 1, np.nan, pi), "holds nan"),
        (lambda pi: pi + np.array([0.5, -0.5, 0.0]), "holds -0.16"),
    ],
)
def test_bad_policies_are_refused(break_it, told: str) -> None:
    game = crowd_1d(10, 10)
    with pytest.raises(BadPolicy, match=told):
        game.exploitability(break_it(game.uniform_policy()))


def test_bad_games_are_refused() -> None:
    kernel = dense(np.ones((1, 1, 1)))
    with pytest.raises(BadPolicy, match="initial distribution sums to 2"):
        FiniteMFG(name="g", horizon=1, initial=np.array([2.0]), kernel=kernel, reward=lambda t, mu: mu[..., None])
    with pytest.raises(ValueError, match=r"rewards have shape \(1, 1\)"):
        FiniteMFG(name="g", horizon=1, initial=np.ones(1), kernel=kernel, reward=lambda t, mu: mu)
    with pytest.raises(ValueError, match="t=0, s=0, a=0 is nan"):
        FiniteMFG(name="g", horizon=1, initial=np.ones(1), kernel=kernel, reward=lambda t, mu: mu[..., None] * np.nan)


def test_a_batch_of_no_policies_is_refused() -> None:
    with pytest.raises(BadPolicy, match="with nothing in it"):
        crowd_1d(4, 3).exploitability(np.zeros((0, 3, 4, 3)))


def test_policies_of_32_bits_are_told_the_mend() -> None:
    game = crowd_1d(4, 3)
    pi = np.random.default_rng(0).dirichlet(np.ones(3), (3, 4)).astype(np.float32)
    with pytest.raises(BadPolicy, match="divide its rows by their sums in float64"):
        game.exploitability(pi)
    wide = pi.astype(float)
    assert game.exploitability(wide / wide.sum(-1, keepdims=True)) > 0
