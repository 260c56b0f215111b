"""Finitely many agents: gaps by hand, against enumeration of all that N agents can do, and their limit."""

import itertools
from dataclasses import replace
from functools import reduce
from typing import Any

import numpy as np
import pytest
from scipy import stats

from envs.mean_field import FiniteMFG, make, names
from envs.mean_field.finite import FinitePopulation, convergence
from envs.mean_field.finite_play import coupled_binomial, gains, play
from envs.mean_field.finite_rewards import LARGEST, summands
from envs.mean_field.kernel import dense, moving

AT_TWO_THIRDS = [[[2 / 3, 1 / 3]]]
ALIKE = np.full((1, 1, 3), 1 / 3)


def earned(game: FiniteMFG, pi: np.ndarray, own: np.ndarray, n: int) -> np.ndarray:
    """What agent 0 of n earns by own[D, T, S, A] while the rest play pi, through all joint states and actions: [D]."""
    T, S, A = game.shape
    joint = list(itertools.product(range(S), repeat=n))
    # [D, S^n]
    dist = np.tile([np.prod(game.initial[list(places)]) for places in joint], (len(own), 1))
    total = np.zeros(len(own))
    for t in range(T):
        after = np.zeros(dist.shape)
        for (i, places), acts in itertools.product(enumerate(joint), itertools.product(range(A), repeat=n)):
            pairs = list(zip(places, acts, strict=True))
            weight = dist[:, i] * own[:, t, places[0], acts[0]] * np.prod([pi[t, s, a] for s, a in pairs[1:]])
            if not weight.any():
                continue
            x = np.zeros((S, A))
            np.add.at(x, (list(places), list(acts)), 1 / n)
            seen = x if game.sees_actions else x.sum(1)
            total += weight * game.reward(np.array([t]), seen[None])[0, places[0], acts[0]]
            successors, prob = game.kernel.rows(t, x.sum(1))
            rows = [np.bincount(successors[s, a], prob[s, a], S) for s, a in pairs]
            after += weight[:, None] * reduce(np.multiply.outer, rows).ravel()
        dist = after
    for i, places in enumerate(joint):
        total += dist[:, i] * game.terminals(np.bincount(places, minlength=S) / n)[places[0]]
    return total


def true_gap(game: FiniteMFG, pi: np.ndarray, n: int) -> float:
    """Over all deterministic policies that see the agent's own state."""
    T, S, A = game.shape
    rows = itertools.product(range(A), repeat=T * S)
    own = np.array([np.eye(A)[list(row)].reshape(T, S, A) for row in rows])
    if game.action_mask is not None:
        own = own[(own[:, :, ~game.action_mask] == 0).all((1, 2))]
    values = earned(game, pi, np.concatenate([pi[None], own]), n)
    return float(values[1:].max() - values[0])


def two_states(name: str, *, actions: bool = False, start: float = 0.3, **more: Any) -> FiniteMFG:
    """Rewards by a random table of all places and of their squares: not local."""
    rng = np.random.default_rng(0)
    P, table = rng.dirichlet(np.ones(2), (2, 2)), rng.normal(size=(2, 2, 2, 4 if actions else 2))

    def reward(t: np.ndarray, x: np.ndarray) -> np.ndarray:
        flat = x.reshape(*x.shape[:-2], 4) if actions else x
        return np.einsum("sap,...p->...sa", table[0], flat) + np.einsum("sap,...p->...sa", table[1], flat**2)

    return FiniteMFG(
        name=name,
        horizon=2,
        initial=np.array([start, 1 - start]),
        kernel=dense(P),
        reward=reward,
        sees_actions=actions,
        **more,
    )


def crowded(start: float = 0.3) -> FiniteMFG:
    """Local rewards; a place without anybody has none that is finite."""
    game = two_states("crowded", start=start)
    worth = np.array([[0.5, 0.2], [0.0, 0.1]])
    with_masses = lambda t, mu: worth - np.log(np.where(mu > 0, mu, 0.25))[..., None]  # noqa: E731
    return replace(game, reward=with_masses, local=True)


GAMES = {
    "local": crowded(),
    "all places": two_states("all places"),
    "a terminal": two_states("a terminal", terminal=lambda mu: mu[..., ::-1] ** 2),
    "a local one with a terminal": replace(crowded(), terminal=lambda mu: mu[..., ::-1] ** 2),
    "a mask": two_states("a mask", action_mask=np.array([[True, True], [True, False]])),
    "actions": two_states("actions", actions=True),
    "one start": two_states("one start", start=1.0),
}


