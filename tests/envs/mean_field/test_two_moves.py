"""Games whose transitions see the population's actions: what they are without that, and by hand with it."""

import numpy as np
import pytest

from envs.mean_field.checks import BadPolicy
from envs.mean_field.games.garnet import garnet
from envs.mean_field.two_moves import in_one_move, in_two_moves, two_moves


def test_where_transitions_see_states_alone_it_is_the_same_game() -> None:
    plain = garnet(states=4, horizon=3, pull=1.5)

    def law(t: int, L: np.ndarray) -> np.ndarray:
        found = np.zeros((*L.shape, 4))
        for place in np.ndindex(L.shape[:-2]):
            successors, prob = plain.kernel.rows(t, L[place].sum(-1))
            for s, a, k in np.ndindex(prob.shape):
                found[(*place, s, a, successors[s, a, k])] += prob[s, a, k]
        return found

    split = two_moves(
        name="split",
        horizon=3,
        initial=plain.initial,
        actions=plain.num_actions,
        reward=lambda t, L: plain.reward(t, L.sum(-1)),
        law=law,
    )
    pi = np.random.default_rng(0).dirichlet(np.ones(plain.num_actions), (5, 3, 4))
    spread = in_two_moves(pi)
    np.testing.assert_allclose(split.exploitability(spread), plain.exploitability(pi), atol=1e-12)
    np.testing.assert_allclose(split.flow(spread)[:, 0::2, :4], plain.flow(pi), atol=1e-13)
    np.testing.assert_array_equal(in_one_move(spread), pi)


def test_transitions_that_see_actions_by_hand() -> None:
    # one decision counts: action 1 leads to state 1 with probability L(0, 1), the share of those who take it
    def law(t: int, L: np.ndarray) -> np.ndarray:
        found = np.zeros((*L.shape, 2))
        found[..., 0] = 1.0
        found[..., 0, 1, :] = np.stack([1 - L[..., 0, 1], L[..., 0, 1]], -1)
        return found

    game = two_moves(
        name="rush",
        horizon=2,
        initial=np.array([1.0, 0.0]),
        actions=2,
        reward=lambda t, L: np.broadcast_to((t[:, None, None] == 1) * np.array([[0.0], [3.0]]), L.shape),
        law=law,
    )
    pi = np.full((2, 2, 2), 0.5)
    pi[0, 0] = 0.75, 0.25
    found = game.audit(in_two_moves(pi))
    # a quarter rushes and gets through with probability 1/4; state 1 pays 3
    assert found.value == pytest.approx(3 / 16, abs=1e-14)
    assert found.best_response_value == pytest.approx(3 / 4, abs=1e-14)


def test_another_shape_is_refused() -> None:
    with pytest.raises(BadPolicy, match=r"\(3, 6, 2\)"):
        in_one_move(np.zeros((3, 6, 2)))
