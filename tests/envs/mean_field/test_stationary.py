"""Stationary games: closed forms, long finite games, value iteration, and what is refused."""

import numpy as np
import pytest

from envs.mean_field import make
from envs.mean_field.chain import NoStationary
from envs.mean_field.checks import BadPolicy
from envs.mean_field.game import FiniteMFG
from envs.mean_field.games.garnet import garnet
from envs.mean_field.kernel import dense, moving
from envs.mean_field.settle import Unsettled, settled
from envs.mean_field.stationary import StationaryMFG, at_rest


def random_policies(game: StationaryMFG, rng: np.random.Generator, *lead: int) -> np.ndarray:
    return rng.dirichlet(np.ones(game.num_actions), (*lead, game.num_states))


def long_game(game: StationaryMFG, start: np.ndarray, horizon: int) -> FiniteMFG:
    """The same, for so long that discounts end it."""

    def reward(t: np.ndarray, x: np.ndarray) -> np.ndarray:
        return game.discount ** t[:, None, None] * game.reward(x)

    return FiniteMFG(
        name="long", horizon=horizon, initial=start, kernel=game.kernel, reward=reward, sees_actions=game.sees_actions
    )


@pytest.mark.parametrize(
    "game",
    [
        make("crowd-1d-stationary", size=6, discount=0.8),
        make("sis-stationary", discount=0.8),
        make("left-right-stationary", discount=0.8),
        at_rest(garnet(states=5, pull=0.7), 0.8),
    ],
    ids=lambda g: g.name,
)
def test_a_long_finite_game_is_the_same(game: StationaryMFG) -> None:
    pi = random_policies(game, np.random.default_rng(0))
    found = game.audit(pi)
    horizon = 160
    assert game.discount**horizon < 1e-15
    long = long_game(game, found.mu / found.mu.sum(), horizon)
    want = long.audit(np.broadcast_to(pi, long.shape))
    np.testing.assert_allclose(want.mu, np.broadcast_to(found.mu, want.mu.shape), atol=1e-11)
    assert found.value == pytest.approx(want.value, abs=1e-9)
    assert found.exploitability == pytest.approx(want.exploitability, abs=1e-9)
    np.testing.assert_allclose(found.per_state, want.per_state, atol=1e-9)


def test_best_responses_are_those_of_value_iteration() -> None:
    for seed in range(5):
        game = at_rest(garnet(states=7, pull=1.0, seed=seed), 0.9)
        mu = game.flow(random_policies(game, np.random.default_rng(seed)))
        best, P, r = game.best_response(mu), game.transitions(mu), game.rewards(mu)
        values = np.zeros(7)
        for _ in range(400):
            values = (r + 0.9 * P @ values).max(-1)
        np.testing.assert_allclose(best.values, values, atol=1e-12)
        np.testing.assert_allclose(game.evaluate(best.policy, mu), best.values, atol=1e-12)


def test_left_right_has_the_gaps_of_one_time_over_1_less_discount() -> None:
    game = make("left-right-stationary", discount=0.9)
    for left, gap in [(1.0, 1.0), (0.0, 2.0), (0.5, 0.25), (2 / 3, 0.0)]:
        assert game.exploitability([[left, 1 - left]]) == pytest.approx(gap / 0.1, abs=1e-11)


def test_the_epidemic_balances_where_distance_is_worth_the_risk() -> None:
    discount, imported = 0.95, 0.01
    game = make("sis-stationary", discount=discount, imported=imported)
    caught = 0.5 * (1 - 0.7 * discount) / (0.5 * discount)
    ill = (caught - imported) / 0.81
    # as many fall ill as recover
    out = 0.3 * ill / ((1 - ill) * caught)
    pi = [[out, 1 - out], [1.0, 0.0]]
    assert game.flow(pi) == pytest.approx([1 - ill, ill], abs=1e-12)
    assert game.exploitability(pi) == pytest.approx(0.0, abs=1e-11)
    assert game.exploitability([[out + 0.01, 0.99 - out], [1.0, 0.0]]) > 1e-4


