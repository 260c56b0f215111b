"""Cloning by counting: what unseen states decide, by closed forms; K = gamma^2 / (1 - gamma) = 8.1."""

from __future__ import annotations

import numpy as np
import pytest

from envs.markov import MarkovGame, coordination, one_step, zero_sum
from envs.markov.experts import zero_sum_samples
from mfmarl.errors import UserError
from mfmarl.imitation.magail.cloning import FALLBACKS, cloned, worst_completion

GAME = zero_sum()
K = 8.1
S1 = 1


@pytest.mark.parametrize("samples", [1, 2, 5, 10, 1000])
@pytest.mark.parametrize(("fallback", "gap"), [("uniform", 0.0), ("first", K), ("worst", K)])
def test_exploitability_of_a_clone_is_its_fallbacks(samples: int, fallback: str, gap: float) -> None:
    seen = zero_sum_samples(GAME, 1000, 7).first(samples).counts(GAME)
    assert seen.sum() == samples
    policies = cloned(GAME, seen, fallback)  # type: ignore[arg-type]
    np.testing.assert_allclose(GAME.gaps(policies), [gap, gap], rtol=0, atol=1e-12)
    np.testing.assert_array_equal(np.stack(policies)[:, 0], [[0, 0, 1]] * 2)
    # what is played at s1 decides it
    p, q = (pi[S1] for pi in policies)
    assert K * abs(p[0] - p[1]) == pytest.approx(gap, abs=1e-12)
    assert K * abs(q[0] - q[1]) == pytest.approx(gap, abs=1e-12)
    assert GAME.values(policies).tolist() == [0.0, 0.0]


def test_worst_in_unseen_states_that_the_clone_comes_to() -> None:
    # experts who play (0, 0) come to s1, which one sample does not show: V = -8.1 there and BR = 8.1
    seen = zero_sum_samples(GAME, 1000, 0, expert_action=0)
    policies = cloned(GAME, seen.first(1).counts(GAME), "worst")
    assert GAME.exploitability(policies) == pytest.approx(2 * K, abs=1e-12)
    assert GAME.nash_conv(policies) == pytest.approx(2 * K, abs=1e-12)
    # no profile is worse: of 20,000 random completions none comes above
    rng = np.random.default_rng(0)
    others = [rng.dirichlet(np.full(3, 0.3), (20_000, 7)) for _ in range(2)]
    for pi, other in zip(policies, others, strict=True):
        other[:, 0] = pi[0]
    assert 0.8 * 2 * K < GAME.exploitability(others).max() <= 2 * K + 1e-9
    # with all samples X1 is known: V = 8.1, and the second player gains 16.2 from nothing but the first's (0, .)
    for fallback in FALLBACKS:
        gaps = GAME.gaps(cloned(GAME, seen.counts(GAME), fallback))
        np.testing.assert_allclose(gaps, np.array([0, 2 * K]), rtol=0, atol=1e-12)


def test_each_agent_has_its_own_frequencies_in_a_batch() -> None:
    seen = np.array([[[[3, 1], [0, 0]]], [[[0, 0], [0, 0]]]])
    game = coordination()
    first, second = cloned(game, seen, "uniform")
    np.testing.assert_allclose(first[:, 0], np.array([[1, 0], [0.5, 0.5]]))
    np.testing.assert_allclose(second[:, 0], np.array([[0.75, 0.25], [0.5, 0.5]]))
    assert cloned(game, seen, "first")[1][1, 0].tolist() == [1, 0]
    worst = cloned(game, seen, "worst")
    # (A, B) or (B, A): each would gain 1
    np.testing.assert_allclose(game.gaps(worst)[1], [1, 1])
    np.testing.assert_allclose(worst[1][0], second[0])


def test_bad_input_is_refused() -> None:
    seen = np.zeros((7, 3, 3))
    with pytest.raises(UserError, match=r"have shape \(7, 3\); want"):
        cloned(GAME, seen[..., 0])
    with pytest.raises(UserError, match="0 or more"):
        cloned(GAME, seen - 1)
    with pytest.raises(UserError, match="fallback is 'best'; want uniform, first, worst"):
        cloned(GAME, seen, "best")  # type: ignore[arg-type]
    with pytest.raises(UserError, match="of 2 agents only; got 3"):
        worst_completion(one_step(np.zeros((3, 2, 2, 2))), np.zeros((1, 2, 2, 2)))
    rng = np.random.default_rng(0)
    large = MarkovGame(
        transitions=rng.dirichlet(np.ones(9), (9, 4, 4)), rewards=np.zeros((2, 9)), start=np.eye(9)[0], discount=0.5
    )
    with pytest.raises(UserError, match="comes to 8 unseen states of 16 joint actions"):
        cloned(large, np.eye(9)[0][:, None, None] * np.ones((9, 4, 4)), "worst")


def test_what_was_demonstrated_is_played_where_the_clone_does_not_come() -> None:
    # pooled with demonstrations of other starts: s1 was seen, and play from s0 does not come there
    game = zero_sum()
    seen = np.zeros((7, 3, 3))
    seen[0, 2, 2], seen[1, 2, 2], seen[2:4, 2, 2] = 5, 4, 3
    worst = cloned(game, seen, "worst")
    for policy in worst:
        assert policy[1].tolist() == [0, 0, 1]
    assert game.exploitability(worst) == pytest.approx(0, abs=1e-12)