@pytest.mark.parametrize("n", [2, 3, 5])
@pytest.mark.parametrize("kind", GAMES)
def test_gap_is_that_of_enumeration(kind: str, n: int) -> None:
    game = GAMES[kind]
    weights = np.random.default_rng(1).random(game.shape) * (1 if game.action_mask is None else game.action_mask)
    pi = weights / weights.sum(-1, keepdims=True)
    found = FinitePopulation(game, n).gap(pi)
    assert found.gap == pytest.approx(true_gap(game, pi, n), abs=1e-12)
    own = np.array([pi, found.deviation])
    assert np.ptp(earned(game, pi, own, n)) == pytest.approx(found.gap, abs=1e-12)


@pytest.mark.parametrize("n", [2, 7, 100])
def test_left_right_has_a_gap_of_a_third_of_1_over_n(n: int) -> None:
    found = FinitePopulation(make("left-right"), n).gap(AT_TWO_THIRDS)
    assert found.gap == pytest.approx(1 / (3 * n), rel=1e-9)
    assert found.method == "exact"


def test_gaps_by_hand() -> None:
    # all others left: alone on the right one pays 2 / 3, on the left 1
    assert FinitePopulation(make("left-right"), 3).gap([[[1.0, 0.0]]]).gap == pytest.approx(1 / 3, abs=1e-12)
    game = make("rock-paper-scissors")
    # against one other, uniform: paper earns (4 - 2) / 2 / 3, scissors (6 - 3) / 2 / 3, rock (2 - 1) / 2 / 3
    assert FinitePopulation(game, 2).gap(ALIKE).gap == pytest.approx(1 / 2 - 1 / 3, abs=1e-12)
    assert FinitePopulation(game, 2).gap([[[1.0, 0.0, 0.0]]]).gap == pytest.approx(2.0, abs=1e-12)


def test_rewards_of_places_that_nobody_has_do_not_spoil_others() -> None:
    def of(nobody: float) -> FiniteMFG:
        def reward(t: np.ndarray, mu: np.ndarray) -> np.ndarray:
            # finite in the limit, where the game is checked
            found = np.where(mu > 0, -mu, nobody if len(mu.shape) > 2 else 0.0)
            return found[..., None] + np.array([0.0, 1.0])

        return replace(two_states("empty", start=1.0), reward=reward)

    pi = of(0.0).uniform_policy()
    found = [FinitePopulation(of(nobody), 3).gap(pi).gap for nobody in (0.0, np.inf)]
    assert found[0] == found[1] == pytest.approx(true_gap(of(0.0), pi, 3), abs=1e-12)


def test_games_with_fixed_transitions_have_an_exact_gap() -> None:
    known = {"garnet": {"states": 4}, "building-evacuation": {}, "braess": {}, "beach-bar": {}, "crowd-2d": {"size": 7}}
    for name, parameters in known.items():
        assert FinitePopulation(make(name, **parameters), 100).solvable, name
    assert FinitePopulation(make("linear-quadratic"), 3).solvable
    assert FinitePopulation(make("equilibrium-price"), 2).solvable
    assert summands(make("inventory-market"), 2) > LARGEST


@pytest.mark.parametrize("name", names())
def test_local_rewards_see_their_own_place_alone(name: str) -> None:
    game = make(name)
    if not isinstance(game, FiniteMFG) or not game.local:
        return
    T, S, A = game.shape
    rng, places = np.random.default_rng(0), S * A if game.sees_actions else S
    x = rng.random((T, places))
    apart = rng.random((T, places))
    kept = rng.random(places) < 0.5
    kept[0], kept[-1] = True, False
    shape = (T, S, A) if game.sees_actions else (T, S)
    one, other = (game.reward(np.arange(T), y.reshape(shape)) for y in (x, np.where(kept, x, apart)))
    same = (kept.reshape(S, A) if game.sees_actions else kept[:, None]) & np.ones((S, A), bool)
    np.testing.assert_array_equal(one[:, same], other[:, same])


def test_every_game_whose_rewards_are_local_says_so() -> None:
    found = {name for name in names() if isinstance(game := make(name), FiniteMFG) and game.local}
    # rewards of those on a graphon see their neighbours
    rest = {name for name in names() if isinstance(make(name), FiniteMFG)} - found
    assert rest == {
        "beach-bar-graphon",
        "equilibrium-price",
        "inventory-market",
        "linear-quadratic",
        "rock-paper-scissors",
        "sis-graphon",
    }


