import math

import numpy as np
import pytest

from mfmarl.imitation.demonstrations import Episode, Transitions
from mfmarl.imitation.judging import similarity
from mfmarl.imitation.maxent_agent import TabularPolicy
from mfmarl.imitation.metrics import (
    action_similarity,
    diversity,
    empirical_laws,
    measured,
    mmd,
    occupancy_rows,
    sliced_wasserstein,
    spread,
    visitation_distance,
)
from mfmarl.imitation.spaces import Spaces

NUMBERED, CONTINUOUS = Spaces(1, 3), Spaces(1, 1, (-2.0,), (2.0,))


def episode(states: list[float], actions: list[int], reward: float = 1.0) -> Episode:
    rows = np.array(states, np.float32)[:, None]
    return Episode(rows, np.array(actions), np.full(len(actions), reward), True, False)


def test_mmd_by_hand() -> None:
    # one row each at distance 1, bandwidth 1: 1 + 1 - 2 exp(-1/2)
    assert mmd([[0.0]], [[1.0]], bandwidth=1.0) == pytest.approx(math.sqrt(2 - 2 * math.exp(-0.5)))
    assert mmd([[0.0], [3.0]], [[3.0], [0.0]]) == pytest.approx(0, abs=1e-7)
    assert mmd([[1.0]], [[1.0]]) == 0


def test_sliced_wasserstein_of_a_shift_is_its_mean_projection() -> None:
    rows = np.random.default_rng(0).normal(size=(30, 2))
    found = sliced_wasserstein(rows, rows + np.array([3, 4]), np.random.default_rng(1), 4000)
    # |cos| of a random direction in the plane has mean 2 / pi
    assert found == pytest.approx(5 * 2 / math.pi, rel=0.03)
    assert sliced_wasserstein(rows[:, :1], rows[:, :1] + 2, np.random.default_rng(1)) == pytest.approx(2)


def test_visitation_distance_by_hand() -> None:
    # cells of the grid 0..10: the one has 1/2 and 1/2, the other 1/4 and 3/4
    one, other = [[0.0], [10.0]], [[0.0], [10.0], [9.5], [9.9]]
    assert visitation_distance(one, other) == pytest.approx(0.25)
    assert visitation_distance(one, one) == 0
    assert visitation_distance([[0.0]], [[1.0]]) == 1


def test_action_similarity_by_hand() -> None:
    assert action_similarity([0, 1, 2, 2], [0, 1, 1, 2], NUMBERED) == pytest.approx(0.75)
    assert action_similarity([[0.5, 0.5, 0]], [[0.2, 0.5, 0.3]], NUMBERED) == pytest.approx(0.7)
    assert action_similarity([[1.0], [0.0]], [[-1.0], [0.0]], CONTINUOUS) == pytest.approx(0.75)


def test_what_the_expert_never_varied_is_measured_by_both_sides() -> None:
    assert spread([[0, 1, 5], [2, 1, 5]], [[9, 4, 5], [9, 4, 5]]).tolist() == [1, 1.5, 1]
    tenths = np.full((7, 1), 0.1, np.float32)
    assert spread(tenths, tenths).tolist() == [1]
    # an expert that stays at 0, an imitator that once goes to 1: 2 of 3 states are 1 apart, in both sides' deviation
    still, moved = episode([0, 0, 0], [0, 0]), episode([0, 1, 1], [0, 0])
    found = measured([still, moved], [still, still], NUMBERED, 0)
    assert found.diversity == pytest.approx((2 / 3) / math.sqrt(1 / 8 - 1 / 64))
    assert found.expert_diversity == 0


def test_a_perfect_imitator_of_a_mixed_expert_is_as_near_as_the_expert() -> None:
    states, actions = np.eye(2, dtype=np.float32)[[0, 0, 0, 0, 1]], np.array([0, 1, 1, 1, 2])
    laws = np.array([[0.25, 0.75, 0], [0, 0, 1]])
    spaces = Spaces(2, 3)
    assert empirical_laws(states, actions, spaces).tolist() == laws[[0, 0, 0, 0, 1]].tolist()
    steps = Transitions(states, actions, states, np.zeros(5, bool))
    perfect, likeliest = TabularPolicy(laws), TabularPolicy(np.eye(3)[[1, 2]])
    assert similarity(perfect, steps, spaces) == pytest.approx(1)
    assert similarity(likeliest, steps, spaces) == pytest.approx(1 - 0.25 * 4 / 5)


def test_diversity_is_of_the_steps_that_both_last() -> None:
    one, other = episode([0, 2, 9], [0, 0]), episode([1, 4], [0])
    assert diversity([one, other], [1.0]) == pytest.approx(1.5)
    assert diversity([one, other], [0.5]) == pytest.approx(3)
    assert diversity([one], [1.0]) == diversity([one, one], [1.0]) == 0


def test_rows_of_an_occupancy() -> None:
    assert occupancy_rows([episode([2, 4, 6], [2, 0])], NUMBERED, [2.0]).tolist() == [[1, 0, 0, 1], [2, 1, 0, 0]]
    moved = Episode(np.ones((2, 1), np.float32), np.array([[1.0]]), np.zeros(1), True, False)
    assert occupancy_rows([moved], CONTINUOUS, [1.0]).tolist() == [[1, 0.5]]


def test_an_expert_against_itself_and_against_another() -> None:
    expert = [episode([0, 1, 2, 3], [0, 1, 0]), episode([1, 2, 3, 4], [0, 1, 0])]
    same = measured(expert, expert, NUMBERED, 0, success=3.0)
    assert (same.success, same.mmd, same.wasserstein, same.visitation) == (1.0, 0.0, 0.0, 0.0)
    assert same.diversity == same.expert_diversity > 0
    other = measured([episode([9, 9, 9], [2, 2]), expert[0]], expert, NUMBERED, 0, success=3.0)
    assert other.success == 0.5
    assert other.returns.tolist() == [2, 3]
    assert min(other.mmd, other.wasserstein, other.visitation) > 0.1
