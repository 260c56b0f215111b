"""Deviators in a frozen population: what they see, what they are paid, who plays the rest."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import envs
from envs.check import BrokenEnvironment, check, check_members
from envs.population import PopulationEnv, Step
from mfmarl.deviation import CLOCK, EDGE, DeviationEnv, Potential, Units, clock, some_deviators, whole_type
from mfmarl.players import constant_player, reference_player
from mfmarl.yardstick import Play, Player

COPIES = 4


def market(copies: int = COPIES, **options: Any) -> PopulationEnv:
    return envs.make("inventory/market-easy", num_envs=copies, num_agents=12, seed=0, horizon=6, **options)


def dilemma(copies: int = COPIES) -> PopulationEnv:
    return envs.make("games/prisoners-dilemma", num_envs=copies, num_agents=5, seed=0, horizon=3)


def deviation(inner: PopulationEnv, player: Player, who: str = "one", kind: int = 0, **options: Any) -> DeviationEnv:
    places = some_deviators(inner, kind) if who == "one" else whole_type(inner, kind)
    return DeviationEnv(inner, player, places, seed=7, **options)


@pytest.mark.parametrize("who", ["one", "type"])
def test_it_keeps_the_protocol(who: str) -> None:
    width = 29 + CLOCK
    potential = Potential(np.linspace(-1, 1, width), np.ones(6), 0.99)
    units = Units(np.full(width, 0.5, np.float32), np.full(width, 0.25, np.float32), potential)

    def make() -> DeviationEnv:
        inner = market()
        # the same agent in all copies, which `check` takes to be alike
        places = whole_type(inner, 1) if who == "type" else whole_type(inner, 1)[:, :1]
        return DeviationEnv(inner, reference_player("base_stock", 0.99), places, seed=7, units=units)

    check(make, episodes=2)


def test_one_shot_games_keep_the_protocol() -> None:
    check(lambda: deviation(dilemma(), constant_player(0)), episodes=2)


def test_an_agent_may_be_alone_only_where_it_has_no_neighbours() -> None:
    env = deviation(dilemma(), constant_player(0))
    check_members(env)
    env.neighbours = None
    with pytest.raises(BrokenEnvironment, match="4 copies of 1 agents; 1 and 2 are the least"):
        check_members(env)


def test_a_deviator_among_cooperators_is_paid_the_temptation() -> None:
    env = deviation(dilemma(), constant_player(0))
    env.reset(1)
    step = env.step(np.array([[0], [1], [1], [0]]))
    np.testing.assert_array_equal(step.reward[:, 0], [3, 5, 5, 3])
    np.testing.assert_array_equal(env.stay().reward, np.full((COPIES, 1), 3))


def test_it_sees_its_own_observation_the_others_and_the_time() -> None:
    env = deviation(dilemma(), constant_player(0))
    step = env.reset(1)
    # one signal that is always there, nobody has played, t = 0
    np.testing.assert_array_equal(step.obs[0, 0], [1, 0, 0, *clock(0, 3)])
    for t in (1, 2):
        step = env.step(np.ones((COPIES, 1), np.int64))
        np.testing.assert_allclose(step.obs[0, 0], [1, 1, 0, *clock(t, 3)], rtol=1e-6)
        assert not step.terminated.any()
    step = env.step(np.ones((COPIES, 1), np.int64))
    assert step.terminated.all()
    assert not step.truncated.any()
    assert step.final_obs is not None
    assert step.final_obs[0, 0, -1] == 1
    np.testing.assert_array_equal(step.obs[0, 0], [1, 0, 0, *clock(0, 3)])


def test_the_clock_tells_the_first_and_the_last_periods_apart() -> None:
    told = np.stack([clock(t, 52) for t in range(53)])
    np.testing.assert_array_equal(told[:, :EDGE], np.eye(53, EDGE))
    # the last period first, and nothing where the game is over
    np.testing.assert_array_equal(told[51::-1, EDGE:-1], np.eye(52, EDGE))
    assert not told[52, :-1].any()
    np.testing.assert_allclose(told[:, -1], np.arange(53) / 52, rtol=1e-6)


def test_units_are_those_that_were_asked_for() -> None:
    edges = np.zeros(CLOCK - 1)
    centre = np.array([1, 0, 0, *edges, 0.5], np.float32)
    scale = np.array([1, 1, 1, *(edges + 1), 0.25], np.float32)
    # what is seen: 1, then the shares of cooperators and defectors in the period before, which the potential weighs so
    slope = np.array([0, 8, 16, *edges, 0])
    env = deviation(
        dilemma(), constant_player(0), units=Units(centre, scale, Potential(slope, np.array([1.0, 2, 4]), 0.5))
    )
    np.testing.assert_array_equal(env.reset(1).obs[0, 0], [0, 0, 0, *clock(0, 3)[:-1], -2])
    # 5 for the one who defects among four cooperators; the potentials are 1, 2 + 8 (the others' shares), 4 + 8, 0
    earned = [float(env.step(np.ones((COPIES, 1), int)).reward[0, 0]) for _ in range(3)]
    assert earned == [5 + 0.5 * 10 - 1, 5 + 0.5 * 12 - 10, 5 - 12]
    assert env.observation_space.low[-1] == -2
    assert env.observation_space.high[-1] == 2


def test_a_potential_takes_the_same_off_every_return() -> None:
    """Its worth at the start, so that it moves no best response (Ng, Harada and Russell 1999, theorem 1)."""
    width, discount = 29 + CLOCK, 0.9
    rng = np.random.default_rng(0)
    potential = Potential(rng.normal(size=width), rng.normal(size=6), discount)
    units = Units(np.zeros(width, np.float32), np.ones(width, np.float32), potential)
    totals = []
    for given in (None, units):
        inner = market()
        env = DeviationEnv(inner, reference_player("base_stock", 0.99), some_deviators(inner, 1), seed=7, units=given)
        start, draws, total = env.reset(7).obs, np.random.default_rng(1), np.zeros((env.num_envs, 1))
        for t in range(env.horizon):
            actions = draws.integers(11, size=(env.num_envs, 1))
            total += discount**t * env.step(actions).reward
        totals.append(total)
    np.testing.assert_allclose(totals[1], totals[0] - potential.of(start, 0), rtol=1e-4)


def test_units_of_another_horizon_are_refused() -> None:
    width = 3 + CLOCK
    units = Units(np.zeros(width, np.float32), np.ones(width, np.float32), Potential(np.zeros(width), np.zeros(4), 0.9))
    with pytest.raises(ValueError, match="the potential is of 4 periods, the game has 3"):
        deviation(dilemma(), constant_player(0), units=units)


class Watched:
    """Records the actions that a game is given."""

    def __init__(self, inner: PopulationEnv) -> None:
        self.inner, self.seen = inner, list[NDArray[Any]]()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def step(self, actions: NDArray[Any]) -> Step:
        self.seen.append(actions.copy())
        return self.inner.step(actions)


@pytest.mark.parametrize("who", ["one", "type"])
def test_everyone_else_plays_the_profile(who: str) -> None:
    drawn: list[NDArray[Any]] = []

    def player(env: PopulationEnv, seed: int) -> Play:
        play = reference_player("random", 0.99)(env, seed)

        def noted(step: Step) -> NDArray[Any]:
            drawn.append(play(step))
            return drawn[-1].copy()

        return noted

    watched = Watched(market())
    env = deviation(watched, player, who, 2)
    env.reset(3)
    mine = np.zeros((COPIES, env.num_agents), np.int64)
    env.step(mine)
    env.stay()
    rows = np.arange(COPIES)[:, None]
    joint = drawn[0].copy()
    joint[rows, env.places] = 0
    np.testing.assert_array_equal(watched.seen[0], joint)
    np.testing.assert_array_equal(watched.seen[1], drawn[1])
    assert (np.asarray(watched.agent_types)[env.places] == 2).all()


def test_staying_and_playing_what_the_profile_plays_are_one() -> None:
    stays, plays = (deviation(market(), constant_player(4), kind=1) for _ in range(2))
    stays.reset(5), plays.reset(5)
    for _ in range(8):
        want, got = stays.stay(), plays.step(np.full((COPIES, 1), 4))
        np.testing.assert_array_equal(want.reward, got.reward)
        np.testing.assert_array_equal(want.obs, got.obs)


def test_deviators_meet_the_same_draws_of_everyone_else_whatever_they_play() -> None:
    """Random play looks at nothing, so the others' mean action differs by nothing."""
    means = []
    for action in (0, 10):
        env = deviation(market(), reference_player("random", 0.99), kind=1)
        step = env.reset(5)
        seen = []
        for _ in range(5):
            step = env.step(np.full((COPIES, 1), action))
            seen.append(step.obs[..., 18:29])
        means.append(np.stack(seen))
    assert means[0].std() > 0
    np.testing.assert_array_equal(*means)