def test_simulated_populations_have_the_mean_fields_law() -> None:
    game = crowded()
    pi = game.uniform_policy()
    counts = FinitePopulation(game, 10).simulate(pi, 20_000, seed=0)
    assert (counts.sum(-1) == 10).all()
    share, mu = counts[:, -1, 0] / 10, game.flow(pi)[-1, 0]
    # agents are independent: the counts are binomial
    assert (
        stats.chisquare(
            np.bincount(counts[:, -1, 0], minlength=11), 20_000 * stats.binom.pmf(np.arange(11), 10, mu)
        ).pvalue
        > 1e-3
    )
    assert share.mean() == pytest.approx(mu, abs=4 * share.std() / 20_000**0.5)


def test_worlds_part_only_where_the_one_moves_the_others() -> None:
    game, rng = make("sis", horizon=5), np.random.default_rng(0)
    pi, out = game.uniform_policy(), np.tile([1.0, 0.0], (5, 2, 1))
    for now in play(game, 8, pi, np.array([pi, pi]), 500, rng):
        np.testing.assert_array_equal(now.others[0], now.others[1])
        np.testing.assert_array_equal(now.state[0], now.state[1])
    *_, now = play(game, 8, pi, np.array([pi, out]), 500, rng)
    assert (now.others.sum(-1) == 7).all()
    apart = (now.others[0] != now.others[1]).any(-1).mean()
    # alone, two worlds would differ in most games
    assert 0 < apart < 0.4


def test_coupled_counts_are_binomial_and_near_each_other() -> None:
    n, p = np.array([10, 7, 10]), np.array([0.9, 0.6, 0.85])
    found = coupled_binomial(np.random.default_rng(0), np.tile(n[:, None], 20_000), np.tile(p[:, None], 20_000))
    for counts, trials, chance in zip(found, n, p, strict=True):
        error = (trials * chance * (1 - chance) / 20_000) ** 0.5
        assert counts.mean() == pytest.approx(trials * chance, abs=4 * error)
        assert counts.var() == pytest.approx(trials * chance * (1 - chance), rel=0.06)
    near = coupled_binomial(np.random.default_rng(0), np.full((2, 20_000), 10), np.tile([[0.5], [0.55]], 20_000))
    # alone, the variance of the difference would be the sum: 4.975; of 10 extra chances of .05 it is at most .5
    assert np.var(near[1] - near[0]) < 0.5


def test_each_world_has_its_own_law() -> None:
    # who meets the one when it is ill falls ill more often: by enumeration, the mean of others in each world
    game = make("sis", horizon=2)
    pi = game.uniform_policy()
    own = np.array([pi, np.tile([0.0, 1.0], (2, 2, 1)), np.tile([1.0, 0.0], (2, 2, 1))])
    *_, now = play(game, 3, pi, own, 40_000, np.random.default_rng(0))
    # paid by the share of the ill in the end, wherever one is
    paid = replace(
        game, reward=lambda t, mu: np.zeros((*mu.shape, 2)), terminal=lambda mu: np.repeat(mu[..., 1:], 2, -1)
    )
    ill = (now.others[..., 1] + now.state) / 3
    error = ill.std(1) / 200
    assert (np.abs(ill.mean(1) - earned(paid, pi, own, 3)) < 4 * error).all()
    assert np.ptp(ill.mean(1)) > 4 * error.max()


@pytest.mark.parametrize("n", [2, 3])
@pytest.mark.parametrize("policy", ["uniform", "all out"])
def test_lower_bounds_of_an_epidemic(policy: str, n: int) -> None:
    game = make("sis", horizon=4)
    pi = game.uniform_policy() if policy == "uniform" else np.tile([1.0, 0.0], (4, 2, 1))
    found = FinitePopulation(game, n).lower_bound(pi, games=6000, seed=1)
    own, deviation = earned(game, pi, np.array([pi, found.deviation]), n)
    best = true_gap(game, pi, n)
    assert found.method == "lower bound (6000 games)"
    assert found.low <= deviation - own <= found.high
    assert deviation - own <= best + 1e-12
    # the deviation is a good one
    assert deviation - own == pytest.approx(best, abs=0.01)
    assert found.high - found.low < 0.05


