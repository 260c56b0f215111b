from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from benchmarks.imitation_safety import Watched
from mfmarl.errors import UserError
from mfmarl.imitation.mega_dagger.safety_filter import (
    SafetyFilterAgent,
    accepted,
    accepted_runs,
    least_barrier,
    without_conflicts,
)
from tests.mfmarl.imitation.walk import LENGTH, Walk, expert

CONFIG = {"state_dim": 2, "action_dim": 2, "hidden_dims": (8,), "batch_size": 4, "updates": 5}


def inside(states: NDArray[np.float32]) -> NDArray[np.float32]:
    """Safe within .6 of 0."""
    return 0.6 - np.abs(states[:, 0])


def away(states: NDArray[np.float32]) -> NDArray[np.int64]:
    return 1 - expert(states)


def test_the_condition_by_hand() -> None:
    # from h = 1 it may fall to .1 * 1 - .1 = 0, from 0 to -.1
    assert accepted([1, 1, 0, 0], [0.001, -0.01, -0.1, -0.11], 0.9, 0.1).tolist() == [True, False, True, False]


def test_the_bound_by_hand() -> None:
    # half of what was there less .1, twice: 1 -> .4 -> .1
    assert least_barrier(1.0, [0, 1, 2], 0.5, 0.1) == pytest.approx([1, 0.4, 0.1])


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.floats(-3, 3), min_size=2, max_size=30),
    st.floats(0.05, 1.0),
    st.floats(0.0, 0.5),
)
def test_the_bound_holds_along_accepted_steps(h: list[float], eta: float, slack: float) -> None:
    values, start = np.array(h), 0
    for t, passed in enumerate(accepted(values[:-1], values[1:], eta, slack), start=1):
        if not passed:
            start = t
        steps = np.arange(t - start + 1)
        assert (values[start : t + 1] >= least_barrier(values[start], steps, eta, slack) - 1e-9).all()


def test_of_conflicting_neighbours_the_best_stays() -> None:
    states = np.array([[0.0], [0.01], [0.02], [1.0], [1.01]])
    actions = np.array([0, 1, 0, 1, 1])
    # the second beats the first and third, which do not contradict each other; the last two agree
    assert without_conflicts(states, actions, [1, 2, 0, 0, 0], 0.05, np.zeros(0)).tolist() == [0, 1, 0, 1, 1]
    # a row that has itself lost displaces none: the third beats the second, and so the first stays
    assert without_conflicts(states, actions, [1, 2, 3, 0, 0], 0.05, np.zeros(0)).tolist() == [1, 0, 1, 1, 1]
    assert without_conflicts(states, actions, [1, 2, 3, 0, 0], 0.001, np.zeros(0)).all()
    near = np.array([[0.0], [0.05]])
    assert without_conflicts(states[:2], near, [0, 1], 0.05, np.array([0.1])).all()
    assert without_conflicts(states[:2], 10 * near, [0, 1], 0.05, np.array([0.1])).tolist() == [False, True]


def test_only_takeovers_that_pass_the_filter_are_recorded() -> None:
    config = {**CONFIG, "takeover": 0.2, "release": 0.3, "num_envs": 4, "slack": 0.05, "eta": 0.2}
    agent = SafetyFilterAgent(config, Walk, [expert, away], barrier=inside)
    recorded: list[tuple[int, float]] = []
    agent.train(8 * 4 * LENGTH, lambda row: recorded.append((row["round"], row["rejected"])))
    # the second expert leads out of what is safe; the first is rejected only where it swings across 0
    assert sum(n for i, n in recorded if i % 2 == 0) > sum(n for i, n in recorded if i % 2)
    moved = agent.states.copy()
    moved[:, 0] += 0.25 * (2 * agent.labels - 1)
    assert accepted(inside(agent.states), inside(moved), 0.2, 0.05 + 1e-6).all()


def test_the_bound_holds_along_every_accepted_trajectory() -> None:
    config = {**CONFIG, "takeover": 0.5, "release": 0.6, "num_envs": 4, "slack": 0.05, "eta": 0.4}
    agent = Watched(config, Walk, [expert, away], barrier=inside)
    agent.train(8 * 4 * LENGTH)
    lengths, rejected = [], 0
    for steps in agent.played:
        h, after = agent.h(steps.states), agent.h(steps.next_states)
        passed = steps.asked & accepted(h, after, 0.4, 0.05)
        rejected += int((steps.asked & ~passed).sum())
        runs = accepted_runs(steps, passed)
        assert sorted(i for run in runs for i in run) == np.flatnonzero(passed).tolist()
        for run in runs:
            np.testing.assert_array_equal(steps.states[run[1:]], steps.next_states[run[:-1]])
            along = np.append(h[run], after[run[-1]])
            assert (along >= least_barrier(along[0], np.arange(len(along)), 0.4, 0.05) - 1e-6).all()
            lengths.append(len(run))
    assert max(lengths) > 2
    assert rejected


def test_experts_are_asked_only_where_the_gate_hands_over() -> None:
    agent = SafetyFilterAgent({**CONFIG, "takeover": -9.0, "release": -9.0}, Walk, [expert], barrier=inside)
    rows = agent.train(3 * LENGTH).history
    # nothing was labelled before the first round, so there the expert acts
    assert [row["asked"] for row in rows] == [LENGTH, 0, 0]


def test_labels_given_by_hand_stay_whatever_is_recorded_later() -> None:
    config = {**CONFIG, "radius": 9.0, "takeover": 1.0, "release": 1.0, "slack": 9.0}
    agent = SafetyFilterAgent(config, Walk, [expert], barrier=inside)
    given = np.array([[-0.5, 1.0], [-0.3, 1.0]], np.float32)
    # the wrong way, and all is within one radius: steps to the right contradict both
    agent.update(given, away(given))
    assert agent.scores.tolist() == [np.inf, np.inf]
    assert agent.train(2 * LENGTH).history[-1]["labelled"] == len(agent.states) == len(agent.scores)
    np.testing.assert_array_equal(agent.states[:2], given)
    assert set(agent.labels.tolist()) == {0}


def test_saved_training_goes_on_bit_for_bit(tmp_path: Path) -> None:
    config = {**CONFIG, "takeover": 0.3, "release": 0.4}
    whole = SafetyFilterAgent(config, Walk, [expert, away], barrier=inside, seed=1)
    whole.train(3 * LENGTH)
    whole.save(tmp_path)
    again = SafetyFilterAgent.load(tmp_path, env=Walk, experts=[expert, away], barrier=inside)
    for agent in (whole, again):
        agent.train(6 * LENGTH)
    np.testing.assert_array_equal(whole.scores, again.scores)
    for a, b in zip(whole.policy.parameters(), again.policy.parameters(), strict=True):
        assert torch.equal(a, b)


def test_wrong_settings_are_refused() -> None:
    with pytest.raises(UserError, match=r"release is -1\.0; want at least takeover, 0\.0"):
        SafetyFilterAgent({**CONFIG, "release": -1.0}, barrier=inside)
    with pytest.raises(UserError, match=r"SafetyFilterAgent\.train needs experts"):
        SafetyFilterAgent(CONFIG, Walk, barrier=inside).train(1)