def test_a_state_goes_on_bit_for_bit_with_a_profile_that_draws() -> None:
    def make() -> DeviationEnv:
        return deviation(market(), reference_player("random", 0.99), kind=1)

    rng = np.random.default_rng(0)
    env, other = make(), make()
    env.reset(5), other.reset(6)
    for _ in range(9):
        env.step(rng.integers(11, size=(COPIES, 1)))
    env.stay()
    other.set_state(env.get_state())
    for _ in range(7):
        actions = rng.integers(11, size=(COPIES, 1))
        want, got = env.step(actions), other.step(actions)
        for name in ("obs", "reward", "terminated"):
            np.testing.assert_array_equal(getattr(want, name), getattr(got, name))


def test_deviators_take_turns_over_the_agents_of_their_type() -> None:
    inner = market()
    first = some_deviators(inner, 1)[:, 0]
    agents = np.flatnonzero(np.asarray(inner.agent_types) == 1)
    np.testing.assert_array_equal(first, agents[:COPIES])
    np.testing.assert_array_equal(some_deviators(inner, 1, first=agents.size - 1)[:2, 0], [agents[-1], agents[0]])
    np.testing.assert_array_equal(some_deviators(inner, 1, 2)[:2], [agents[:2], agents[2:4]])
    with pytest.raises(ValueError, match=r"9 deviators of type supermarket, which has \d agents"):
        some_deviators(inner, 1, 9)


