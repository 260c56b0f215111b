"""Demonstrations are refused where anything in them is wrong, by episode and field, and cut without losing a step."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mfmarl.errors import UserError
from mfmarl.imitation.absorbing import Ends
from mfmarl.imitation.airl import AIRLAgent
from mfmarl.imitation.bc import BCAgent
from mfmarl.imitation.dagger import DAggerAgent
from mfmarl.imitation.demonstrations import ARRAYS, Demonstrations, Episode
from mfmarl.imitation.gail import GAILAgent
from mfmarl.imitation.labels import checked_steps
from mfmarl.imitation.maxent_agent import MaxEntIRLAgent
from mfmarl.imitation.minari_files import write_minari
from mfmarl.imitation.spaces import Spaces
from mfmarl.imitation.tabular_model import expert_occupancy

SPACES = Spaces(2, 3)
LENGTHS = (4, 1, 6)
"""Of the episodes of `shown`: the first ends the task, the others are cut by time."""


def episode(length: int, first: int = 0, terminated: bool = False) -> Episode:
    """Its t-th state is (first + t, first + t)."""
    states = np.repeat(np.arange(first, first + length + 1, dtype=np.float32)[:, None], 2, 1)
    return Episode(states, np.arange(length) % 3, np.arange(length, dtype=float), terminated, not terminated)


def shown() -> Demonstrations:
    return Demonstrations.from_episodes([episode(n, 100 * i, not i) for i, n in enumerate(LENGTHS)], SPACES)


def with_value(values: Any, row: int, value: Any) -> Any:
    found = np.asarray(values, float if np.asarray(values).dtype.kind != "f" else None).copy()
    found[row] = value
    return found


# the first steps of episodes are 0, 4 and 5; their first observations 0, 5 and 7
WRONG: list[tuple[str, Any, str]] = [
    ("actions", lambda x: with_value(x, 6, np.nan), "episode 2 has NaN or infinity in actions at step 1"),
    ("actions", lambda x: with_value(x, 4, 1.6), "episode 1 has 1.6 in actions at step 0; want whole numbers"),
    ("actions", lambda x: with_value(x, 3, 1e30), "episode 0 has 1e+30 in actions at step 3; want whole numbers"),
    ("actions", lambda x: with_value(x, 3, 5), "episode 0 has action 5 at step 3; want 0 to 2"),
    ("actions", lambda x: x.astype(str), "actions are of type <U21; want numbers"),
    ("observations", lambda x: with_value(x, 5, np.inf), "episode 1 has NaN or infinity in observations at step 0"),
    ("observations", lambda x: x.astype(float) * 1e38, "episode 0 has 4e+38 in observations at step 4; want 3.4e+38"),
    ("observations", lambda x: np.float32(1), "observations have shape (); want (14, 2)"),
    ("rewards", lambda x: with_value(x, 10, np.nan), "episode 2 has NaN or infinity in rewards at step 5"),
    ("lengths", lambda x: with_value(x, 2, np.nan), "episode 2 has NaN or infinity in lengths"),
    ("lengths", lambda x: x + 0.9, "episode 0 has 4.9 in lengths; want whole numbers"),
    ("lengths", lambda x: x[:, None], "lengths have shape (3, 1); want (episodes,)"),
    ("lengths", lambda x: np.array([4, 0, 7]), "episode 1 has no step"),
    ("terminated", lambda x: with_value(x, 1, np.nan), "episode 1 has NaN or infinity in terminated"),
    ("truncated", lambda x: with_value(x, 2, 2), "episode 2 has 2.0 in truncated; want 0 or 1"),
    ("terminated", lambda x: np.zeros(11, bool), "terminated have shape (11,); want (3,) for 3 episodes of 11 steps"),
]


@pytest.mark.parametrize(("name", "change", "message"), WRONG)
def test_a_file_that_is_wrong_is_told_by_episode_and_field(
    name: str, change: Any, message: str, tmp_path: Path
) -> None:
    arrays = {key: getattr(shown(), key) for key in ARRAYS}
    np.savez(tmp_path / "bad.npz", **(arrays | {name: change(arrays[name])}))
    with pytest.raises(UserError) as told:
        Demonstrations.from_npz(tmp_path / "bad.npz", SPACES)
    assert message in str(told.value)
    assert str(tmp_path / "bad.npz") in str(told.value)


@pytest.mark.parametrize("name", ["observations", "actions"])
def test_arrays_without_axes_are_told_where_spaces_are_to_be_found(name: str, tmp_path: Path) -> None:
    arrays: dict[str, Any] = {key: getattr(shown(), key) for key in ARRAYS}
    np.savez(tmp_path / "bad.npz", **(arrays | {name: np.float32(1)}))
    with pytest.raises(UserError, match=rf"{name} have shape \(\); want"):
        Demonstrations.from_npz(tmp_path / "bad.npz")


def test_a_file_of_another_schema_is_refused(tmp_path: Path) -> None:
    shown().to_npz(tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz") as file:
        found = dict(file)
    about = json.loads(bytes(found["about"])) | {"schema": 99}
    np.savez(tmp_path / "b.npz", **(found | {"about": np.frombuffer(json.dumps(about).encode(), np.uint8)}))
    with pytest.raises(UserError, match=r"b\.npz: has schema 99; want 1"):
        Demonstrations.from_npz(tmp_path / "b.npz")


def test_whole_numbers_as_floats_and_flags_as_numbers_are_taken(tmp_path: Path) -> None:
    arrays = {name: getattr(shown(), name).astype(float) for name in ARRAYS}
    np.savez(tmp_path / "floats.npz", **arrays)
    found = Demonstrations.from_npz(tmp_path / "floats.npz", SPACES)
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(found, name), getattr(shown(), name))
        assert getattr(found, name).dtype == getattr(shown(), name).dtype


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"actions": np.array([0, 1, np.nan])}, "episode 1 has NaN or infinity in actions at step 2"),
        ({"actions": [0, 1.6, 1]}, "episode 1 has 1.6 in actions at step 1; want whole numbers"),
        ({"actions": [[0], [1, 1], [1]]}, "episode 1 has actions of unequal lengths"),
        ({"actions": np.zeros(())}, r"episode 1 has actions of shape \(\)"),
        ({"observations": np.zeros((4, 3))}, r"episode 1 has observations of shape \(4, 3\)"),
        ({"observations": np.zeros((3, 2))}, "episode 1 has 3 actions and 3 observations; want 4"),
        ({"rewards": [0, 0, np.inf]}, "episode 1 has NaN or infinity in rewards at step 2"),
        ({"rewards": [None, 1, 2]}, "episode 1 has rewards of type object"),
        ({"terminated": np.zeros(3, bool)}, r"episode 1 has terminated \[False, False, False\]; want one flag"),
        ({"truncated": np.nan}, "episode 1 has truncated nan; want one flag"),
    ],
)
def test_an_episode_that_is_wrong_is_told_by_number_and_field(change: dict[str, Any], message: str) -> None:
    good = vars(episode(3))
    with pytest.raises(UserError, match=message):
        Demonstrations.from_episodes([episode(2), Episode(**(good | change))], SPACES)


def test_episodes_of_lists_are_taken() -> None:
    lists = [
        Episode(*(x.tolist() if isinstance(x, np.ndarray) else x for x in vars(shown()[i]).values())) for i in range(3)
    ]
    found = Demonstrations.from_episodes(lists, SPACES)
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(found, name), getattr(shown(), name))


def test_a_recording_that_was_stopped_counts_as_cut_by_time_and_an_end_in_the_last_step_as_an_end() -> None:
    stopped, both = (Episode(**(vars(episode(3)) | {"terminated": end, "truncated": end})) for end in (False, True))
    found = Demonstrations.from_episodes([stopped, both], SPACES)
    assert found.terminated.tolist() == [False, True]
    assert found.truncated.tolist() == [True, True]
    assert found.transitions.terminated.tolist() == [False] * 5 + [True]


@pytest.mark.parametrize(
    ("states", "actions", "message"),
    [
        (np.zeros((2, 2)), [0.7, 1], "actions have 0.7 in row 0; want whole numbers"),
        (np.zeros((2, 2)), [0, np.nan], "actions have NaN or infinity in row 1"),
        ([[0, 0], [0, 1e39]], [0, 1], "states have 1e\\+39 in row 1"),
        ([[0, 0], [0]], [0, 1], "states are of unequal lengths"),
        (np.zeros((2, 2)), ["a", "b"], "actions are of type <U1; want numbers"),
    ],
)
def test_labelled_states_that_are_wrong_are_told(states: Any, actions: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        checked_steps(SPACES, states, actions)


def test_a_split_has_each_episode_once_and_whole() -> None:
    whole = shown()
    one, other = whole.split(2 / 3, np.random.default_rng(0))
    assert (len(one), len(other)) == (2, 1)
    found = {int(e.observations[0, 0]): e for part in (one, other) for e in (part[i] for i in range(len(part)))}
    for i in range(3):
        for name, value in vars(whole[i]).items():
            np.testing.assert_array_equal(getattr(found[100 * i], name), value)
    with pytest.raises(UserError, match="leaves one side empty"):
        whole.split(0.1, np.random.default_rng(0))


@pytest.mark.parametrize("every", [1, 2, 3, 7])
def test_a_subsample_is_every_kth_step_of_each_episode_from_a_drawn_one_on(every: int) -> None:
    found = shown().subsample(every, np.random.default_rng(5))
    starts = np.random.default_rng(5).integers(0, every, 3)
    want = [
        100 * i + t
        for i, length in enumerate(LENGTHS)
        for t in range(min(starts[i], length - 1), length, every)
    ]  # fmt: skip
    steps, ages = found.transitions, [x % 100 for x in want]
    assert steps.states[:, 0].tolist() == want
    assert steps.next_states[:, 0].tolist() == [x + 1 for x in want]
    assert steps.actions.tolist() == [x % 3 for x in ages]
    assert steps.terminated.tolist() == [x == 3 for x in want]
    assert found.ages.tolist() == ages
    assert found.steps == len(want)
    assert Ends.of(found) == Ends(11, 1)
    with pytest.raises(UserError, match=f"takes whole episodes; of these {len(want)} of 11 steps are kept"):
        found.subsample(2, np.random.default_rng(0))


def test_a_subsample_is_stored_and_split_as_one(tmp_path: Path) -> None:
    found = shown().subsample(2, np.random.default_rng(5))
    found.to_npz(tmp_path / "some.npz")
    np.testing.assert_array_equal(
        Demonstrations.from_npz(tmp_path / "some.npz").transitions.states, found.transitions.states
    )
    turned = found.chosen([2, 0]).transitions.states[:, 0]
    states = found.transitions.states[:, 0]
    assert turned.tolist() == [*states[states >= 200], *states[states < 100]]
    with pytest.raises(UserError, match="takes whole episodes"):
        write_minari(found, tmp_path, "some/steps-v0")
    with pytest.raises(UserError, match="every is 0"):
        shown().subsample(0, np.random.default_rng(0))


@pytest.mark.parametrize("agent", [BCAgent, GAILAgent, AIRLAgent, DAggerAgent])
def test_learners_take_a_subsample(agent: Any) -> None:
    found = shown().subsample(2, np.random.default_rng(5))
    config = {"state_dim": 2, "action_dim": 3, "hidden_dims": (4,)}
    assert agent(config, demonstrations=found).counts.demonstrations == found.steps


def test_a_subsample_has_the_occupancy_of_the_whole_on_average_and_its_ends() -> None:
    spaces, rows = Spaces(3, 1), np.eye(3, dtype=np.float32)
    walk = Episode(rows[[0, 1, 0, 1, 2]], np.zeros(4, np.int64), np.zeros(4), True, False)
    whole = Demonstrations.from_episodes([walk], spaces)
    halves = [expert_occupancy(replace(whole, kept=np.array(kept)), 0.5) for kept in ([0, 2], [1, 3])]
    # steps weigh 1/2, 1/4, 1/8, 1/16, each standing for two; the endless stay in state 2 weighs 1/16 as in the whole
    np.testing.assert_allclose(halves[0].ravel(), np.array([1.25, 0, 0.0625]) / 1.3125)
    np.testing.assert_allclose(halves[1].ravel(), np.array([0, 0.625, 0.0625]) / 0.6875)
    np.testing.assert_allclose(expert_occupancy(whole, 0.5).ravel(), [0.625, 0.3125, 0.0625])
    agent = MaxEntIRLAgent({"state_dim": 3, "action_dim": 1}, None, replace(whole, kept=np.array([0, 2])))
    assert agent.train(1).counts.demonstrations == 2