@pytest.mark.parametrize("n", [2, 5])
def test_simulated_gains_are_those_of_enumeration_where_rewards_see_actions(n: int) -> None:
    game = replace(GAMES["actions"], terminal=lambda mu: mu[..., ::-1] ** 2)
    pi, deviation = np.random.default_rng(3).dirichlet(np.ones(2), (2, 2, 2))
    want = np.diff(earned(game, pi, np.array([pi, deviation]), n))[0]
    found = FinitePopulation(game, n).gain(pi, deviation, games=20_000, seed=0)
    assert found.low < want < found.high
    assert 0 < found.high - found.low < 0.1


def test_actions_of_all_agents_are_sampled() -> None:
    found = FinitePopulation(make("rock-paper-scissors"), 2).lower_bound(ALIKE, games=20_000)
    assert found.low < 1 / 6 < found.high
    assert found.high - found.low > 0.01


def test_conforming_gains_nothing() -> None:
    game = make("sis")
    pi = game.uniform_policy()
    assert not gains(game, 30, pi, pi[None], 50, np.random.default_rng(0)).any()


def test_a_lower_bound_of_many_agents_is_the_exploitability() -> None:
    game = make("sis", horizon=10)
    pi = game.uniform_policy()
    found = FinitePopulation(game, 20_000).lower_bound(pi, games=1000)
    assert found.low - 0.01 < game.exploitability(pi) < found.high + 0.01


def test_gaps_fall_as_1_over_n() -> None:
    found = convergence(make("left-right"), AT_TWO_THIRDS, [10, 30, 100])
    assert found.slope == pytest.approx(-1, abs=1e-6)
    assert (found.low, found.high, found.reason) == (found.slope, found.slope, "")


def test_gaps_that_rise_to_the_limit_have_a_slope() -> None:
    game = make("garnet", states=4, horizon=3)
    found = convergence(game, game.uniform_policy(), [2, 3, 5, 10, 30])
    gaps = [row.gap for row in found.rows]
    assert gaps == pytest.approx([1.2155, 1.2196, 1.2229, 1.2254, 1.2271], abs=5e-5)
    assert found.limit > max(gaps)
    assert found.slope == pytest.approx(-1, abs=0.02)


def test_estimated_gaps_have_a_slope_with_an_interval() -> None:
    game = make("left-right")
    # the same transitions, as if they followed the population
    unknown = replace(game, kernel=moving(np.zeros((1, 2, 1), np.int64), lambda t, mu: np.ones((*mu.shape, 2, 1))))
    found = convergence(unknown, AT_TWO_THIRDS, [2, 4, 8], games=20_000)
    assert not any(row.exact for row in found.rows)
    assert found.low < -1 < found.high
    assert 0.05 < found.high - found.low < 0.5


def test_there_is_no_slope_without_a_difference() -> None:
    game = make("sis", horizon=3)
    few = convergence(game, game.uniform_policy(), [400, 800], games=30, seed=1)
    assert np.isnan(few.slope)
    assert few.reason == "N = 400, 800: not told apart from the limit"
    # rewards that see nobody
    alone = replace(crowded(), reward=lambda t, mu: np.broadcast_to([[0.0, 1.0], [0.3, 0.0]], (*mu.shape, 2)))
    assert convergence(alone, alone.uniform_policy(), [2, 3]).reason.startswith("N = 2, 3: not told apart")
    assert convergence(game, game.uniform_policy(), [5], games=30).reason == "fewer than 2 numbers of agents"


def test_what_is_refused() -> None:
    sis = make("sis", horizon=2)
    pi = sis.uniform_policy()
    with pytest.raises(ValueError, match=r"sis: no exact gap of N agents, transitions see the population"):
        FinitePopulation(sis, 5).gap(pi)
    with pytest.raises(ValueError, match=r"inventory-market: no exact gap of 2 agents, .* rewards to sum; want 5e\+07"):
        FinitePopulation(market := make("inventory-market"), 2).gap(market.uniform_policy())
    for number in (1, 2.5, float("nan")):
        with pytest.raises(ValueError, match=f"sis: {number} agents; want a whole number, 2 or more"):
            FinitePopulation(sis, number)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="FinitePopulation of a CoupledMFG; want a FiniteMFG"):
        FinitePopulation(make("predator-prey"), 5)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="sis: 1 games; want 2 or more"):
        FinitePopulation(sis, 5).lower_bound(pi, games=1)
    with pytest.raises(ValueError, match=r"sis: the policy has shape \(3, 2, 2, 2\); want one policy"):
        FinitePopulation(sis, 5).lower_bound(np.array([pi] * 3))
