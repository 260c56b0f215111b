"""Batches that users give to `update` are refused by side, field and row; the agent is then as it was."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from mfmarl.errors import UserError
from mfmarl.imitation import interactive
from mfmarl.imitation.airl import AIRLAgent
from mfmarl.imitation.bc import BCAgent
from mfmarl.imitation.checked_batches import checked_batch
from mfmarl.imitation.demonstrations import Transitions
from mfmarl.imitation.gail import GAILAgent
from mfmarl.imitation.maxent_agent import MaxEntIRLAgent
from mfmarl.imitation.spaces import Spaces
from mfmarl.imitation.steps import Steps

CONFIG = {"state_dim": 2, "action_dim": 2, "hidden_dims": (4,)}
EYE = np.eye(2, dtype=np.float32)


def good(n: int = 3) -> Transitions:
    return Transitions(EYE[np.arange(n) % 2], np.arange(n) % 2, EYE[np.arange(n) % 2], np.zeros(n, bool))


def with_(**fields: Any) -> Transitions:
    return Transitions(**(vars(good()) | fields))


NAN = np.full((3, 2), np.nan, np.float32)
WRONG: list[tuple[Any, str]] = [
    (with_(states=NAN), "states have NaN or infinity in row 0"),
    (with_(states=np.zeros((3, 5), np.float32)), r"states have shape \(3, 5\); want \(n, 2\)"),
    (with_(actions=np.array([0, 5, 1])), "actions go from 0 to 5; want 0 to 1"),
    (with_(actions=np.array([0, -1, 1])), "actions go from -1 to 1; want 0 to 1"),
    (with_(actions=np.array([0, 0.5, 1])), "actions have 0.5 in row 1; want whole numbers"),
    (with_(next_states=NAN), "next_states have NaN or infinity in row 0"),
    (with_(next_states=EYE), r"next_states have shape \(2, 2\); want \(3, 2\)"),
    (with_(terminated=np.zeros(2, bool)), r"terminated have shape \(2,\); want \(3,\)"),
    ((EYE, np.zeros(2, int)), "is a tuple; want Transitions"),
    (interactive.Steps(*[EYE] * 8), r"is a mfmarl\.imitation\.interactive\.Steps; want Transitions"),
]


@pytest.mark.parametrize("side", ["policy_batch", "expert_batch"])
@pytest.mark.parametrize(("batch", "message"), WRONG)
def test_a_wrong_batch_is_told(batch: Any, message: str, side: str) -> None:
    batches = {"policy_batch": good(), "expert_batch": good()} | {side: batch}
    for kind in (GAILAgent, AIRLAgent):
        agent = kind(CONFIG)
        before = [p.clone() for p in agent.discriminator.parameters()]
        with pytest.raises(UserError, match=f"update: {side}:? {message}"):
            agent.update(**batches)
        assert all(map(torch.equal, before, agent.discriminator.parameters()))
    own = np.full((2, 2, 2), 0.5)
    agent = MaxEntIRLAgent({"state_dim": 2, "action_dim": 2}, transitions=own, start=np.array([1.0, 0.0]))
    with pytest.raises(UserError, match=f"update: {side}:? {message}"):
        agent.update(**batches)
    assert not agent.theta.any()


def test_steps_are_checked_as_transitions_are_and_keep_their_log_probabilities() -> None:
    steps = Steps.of(good())
    same = checked_batch(Spaces(2, 2), steps, "policy_batch")
    assert same.log_prob is steps.log_prob
    assert torch.equal(same.states, steps.states)
    steps.states[1, 0] = float("nan")
    with pytest.raises(UserError, match="policy_batch: states have NaN or infinity in row 1"):
        GAILAgent(CONFIG).update(steps, Steps.of(good()))


def test_tables_are_updated_by_transitions_alone() -> None:
    agent = MaxEntIRLAgent({"state_dim": 2, "action_dim": 2}, transitions=np.full((2, 2, 2), 0.5), start=EYE[0])
    with pytest.raises(UserError, match=r"policy_batch is a mfmarl\.imitation\.steps\.Steps; want Transitions$"):
        agent.update(Steps.of(good()), good())  # type: ignore[arg-type]
    with pytest.raises(UserError, match=r"expert_batch is a mfmarl\.imitation\.steps\.Steps; want Transitions$"):
        agent.update(good(), Steps.of(good()))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1, np.nan, 1], "weights have NaN or infinity in row 1"),
        ([1, 1], r"weights have shape \(2,\); want \(3,\)"),
        ([1, -1, 1], "weights go from -1.0 to 1.0; want 0 or more"),
        ([0, 0, 0], "weights go from 0.0 to 0.0"),
    ],
)
def test_wrong_weights_are_told(weights: list[float], message: str) -> None:
    with pytest.raises(UserError, match=message):
        BCAgent(CONFIG).update(good().states, good().actions, weights)