def test_bad_deviators_are_told() -> None:
    inner, player = market(), constant_player(0)
    with pytest.raises(ValueError, match=r"types \['convenience', 'discounter'\]; train one type at a time"):
        DeviationEnv(inner, player, np.array([[0], [11], [0], [0]]), seed=0)
    with pytest.raises(ValueError, match=r"shape \(2, 1\); want copies x deviators, 4 x n"):
        DeviationEnv(inner, player, np.zeros((2, 1), np.int64), seed=0)
    env = deviation(inner, player)
    with pytest.raises(ValueError, match=r"actions have shape \(4, 2\); want \(4, 1\)"):
        env.step(np.zeros((4, 2), np.int64))
    with pytest.raises(ValueError, match="not of a DeviationEnv"):
        env.set_state(inner.get_state())


class Restless(Watched):
    """A game that says that it has another horizon than it has."""

    def __init__(self, inner: PopulationEnv, horizon: int | None) -> None:
        super().__init__(inner)
        self.horizon = horizon


def test_a_game_must_end_at_the_horizon_that_it_has() -> None:
    with pytest.raises(ValueError, match="has no horizon"):
        deviation(Restless(dilemma(), None), constant_player(0))
    late, early = (deviation(Restless(dilemma(), horizon), constant_player(0)) for horizon in (4, 2))
    with pytest.raises(ValueError, match="go on at the horizon 2"):
        early.stay(), early.stay()
    with pytest.raises(ValueError, match="end before the horizon 4"):
        late.stay(), late.stay(), late.stay()
