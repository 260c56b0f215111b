"""Machine code: eight policies at a time, tables of transitions, logarithms, and what it refuses."""

from dataclasses import replace

import numpy as np
import pytest

from envs.compiled import compiled
from envs.logarithm import logarithm
from envs.mean_field import FiniteMFG, make
from envs.mean_field.batch import machine_code
from envs.mean_field.checks import BadPolicy
from envs.mean_field.games.crowd import beach_bar, crowd_1d
from envs.mean_field.tables import regular, tables, unpacked


def policies(game: FiniteMFG, number: int) -> np.ndarray:
    drawn = np.random.default_rng(0).exponential(size=(number, *game.shape)) * (game.uniform_policy() > 0)
    return np.asarray(drawn / drawn.sum(-1, keepdims=True))


@pytest.mark.parametrize("game", [crowd_1d(7, 4), beach_bar(6, 3)], ids=["as many arrivals everywhere", "not as many"])
def test_batches_of_any_size_have_the_games_own_exploitability(game: FiniteMFG) -> None:
    code = machine_code(game)
    pi = policies(game, 19)
    want = game.exploitability(pi)
    # below eight, eight, whole eights and what is left over
    for number in (1, 7, 8, 16, 19):
        np.testing.assert_allclose(code(pi[:number]), want[:number], rtol=0, atol=1e-11)
    np.testing.assert_allclose([code(one) for one in pi[:3]], want[:3], rtol=0, atol=1e-11)
    assert code(pi[:0]).shape == (0,)
    assert code(pi[:8].reshape(2, 4, *game.shape)).shape == (2, 4)


def test_a_masked_game_with_a_terminal_reward_eight_at_a_time() -> None:
    plain = make("linear-quadratic", reach=3, horizon=3)
    assert isinstance(plain, FiniteMFG)
    mask = np.random.default_rng(1).random(plain.shape[1:]) < 0.7
    mask[:, 0] = True
    game = replace(plain, name="masked", action_mask=mask)
    pi = policies(game, 9)
    np.testing.assert_allclose(machine_code(game)(pi), game.exploitability(pi), rtol=0, atol=1e-10)
    pi[3] = 1 / game.num_actions
    with pytest.raises(BadPolicy, match="masked: the policy plays action"):
        machine_code(game)(pi)


@pytest.mark.parametrize("wrong", [np.nan, -0.25, 0.5, np.inf])
@pytest.mark.parametrize("place", [0, 5, 7, 8, 10])
def test_a_wrong_row_is_found_wherever_it_stands_in_a_batch(wrong: float, place: int) -> None:
    game = crowd_1d(5, 3)
    pi = np.array(policies(game, 11))
    pi[place, 2, 4, 1] = wrong
    with pytest.raises(BadPolicy, match=rf"at \[{place}, 2, 4\]"):
        machine_code(game)(pi)


@pytest.mark.parametrize("shape", [(4, 5, 3), (3, 4, 3), (3, 5, 2), (5, 3), (8, 3, 5, 4)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(BadPolicy, match="has shape"):
        machine_code(crowd_1d(5, 3))(np.full(shape, 1 / shape[-1]))


def test_pairs_that_lead_to_the_same_are_one_landing() -> None:
    game = crowd_1d(6, 2)
    successors, prob = game.kernel.rows(0, game.initial)
    table = tables(2, game.initial, successors, prob, None, moves=False)
    initial, chances, arriving, landing, first, members, following, since, origin, place, mask = unpacked(
        table, *game.shape[1:], 3
    )
    np.testing.assert_array_equal(table[:3], [2, 6, 6])
    np.testing.assert_array_equal(initial, game.initial)
    # s + a, of six cells in a ring, and three ways to each
    assert (regular(first), regular(since)) == (3, 3)
    for d in range(6):
        s, a = np.divmod(members[first[d] : first[d + 1]].astype(int), 3)
        assert len(set((s + a - 1) % 6)) == 1
    for pair, d in enumerate(landing):
        np.testing.assert_array_equal(np.sort(following[3 * d : 3 * d + 3]), np.sort(successors.reshape(-1, 3)[pair]))
    np.testing.assert_array_equal(arriving, chances[place])
    np.testing.assert_array_equal(origin, place // 3)
    assert mask[:18].all()


def test_landings_with_other_probabilities_stay_apart() -> None:
    successors = np.zeros((2, 2, 2), np.int64)
    successors[..., 1] = 1
    prob = np.array([[[0.25, 0.75], [0.5, 0.5]], [[0.25, 0.75], [0.75, 0.25]]])
    table = tables(1, np.array([0.5, 0.5]), successors, prob, None, moves=False)
    assert table[2] == 3
    assert tables(1, np.array([0.5, 0.5]), successors, prob, None, moves=True)[2] == 4
    first = unpacked(table, 2, 2, 2)[4]
    assert regular(first) == 0


def test_logarithms_are_those_of_the_library_to_the_last_place() -> None:
    ln = compiled(logarithm)
    rng = np.random.default_rng(0)
    numbers = np.concatenate(
        [10.0 ** rng.uniform(-300, 300, 2000), rng.uniform(0.4, 2.5, 2000), [1.0, 1e-25, 2.0, 0.5]]
    )
    found = np.array([ln(float(x)) for x in numbers])
    np.testing.assert_allclose(found, np.log(numbers), rtol=3e-16, atol=5e-17)
    assert ln(1.0) == 0.0