@pytest.mark.parametrize("pull", [0.0, 0.7])
def test_a_batch_is_its_loop(pull: float) -> None:
    game = at_rest(garnet(states=5, pull=pull), 0.9)
    pi = random_policies(game, np.random.default_rng(0), 2, 3)
    found, q = game.audit(pi), game.action_values(pi)
    against = game.flow_against(pi, found.mu[0, 0])
    assert found.exploitability.shape == (2, 3)
    for i, j in np.ndindex(2, 3):
        one = game.audit(pi[i, j])
        assert one.exploitability == pytest.approx(found.exploitability[i, j], abs=1e-12)
        np.testing.assert_allclose(one.mu, found.mu[i, j], atol=1e-14)
        np.testing.assert_array_equal(one.best_response.policy, found.best_response.policy[i, j])
        np.testing.assert_allclose(game.action_values(pi[i, j]), q[i, j], atol=1e-12)
        np.testing.assert_allclose(game.flow_against(pi[i, j], found.mu[0, 0]), against[i, j], atol=1e-14)
        # agents who play as all do rest as all do, and Q of the policy is its value
        np.testing.assert_allclose(game.flow_against(pi[i, j], one.mu), one.mu, atol=1e-12)
        own = game.evaluate(pi[i, j], one.mu)
        np.testing.assert_allclose((pi[i, j] * q[i, j]).sum(-1), own, atol=1e-11)


def test_exploitability_is_never_below_its_rounding() -> None:
    rng = np.random.default_rng(0)
    for seed in range(6):
        game = at_rest(garnet(states=5, pull=float(rng.uniform(0, 1)), seed=seed), 0.95)
        found = game.audit(random_policies(game, rng, 5))
        assert (found.exploitability >= -found.rounding).all()
        assert found.rounding < 1e-11


def test_actions_that_a_state_has_not() -> None:
    game = StationaryMFG(
        name="masked",
        kernel=dense(np.array([[[0.5, 0.5], [0, 1]], [[1, 0], [1, 0]]])),
        reward=lambda mu: np.broadcast_to(np.array([[0.0, 1.0], [0.0, np.inf]]), (*mu.shape, 2)),
        discount=0.5,
        action_mask=np.array([[True, True], [True, False]]),
    )
    best = game.best_response(np.array([0.5, 0.5]))
    # V0 = 1 + V1 / 2, V1 = V0 / 2
    np.testing.assert_allclose(best.values, [4 / 3, 2 / 3], atol=1e-15)
    assert best.q[1, 1] == -np.inf
    assert game.action_values(game.uniform_policy())[1, 1] == 0
    with pytest.raises(BadPolicy, match="plays action 1 in state 1"):
        game.flow(np.full((2, 2), 0.5))


def test_populations_that_do_not_rest_are_refused() -> None:
    stuck = StationaryMFG(
        name="stuck", kernel=dense(np.eye(2)[:, None, :]), reward=lambda mu: mu[..., None], discount=0.5
    )
    with pytest.raises(NoStationary, match=r"stuck: the policy: its chain has 2 stationary .* \[0\] and \[1\]"):
        stuck.flow(stuck.uniform_policy())

    def law(t: int, mu: np.ndarray) -> np.ndarray:
        # everyone to where fewer are, by a rule that jumps: nothing rests
        to = (mu[..., 0] <= 0.6).astype(float) * 0.8 + 0.1
        return np.broadcast_to(np.stack([to, 1 - to], -1)[..., None, None, :], (*mu.shape[:-1], 2, 1, 2))

    successors = np.broadcast_to(np.arange(2), (2, 1, 2)).copy()
    jumps = StationaryMFG(
        name="jumps", kernel=moving(successors, law), reward=lambda mu: mu[..., None], discount=0.5, most_solves=100
    )
    with pytest.raises(Unsettled, match="jumps: the population does not settle: after 100 maps"):
        jumps.flow(jumps.uniform_policy())


def test_bad_games_are_refused() -> None:
    kernel = dense(np.ones((1, 1, 1)))
    with pytest.raises(ValueError, match="discount is 1; want a number 0 or more, below 1"):
        StationaryMFG(name="g", kernel=kernel, reward=lambda mu: mu[..., None], discount=1)
    with pytest.raises(ValueError, match=r"rewards have shape \(1,\)"):
        StationaryMFG(name="g", kernel=kernel, reward=lambda mu: mu, discount=0.5)
    with pytest.raises(ValueError, match="s=0, a=0 is nan"):
        StationaryMFG(name="g", kernel=kernel, reward=lambda mu: mu[..., None] * np.nan, discount=0.5)


def test_settled_rows_do_not_act_on_each_other_and_rest() -> None:
    rng = np.random.default_rng(0)
    P, Q = rng.dirichlet(np.ones(4), (2, 5, 4))

    def towards(mu: np.ndarray) -> np.ndarray:
        # a chain that is quadratic in mu
        return np.einsum("bs,bsk->bk", mu, P[: len(mu)] * mu[:, :1, None] + Q[: len(mu)] * (1 - mu[:, :1, None]))

    start = np.full((5, 4), 0.25)
    found = settled(towards, start, 60, "it")
    np.testing.assert_allclose(towards(found), found, atol=1e-13)
    np.testing.assert_array_equal(settled(towards, start[:2], 60, "it"), found[:2])
