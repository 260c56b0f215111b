"""Episodes: as many as asked, of the right lengths, drawn from the game's occupancy; experts' samples."""

from __future__ import annotations

import numpy as np
import pytest

from envs import UnknownName
from envs.markov import BadPolicy, MarkovGame, coordination, play, zero_sum
from envs.markov.experts import (
    SHARES,
    coordination_joint,
    coordination_samples,
    zero_sum_policies,
    zero_sum_samples,
)
from tests.envs.markov.given import random_game, random_profile


@pytest.mark.parametrize("episodes", [1, 2, 10, 200, 5000])
@pytest.mark.parametrize("game", [coordination(), zero_sum(), zero_sum(0.99)], ids=lambda game: game.name)
def test_as_many_episodes_as_asked(game: MarkovGame, episodes: int) -> None:
    """A published implementation plays about 10 where 200 were asked."""
    found = play(game, game.joint_policy(game.uniform_policies()), episodes, np.random.default_rng(episodes))
    assert len(found.lengths) == episodes
    assert found.lengths.min() >= 1
    assert found.lengths.sum() == len(found.states) == len(found.actions)
    begins = found.lengths.cumsum() - found.lengths
    assert (found.states[begins] == 0).all()
    if game.horizon == "one_step":
        assert (found.lengths == 1).all()


def test_lengths_are_geometric() -> None:
    """Mean 1 / (1 - discount) = 10, P(length = 1) = .1; within four standard errors of 20,000 episodes."""
    game = zero_sum()
    found = play(game, game.joint_policy(game.uniform_policies()), 20_000, np.random.default_rng(1))
    assert abs(found.lengths.mean() - 10) < 4 * np.sqrt(90 / 20_000)
    assert abs((found.lengths == 1).mean() - 0.1) < 4 * np.sqrt(0.09 / 20_000)


def test_every_step_is_one_of_the_game() -> None:
    game = random_game(np.random.default_rng(2), 6, (2, 3), 0.9)
    profile = random_profile(np.random.default_rng(3), game)
    profile[1][:, 0] = 0
    profile[1] /= profile[1].sum(1, keepdims=True)
    found = play(game, game.joint_policy(profile), 2000, np.random.default_rng(4))
    inside = np.ones(len(found.states), bool)
    inside[found.lengths.cumsum() - 1] = False
    (now,) = np.nonzero(inside)
    assert (game.transitions[found.states[now], *found.actions[now].T, found.states[now + 1]] > 0).all()
    assert (found.actions[:, 1] > 0).all()


def test_steps_are_drawn_from_the_occupancy_and_returns_from_the_value() -> None:
    game = random_game(np.random.default_rng(5), 6, (2, 3), 0.9)
    profile = random_profile(np.random.default_rng(6), game)
    found = play(game, game.joint_policy(profile), 40_000, np.random.default_rng(7))
    exact = game.occupancy(profile)
    np.testing.assert_allclose(found.occupancy(game).joint, exact.joint, atol=0.005)
    np.testing.assert_allclose(found.occupancy(game).states, exact.states, atol=0.01)
    returns = found.returns(game)
    assert returns.shape == (40_000, 2)
    error = returns.std(0) / np.sqrt(40_000)
    assert (np.abs(returns.mean(0) - game.values(profile)) < 4 * error).all()


def test_the_same_seed_plays_the_same() -> None:
    game = zero_sum()
    joint = game.joint_policy(game.uniform_policies())
    one, two, other = (play(game, joint, 50, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.states, two.states)
    np.testing.assert_array_equal(one.actions, two.actions)
    assert one.lengths.tolist() != other.lengths.tolist()


def test_correlated_play() -> None:
    found = play(coordination(), coordination_joint("bimodal"), 1000, np.random.default_rng(0))
    assert (found.actions[:, 0] == found.actions[:, 1]).all()
    assert 400 < found.actions[:, 0].sum() < 600


@pytest.mark.parametrize(
    ("expert", "counts"),
    [("bimodal", [500, 0, 0, 500]), ("asymmetric", [700, 0, 0, 300]), ("all_AA", [1000, 0, 0, 0])],
)
def test_experts_of_coordination(expert: str, counts: list[int]) -> None:
    found = coordination_samples(expert)
    assert np.bincount(found @ [2, 1], minlength=4).tolist() == counts
    np.testing.assert_allclose(np.array(counts).reshape(2, 2) / 1000, coordination_joint(expert)[0])


def test_random_experts_of_coordination() -> None:
    noisy = np.bincount(coordination_samples("noisy") @ [2, 1], minlength=4)
    assert (noisy[0], noisy[3], noisy[1] + noisy[2]) == (450, 450, 100)
    assert 30 < noisy[1] < 70
    mixed = np.bincount(coordination_samples("mixed") @ [2, 1], minlength=4)
    assert mixed.sum() == 1000
    assert (np.abs(mixed - 250) < 60).all()
    np.testing.assert_array_equal(coordination_samples("noisy"), coordination_samples("noisy", 1000, 0))
    assert (coordination_samples("noisy") != coordination_samples("noisy", expert_seed=1)).any()
    assert all(coordination_joint(expert).sum() == pytest.approx(1) for expert in SHARES)


def test_experts_that_there_are_not() -> None:
    with pytest.raises(UnknownName, match="unknown expert of the coordination game 'bimodel': did you mean 'bimodal'"):
        coordination_samples("bimodel")
    with pytest.raises(ValueError, match=r"15 samples of bimodal, whose shares are .*: want whole numbers of each"):
        coordination_samples("bimodal", 15)
    with pytest.raises(ValueError, match="samples of the coordination game is 0; want a whole number, 1 or more"):
        coordination_samples("mixed", 0)
    with pytest.raises(ValueError, match="expert_action is 3; zero-sum has actions 0 to 2"):
        zero_sum_policies(zero_sum(), 3)


def test_the_expert_of_the_zero_sum_game() -> None:
    game = zero_sum()
    found = zero_sum_samples(game)
    assert len(found.states) == len(found.actions) == found.lengths.sum() == 1000
    assert (found.actions == 2).all()
    assert set(found.states.tolist()) == {0, 2, 3}
    assert 60 < len(found.lengths) < 140
    np.testing.assert_allclose(
        game.occupancy(zero_sum_policies(game)).states, [0.1, 0, 0.09, 0.81, 0, 0, 0], atol=1e-12
    )


def test_cut_after_so_many_steps() -> None:
    game = zero_sum()
    whole = play(game, game.joint_policy(game.uniform_policies()), 20, np.random.default_rng(0))
    for steps in (1, int(whole.lengths[0]), len(whole.states) - 1, len(whole.states)):
        cut = whole.first(steps)
        assert len(cut.states) == cut.lengths.sum() == steps
        assert cut.lengths.min() >= 1
    with pytest.raises(ValueError, match="want 1 or more, and no more than there are"):
        whole.first(len(whole.states) + 1)


def test_what_cannot_be_played() -> None:
    game = zero_sum()
    joint = game.joint_policy(game.uniform_policies())
    for episodes in (0, -1, 2.5, True):
        with pytest.raises(ValueError, match=f"zero-sum: episodes is {episodes!r}; want a whole number, 1 or more"):
            play(game, joint, episodes, np.random.default_rng(0))  # type: ignore[arg-type]
    with pytest.raises(BadPolicy, match="want one"):
        play(game, np.stack([joint, joint]), 1, np.random.default_rng(0))
