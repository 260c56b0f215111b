"""The maze of the transfer benchmark, and what rewards are worth in it, by exact values."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.imitation_transfer import ACTIONS, CHANGED, REWARD, SEEN, STATES, best, measured, score
from mfmarl.imitation.soft_values import soft_values

TRUTH = np.repeat(REWARD[:, None], ACTIONS, 1)


def test_moves_are_laws_and_the_wall_has_one_gap() -> None:
    for P in (SEEN, *CHANGED.values()):
        np.testing.assert_allclose(P.sum(-1), 1.0, atol=1e-12)
    beyond = [(i, 1 + 5 * i, 2 + 5 * i) for i in range(5)]
    assert [i for i, here, there in beyond if SEEN[here, :, there].max() > 0] == [0]
    assert [i for i, here, there in beyond if CHANGED["gap moved"][here, :, there].max() > 0] == [4]


def test_scores_go_from_random_moves_to_the_best() -> None:
    for P in (SEEN, *CHANGED.values()):
        assert score(P, np.full((STATES, ACTIONS), 0.25)) == pytest.approx(0.0, abs=1e-12)
        assert score(P, best(P, TRUTH)) == pytest.approx(1.0, abs=1e-12)
        # neither a constant nor a scale changes what is best
        assert score(P, best(P, 0.1 * TRUTH - 7.0)) == pytest.approx(1.0, abs=1e-12)
    assert 0.5 < score(SEEN, soft_values(SEEN, REWARD, 0.9).pi) < 0.8


def test_maxent_irl_of_fifty_episodes_holds_in_every_maze() -> None:
    row = measured("MaxEnt IRL", 0, 0)
    assert [row[f"reward, {name}"] > 0.95 for name in ("as seen", *CHANGED)] == [True] * 3
    assert row["policy, moves reversed"] < 0
