"""The answers that are called known: no agent gains by leaving them, by enumeration, and what is none is told apart."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import envs
from envs.one_shot import OneShotGame, expected_payoffs, gains, regret, settled
from envs.one_shot.congestion import Congestion, CongestionConfig, pure_split, symmetric_split, wardrop_split
from envs.one_shot.coordination import Coordination, CoordinationConfig, payoff_dominant, risk_dominant, threshold
from envs.one_shot.cournot import CournotConfig, CournotRules, between, mean_field_quantities, nash_quantities
from envs.one_shot.prisoners_dilemma import PrisonersDilemma, PrisonersDilemmaConfig
from envs.one_shot.rules import AnonymousRules

SMALL: dict[str, AnonymousRules] = {
    "coordination": Coordination(CoordinationConfig(), 4),
    "prisoners-dilemma": PrisonersDilemma(PrisonersDilemmaConfig(), 4),
    "congestion": Congestion(CongestionConfig(), 5),
    "cournot": CournotRules(CournotConfig(largest=6.0, grid_step=1.5), 4),
}


def of(*counts: list[int]) -> np.ndarray[Any, Any]:
    return np.array(counts, np.int64)


def counted(rules: AnonymousRules, actions: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """[K, A] of one profile of actions [N]."""
    found = np.zeros((rules.sizes.size, rules.num_actions), np.int64)
    np.add.at(found, (rules.agent_types, actions), 1)
    return found


def reward(rules: AnonymousRules, actions: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """[N], through the game itself."""
    counts = np.bincount(actions, minlength=rules.num_actions)[None].astype(float)
    return rules.rewards(actions[None], counts, np.zeros((1, actions.size), np.int64))[0]


@pytest.mark.parametrize("name", SMALL)
def test_gains_are_those_of_playing_it(name: str) -> None:
    rules, rng = SMALL[name], np.random.default_rng(0)
    for _ in range(20):
        actions = rng.integers(rules.num_actions, size=rules.num_agents)
        found = gains(rules.payoffs, counted(rules, actions))
        before = reward(rules, actions)
        for agent, other in itertools.product(range(rules.num_agents), range(rules.num_actions)):
            changed = actions.copy()
            changed[agent] = other
            gain = reward(rules, changed)[agent] - before[agent]
            assert found[rules.agent_types[agent], actions[agent], other] == pytest.approx(gain, abs=1e-12)


@pytest.mark.parametrize("name", SMALL)
def test_expected_payoffs_are_means_over_all_joint_actions(name: str) -> None:
    rules, rng = SMALL[name], np.random.default_rng(1)
    shares = rng.dirichlet(np.ones(rules.num_actions), rules.sizes.size)
    found = expected_payoffs(rules.payoffs, rules.sizes, shares)
    for k in range(rules.sizes.size):
        me = int(np.argmax(rules.agent_types == k))
        others = [j for j in range(rules.num_agents) if j != me]
        for action in range(rules.num_actions):
            mean = 0.0
            for theirs in itertools.product(range(rules.num_actions), repeat=len(others)):
                actions = np.full(rules.num_agents, action)
                actions[others] = theirs
                chance = np.prod([shares[rules.agent_types[j], a] for j, a in zip(others, theirs, strict=True)])
                mean += float(chance) * float(reward(rules, actions)[me])
            assert found[k, action] == pytest.approx(mean, abs=1e-10)


def pure(rules: AnonymousRules) -> set[tuple[int, ...]]:
    """All pure equilibria of a game of one type, as counts."""
    found = set()
    for actions in itertools.combinations_with_replacement(range(rules.num_actions), rules.num_agents):
        counts = counted(rules, np.array(actions))
        if gains(rules.payoffs, counts).max() <= 1e-12:
            found.add(tuple(counts[0].tolist()))
    return found


def test_coordination_has_two_pure_equilibria_and_the_dilemma_one() -> None:
    assert pure(SMALL["coordination"]) == {(4, 0), (0, 4)}
    assert pure(SMALL["prisoners-dilemma"]) == {(0, 4)}
    for name in ("coordination", "prisoners-dilemma"):
        rules = SMALL[name]
        for answer in rules.solution().answers.values():
            assert regret(rules.payoffs, rules.sizes, answer[:, 0]) == 0.0


def test_the_equilibrium_that_pays_more_is_the_riskier_one() -> None:
    config = CoordinationConfig()
    assert (payoff_dominant(config), risk_dominant(config)) == (0, 1)
    # 4 p + 0 = 3 p + 2 (1 - p) at two thirds, where both actions pay alike
    assert threshold(config) == pytest.approx(2 / 3)
    rules = SMALL["coordination"]
    mixed = expected_payoffs(rules.payoffs, rules.sizes, np.array([[2 / 3, 1 / 3]]))[0]
    assert mixed[0] == pytest.approx(mixed[1])
    safe = CoordinationConfig(both_first=9, first_alone=0, second_alone=1, both_second=2)
    assert (payoff_dominant(safe), risk_dominant(safe)) == (0, 0)


def test_defecting_pays_more_whatever_the_others_do() -> None:
    rules = PrisonersDilemma(PrisonersDilemmaConfig(), 20)
    for cooperating in range(1, 21):
        assert gains(rules.payoffs, of([cooperating, 20 - cooperating]))[0, 0, 1] > 0


def test_the_published_split_is_an_equilibrium_by_enumeration() -> None:
    free, slope = np.array([0.0, 0.25, 0.5]), np.array([2.0, 1.0, 1.0])
    np.testing.assert_allclose(wardrop_split(free, slope), [0.35, 0.45, 0.2], atol=1e-15)
    assert pure_split(free, slope, 20).tolist() == [7, 9, 4]
    rules = Congestion(CongestionConfig(), 20)
    assert tuple(pure_split(free, slope, 20)) in pure(rules)
    # all used delays are .7 there, so leaving costs slope / N
    found = gains(rules.payoffs, of([7, 9, 4]))[0]
    np.testing.assert_allclose(found - np.diag(np.diag(found)), [[0, -0.05, -0.05], [-0.1, 0, -0.05], [-0.1, -0.05, 0]])


@pytest.mark.parametrize("agents", [2, 5, 20, 1000])
def test_splits_are_equilibria_of_random_routes(agents: int) -> None:
    rng = np.random.default_rng(agents)
    unused = 0
    for _ in range(30):
        free, slope = rng.uniform(0, 2, 4), rng.uniform(0.1, 3, 4)
        rules = Congestion(CongestionConfig(free=tuple(free), slope=tuple(slope)), agents)
        assert gains(rules.payoffs, pure_split(free, slope, agents)[None]).max() <= 1e-12
        split = symmetric_split(free, slope, agents)
        assert split.sum() == pytest.approx(1)
        assert regret(rules.payoffs, rules.sizes, split[None])[0] == pytest.approx(0, abs=1e-12)
        unused += int((split == 0).sum())
        wardrop = wardrop_split(free, slope)
        delays = free + slope * wardrop
        assert delays[wardrop > 0].max() <= delays.min() + 1e-12
    assert unused > 10


def test_finite_populations_split_as_a_continuum_does_in_the_limit() -> None:
    free, slope = np.array([0.0, 0.25, 0.5]), np.array([2.0, 1.0, 1.0])
    apart = [np.abs(symmetric_split(free, slope, n) - wardrop_split(free, slope)).max() for n in (10, 100, 1000)]
    assert apart[0] / apart[1] == pytest.approx(11, rel=0.01)
    assert apart[2] < 1e-3


def test_cournot_on_the_grid_by_enumeration() -> None:
    rules = CournotRules(CournotConfig(), 20)
    # price 6, and phi + beta / N = 1, so q = price - c
    assert nash_quantities(rules.config, rules.sizes) == pytest.approx([5, 3])
    counts = np.zeros((2, 17), np.int64)
    counts[0, 10], counts[1, 6] = 10, 10
    assert rules.quantities[[10, 6]].tolist() == [5, 3]
    found = gains(rules.payoffs, counts)
    # the profit is a parabola of curvature phi + 2 beta / N: half a unit away costs .5 x 1.05 x .25
    assert found.max() == pytest.approx(0, abs=1e-12)
    assert found[0, 10, [9, 11]] == pytest.approx([-0.13125, -0.13125])
    answer = rules.solution().answers["nash"]
    np.testing.assert_allclose(answer[:, 0], counts / 10, atol=1e-12)


@pytest.mark.parametrize("agents", [2, 7, 30])
def test_play_that_settles_on_the_grid_is_within_its_resolution(agents: int) -> None:
    rules = CournotRules(CournotConfig(), agents)
    start = np.zeros((2, 17), np.int64)
    start[:, 0] = rules.sizes
    counts = settled(rules.payoffs, start)
    assert gains(rules.payoffs, counts).max() <= 1e-9
    assert counts.sum(1).tolist() == rules.sizes.tolist()
    solution = rules.solution()
    assert solution.solved_by((counts / rules.sizes[:, None])[:, None])


def test_mean_field_quantities_are_the_limit_of_many_sellers() -> None:
    config = CournotConfig()
    limit = mean_field_quantities(config, np.array([0.5, 0.5]))
    # qbar = 8 / 1.95, q = (10 - qbar - c) / .95
    assert limit == pytest.approx([(9 - 8 / 1.95) / 0.95, (7 - 8 / 1.95) / 0.95])
    near = nash_quantities(config, np.array([500_000, 500_000]))
    assert near == pytest.approx(limit, rel=1e-5)


def test_an_answer_off_the_grid_is_refused() -> None:
    with pytest.raises(ValueError, match="equilibrium quantity 5 is not on the grid: raise `largest`"):
        CournotRules(CournotConfig(largest=4.5), 20).solution()
    assert between(np.array([0.0, 0.5, 1.0]), 0.7).tolist() == pytest.approx([0, 0.6, 0.4])


def test_settling_says_where_it_does_not_end() -> None:
    def pennies(counts: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        # type 0 wants to play what most play, type 1 what the fewest do
        return np.stack([counts, -counts], -2)

    with pytest.raises(ValueError, match="still gains after 10 moves"):
        settled(pennies, of([1, 0], [1, 0]), 10)


def test_solutions_measure_distance_in_shares_or_units() -> None:
    solution = SMALL["coordination"].solution()
    profile = np.array([[[0.96, 0.04]]])
    assert solution.distances(profile) == {"first": pytest.approx(0.04), "second": pytest.approx(0.96)}
    assert solution.nearest(profile) == ("first", pytest.approx(0.04))
    assert solution.solved_by(profile)
    assert solution.solved_by(np.array([[[0.05, 0.95]]]))
    assert not solution.solved_by(np.array([[[0.06, 0.94]]]))
    market = CournotRules(CournotConfig(), 20).solution()
    # a quarter of a unit is half a step: type 0 on 5 and 5.5 alike
    off = market.answers["nash"].copy()
    off[0, 0, 10:12] = 0.5
    assert market.distances(off) == {"nash": pytest.approx(0.25)}
    assert market.solved_by(off)
    off[0, 0, 10:12] = 0.4, 0.6
    assert not market.solved_by(off)
    right = envs.make("games/identity", num_agents=4, seed=0)
    assert isinstance(right, OneShotGame)
    profile = right.solution().answers["right"].copy()
    profile[1, 0] = 0.25
    # type 1 is wrong at one signal of four, three times of four
    assert right.solution().distances(profile) == {"right": pytest.approx(0.1875)}


def test_profiles_that_are_none_are_refused() -> None:
    solution = SMALL["coordination"].solution()
    with pytest.raises(ValueError, match=r"shape \(1, 2\); want \(1, 1, 2\)"):
        solution.solved_by(np.array([[1.0, 0.0]]))
    with pytest.raises(ValueError, match=r"law over actions; got sums \[\[0\.98"):
        solution.solved_by(np.array([[[0.98, 0.0]]]))
