from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from mfmarl.errors import UserError
from mfmarl.imitation.dagger import DAggerAgent
from mfmarl.imitation.demonstrations import Demonstrations
from mfmarl.imitation.rollout import episodes, spaces_of
from tests.mfmarl.imitation.walk import LENGTH, Walk, expert

CONFIG = {"state_dim": 2, "action_dim": 2, "hidden_dims": (8,), "batch_size": 4, "updates": 5}


class Asked:
    """An expert who remembers what it was asked."""

    def __init__(self) -> None:
        self.states: list[NDArray[np.float32]] = []

    def __call__(self, states: NDArray[np.float32]) -> NDArray[np.int64]:
        self.states.extend(states)
        return expert(states)


def test_every_visited_state_is_labelled_counted_and_kept() -> None:
    asked = Asked()
    agent = DAggerAgent(CONFIG, Walk, asked)
    sizes = []
    result = agent.train(4 * LENGTH, lambda row: sizes.append((len(agent.states), row["queries"], row["interactions"])))
    assert sizes == [(n * LENGTH,) * 3 for n in (1, 2, 3, 4)]
    assert result.counts.queries == len(asked.states) == 4 * LENGTH
    np.testing.assert_array_equal(agent.states, np.array(asked.states))
    np.testing.assert_array_equal(agent.labels, expert(agent.states))


def test_the_budget_of_interactions_is_kept_to_the_step() -> None:
    agent = DAggerAgent({**CONFIG, "num_envs": 3}, Walk, expert)
    assert agent.train(10).counts.interactions == len(agent.states) == 10
    assert agent.train(12).counts.interactions == 12, "in all"
    assert agent.train(12).history == []


def test_no_environment_takes_a_step_that_nobody_chose() -> None:
    agent = DAggerAgent({**CONFIG, "num_envs": 3, "rollout": 4, "fresh": False}, Walk, expert)
    agent.train(4)
    assert sum(len(place.actions) for place in agent.places) == 4


def test_agents_that_were_saved_without_places_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    agent = DAggerAgent(CONFIG, Walk, expert)
    agent.train(LENGTH)
    arrays = {name: x for name, x in agent.arrays().items() if not name.startswith("environments")}
    monkeypatch.setattr(agent, "arrays", lambda: arrays)
    agent.save(tmp_path)
    again = DAggerAgent.load(tmp_path, env=Walk, expert=expert)
    assert again.places == []
    again.train(2 * LENGTH)


def test_beta_says_who_acts() -> None:
    def away(states: NDArray[np.float32]) -> NDArray[np.int64]:
        return np.zeros(len(states), np.int64)

    always = DAggerAgent({**CONFIG, "beta": "constant", "beta_end": 1.0}, Walk, away)
    steps = always._play(LENGTH)
    assert (np.diff(steps.states[:, 0]) < 0).all()
    half = DAggerAgent({**CONFIG, "beta": "constant", "beta_end": 0.5, "num_envs": 64}, Walk, away)
    # an untrained learner of one tie-breaking weight does the same everywhere here: only what the expert did is certain
    half.act = lambda states: np.ones(len(states), np.int64)  # type: ignore[method-assign]
    played = half._play(64 * LENGTH).actions
    assert abs((played == 0).mean() - 0.5) < 4 * 0.5 / np.sqrt(64 * LENGTH)


def test_the_schedule_follows_rounds() -> None:
    agent = DAggerAgent(CONFIG, Walk, expert)
    assert [row["beta"] for row in agent.train(3 * LENGTH).history] == pytest.approx([1, 0.95, 0.9025])


def test_demonstrations_are_the_first_labels() -> None:
    spaces = spaces_of(Walk)
    given = Demonstrations.from_episodes(episodes(Walk, expert, 2, 0), spaces)
    agent = DAggerAgent(CONFIG, Walk, expert, given)
    assert len(agent.states) == agent.counts.demonstrations == 2 * LENGTH
    counts = agent.train(LENGTH).counts
    assert counts.queries == LENGTH
    assert counts.updates == agent.learner.counts.updates == 2 * 5, "before the first round, and after it"
    assert len(agent.states) == 3 * LENGTH


def test_it_learns_what_the_expert_does() -> None:
    agent = DAggerAgent({**CONFIG, "updates": 100, "learning_rate": 0.03, "batch_size": 32}, Walk, expert)
    with pytest.warns(UserWarning, match="fewer than batch_size"):
        agent.train(10 * LENGTH)
    places = np.stack([np.linspace(-1, 1, 21), np.ones(21)], 1).astype(np.float32)
    assert (agent.act(places) == expert(places)).mean() > 0.9


def test_saved_training_goes_on_bit_for_bit(tmp_path: Path) -> None:
    config = {**CONFIG, "dropout": 0.1, "num_envs": 2}
    whole = DAggerAgent(config, Walk, expert, seed=3)
    killed: list[DAggerAgent] = []

    def save(row: dict[str, Any]) -> None:
        if row["round"] == 2:
            whole.save(tmp_path)
            killed.append(DAggerAgent.load(tmp_path, env=Walk, expert=expert))

    whole.train(5 * 2 * LENGTH, save)
    (again,) = killed
    again.train(5 * 2 * LENGTH)
    assert again.counts == whole.counts
    np.testing.assert_array_equal(again.states, whole.states)
    for a, b in zip(again.policy.parameters(), whole.policy.parameters(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (lambda s: np.zeros((len(s), 1), int), r"the expert gave actions of shape \(1, 1\).*want \(1,\)"),
        (lambda s: np.full(len(s), np.nan), "the expert gave NaN or infinity in state"),
        (lambda s: np.full(len(s), 2), "the expert gave actions 2 to 2; want 0 to 1"),
    ],
)
def test_wrong_answers_are_refused(answer: Any, told: str) -> None:
    with pytest.raises(UserError, match=told):
        DAggerAgent(CONFIG, Walk, answer).train(1)


def test_what_is_missing_is_named() -> None:
    with pytest.raises(UserError, match="interactions is -5; want 1 or more"):
        DAggerAgent(CONFIG, Walk, expert).train(-5)
    with pytest.raises(UserError, match=r"DAggerAgent\.train needs env="):
        DAggerAgent(CONFIG).train(1)
    with pytest.raises(UserError, match=r"DAggerAgent\.train needs expert="):
        DAggerAgent(CONFIG, Walk).train(1)
    with pytest.raises(UserError, match="the environment has 2 state entries, 2 actions; the agent 3 state entries"):
        DAggerAgent({**CONFIG, "state_dim": 3}, Walk, expert).train(1)
