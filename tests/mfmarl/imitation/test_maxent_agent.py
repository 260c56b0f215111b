"""MaxEnt IRL as an agent: tables of environments, the exact optimum, updates by hand, saving."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from mfmarl.errors import UserError
from mfmarl.imitation import MaxEntIRLAgent
from mfmarl.imitation.demonstrations import Demonstrations, Episode, Transitions
from mfmarl.imitation.expert_names import expert_of
from mfmarl.imitation.maxent_irl import feature_expectation, maxent_irl, state_features
from mfmarl.imitation.rollout import episodes, spaces_of
from mfmarl.imitation.soft_values import Array
from mfmarl.imitation.spaces import Spaces
from mfmarl.imitation.tabular_model import counted, expert_occupancy, model_of, optimal_actions

LAKE: dict[str, Any] = {"state_dim": 16, "action_dim": 4}


@pytest.fixture(scope="module")
def lake() -> Demonstrations:
    played = episodes("FrozenLake-v1", expert_of("optimal", "FrozenLake-v1", 0), 100, 0)
    return Demonstrations.from_episodes(played, spaces_of("FrozenLake-v1"), "FrozenLake-v1")


def walk(*states: int, terminated: bool = True) -> Episode:
    """Along states of three, by action 0."""
    rows = np.eye(3, dtype=np.float32)[list(states)]
    steps = len(states) - 1
    return Episode(rows, np.zeros(steps, np.int64), np.zeros(steps), terminated, not terminated)


def test_numbered_states_are_one_hot() -> None:
    assert spaces_of("FrozenLake-v1") == Spaces(16, 4)
    assert spaces_of("Blackjack-v1") == Spaces(32 + 11 + 2, 2), "parts of a tuple one after another"
    shown = episodes("CliffWalking-v1", lambda s: np.zeros(len(s), np.int64), 1, 0)[0]
    np.testing.assert_array_equal(shown.observations[0], np.eye(48)[36])
    assert (len(shown.actions), shown.truncated) == (1000, True), "up and up: gymnasium itself sets no limit"


@pytest.mark.parametrize("env", ["FrozenLake-v1", "CliffWalking-v1", "Taxi-v3"])
def test_tables_are_laws_and_ends_absorb(env: str) -> None:
    model = model_of(env)
    assert model is not None
    np.testing.assert_allclose(model.transitions.sum(-1), 1.0)
    assert model.start.sum() == pytest.approx(1.0)
    stays = (np.einsum("sas->sa", model.transitions) == 1).all(1)
    # holes and the goal; the goal alone; the passenger at each of four goals
    assert stays.sum() == {"FrozenLake-v1": 5, "CliffWalking-v1": 1, "Taxi-v3": 4}[env]


def test_what_has_no_table() -> None:
    assert model_of("CartPole-v1") is None


def test_the_best_policy_of_a_table() -> None:
    cliff = model_of("CliffWalking-v1")
    assert cliff is not None
    played = episodes("CliffWalking-v1", expert_of("optimal", "CliffWalking-v1", 0), 1, 0)[0]
    assert (played.rewards.sum(), played.terminated) == (-13.0, True), "along the edge"
    assert optimal_actions(cliff)[36] == 0, "up, from the start"
    lake = episodes("FrozenLake-v1", expert_of("optimal", "FrozenLake-v1", 0), 300, 0)
    assert np.mean([e.rewards.sum() for e in lake]) == pytest.approx(0.74, abs=0.08), (
        "the known optimum within 100 steps"
    )


def test_occupancy_of_demonstrations_by_hand() -> None:
    """0 -> 1 -> 2, over: .5, .25, and .25 for ever in 2; one that time cut is weighed by what was seen."""
    spaces = Spaces(3, 2)
    ended = Demonstrations.from_episodes([walk(0, 1, 2)], spaces)
    np.testing.assert_allclose(expert_occupancy(ended, 0.5), [[0.5, 0], [0.25, 0], [0.125, 0.125]])
    cut = Demonstrations.from_episodes([walk(0, 1, 2, terminated=False)], spaces)
    np.testing.assert_allclose(expert_occupancy(cut, 0.5), [[2 / 3, 0.0], [1 / 3, 0.0], [0.0, 0.0]])


def test_transitions_by_counting() -> None:
    shown = Demonstrations.from_episodes([walk(0, 1, 2), walk(0, 0, 1, 2)], Spaces(3, 2))
    model, unseen = counted(shown, None)
    np.testing.assert_allclose(model.transitions[0, 0], [1 / 3, 2 / 3, 0])
    np.testing.assert_allclose(model.transitions[:, 1], np.eye(3), err_msg="what was never done stays put")
    np.testing.assert_allclose(model.transitions[2, 0], [0, 0, 1])
    assert unseen == 2, "action 1 in 0 and 1; 2 is the end"
    np.testing.assert_allclose(model.start, [1, 0, 0])


def test_it_finds_what_newton_finds(lake: Demonstrations) -> None:
    """With every feature seen the optimum is one; weights decay by nothing, so both match to the tolerance."""
    model = model_of("FrozenLake-v1")
    assert model is not None
    phi = np.random.default_rng(0).normal(size=(16, 4, 3))
    agent = MaxEntIRLAgent({**LAKE, "weight_decay": 0.0, "tol": 1e-9}, "FrozenLake-v1", lake, phi=phi)
    result = agent.train(50)
    x = expert_occupancy(lake, 0.95)
    exact = maxent_irl(model.transitions, model.start, 0.95, phi, feature_expectation(x, phi))
    assert exact.matched
    np.testing.assert_allclose(agent.theta, exact.theta, atol=1e-5)
    assert result.history[-1]["mismatch"] < 1e-7
    np.testing.assert_allclose(agent.policy.log_pi.exp().numpy(), exact.policy, atol=1e-5)


def test_it_plays_the_lake_as_the_expert_does(lake: Demonstrations) -> None:
    agent = MaxEntIRLAgent(LAKE, "FrozenLake-v1", lake)
    result = agent.train(50)
    assert agent.ended
    assert result.history[-1]["mismatch"] < 0.02
    mean = np.mean([e.rewards.sum() for e in episodes("FrozenLake-v1", agent.policy.act, 100, 1)])
    assert mean > 0.6, "a random policy gets .015"
    assert agent.reward[15].max() > agent.reward[[5, 7, 11, 12]].max() + 10, "the goal pays, and holes do not"


def test_update_steps_along_the_difference_of_features() -> None:
    P = np.repeat(np.eye(3)[[1, 2, 2]][:, None], 2, 1)
    agent = MaxEntIRLAgent(
        {"state_dim": 3, "action_dim": 2, "learning_rate": 0.5, "weight_decay": 0.0},
        transitions=P, start=np.array([1.0, 0, 0]),
    )  # fmt: skip

    def at(*states: int) -> Transitions:
        rows = np.eye(3, dtype=np.float32)[list(states)]
        return Transitions(rows, np.zeros(len(states), np.int64), rows, np.zeros(len(states), bool))

    told = agent.update(at(0, 0), at(0, 1, 1, 1))
    assert told == {"mismatch": 0.75}
    np.testing.assert_allclose(agent.theta, [-0.375, 0.375, 0.0])
    assert agent.counts.updates == 1
    np.testing.assert_allclose(agent.policy.log_pi.exp(), 0.5), "states alone, and actions do the same"


@pytest.mark.parametrize("features", ["state", "action"])
def test_saved_training_goes_on_to_the_bit(features: str, lake: Demonstrations, tmp_path: Path) -> None:
    config = {**LAKE, "features": features, "round": 2}
    whole = MaxEntIRLAgent(config, "FrozenLake-v1", lake)

    def saving(row: dict[str, Any]) -> None:
        if row["updates"] == 2:
            whole.save(tmp_path)

    history = whole.train(5, callback=saving).history
    again = MaxEntIRLAgent.load(tmp_path, "FrozenLake-v1", lake)
    assert again.train(5).history == history[2:]
    np.testing.assert_array_equal(again.theta, whole.theta)


def test_transitions_that_are_not_known_are_counted(lake: Demonstrations, tmp_path: Path) -> None:
    class Hidden(gym.Wrapper[Any, Any, Any, Any]):
        @property
        def unwrapped(self) -> Any:
            return self

    def make() -> gym.Env[Any, Any]:
        return Hidden(gym.make("FrozenLake-v1", is_slippery=False))

    assert MaxEntIRLAgent(LAKE, make, lake).model is None
    agent = MaxEntIRLAgent(LAKE, make, lake)
    row = agent.train(1, interactions=4000).history[0]
    assert row["interactions"] == 4000
    assert agent.model is not None
    assert agent.model.transitions[0, 2, 1] > 0.5, "right of the start; demonstrations slip"
    agent.save(tmp_path)
    again = MaxEntIRLAgent.load(tmp_path, make, lake)
    assert again.model is not None
    np.testing.assert_array_equal(again.model.transitions, agent.model.transitions)


def bad(config: dict[str, Any], *given: Any, **more: Any) -> None:
    MaxEntIRLAgent(LAKE | config, *given, **more)


def test_too_few_steps_name_the_mend() -> None:
    played = episodes("FrozenLake-v1", expert_of("optimal", "FrozenLake-v1", 0), 2, 0)
    few = Demonstrations.from_episodes(played, spaces_of("FrozenLake-v1"), "FrozenLake-v1")
    told = r"^maxent_irl: soft values .* show more episodes, or set weight_decay higher, .* \(it is 0.0001\)$"
    with pytest.raises(UserError, match=told):
        MaxEntIRLAgent(LAKE, "FrozenLake-v1", few).train(20)
    assert MaxEntIRLAgent(LAKE | {"weight_decay": 1e-3}, "FrozenLake-v1", few).train(20).history[-1]["slope"] < 1e-5


def test_wrong_settings(lake: Demonstrations) -> None:
    with pytest.raises(UserError, match="discount: got 1"):
        bad({"discount": 1})
    with pytest.raises(UserError, match="hidden_dims"):
        bad({"hidden_dims": [8]})
    with pytest.raises(UserError, match="actions; these are continuous"):
        bad({"action_dim": 1, "low": [0], "high": [1]})
    with pytest.raises(UserError, match=r"want \(16, 4, 16\)"):
        bad({}, transitions=np.eye(16))
    with pytest.raises(UserError, match=r"start has shape None; want \(16,\)"):
        bad({}, transitions=_uniform())
    with pytest.raises(UserError, match=r"want \[16, 4, F\]"):
        bad({}, phi=np.zeros((3, 4, 1)))
    with pytest.raises(UserError, match=r"needs demonstrations="):
        MaxEntIRLAgent(LAKE).train()
    with pytest.raises(UserError, match="updates is 0; want 1 or more"):
        MaxEntIRLAgent(LAKE).train(0)
    with pytest.raises(UserError, match="no transitions are known"):
        MaxEntIRLAgent(LAKE).update(lake.transitions, lake.transitions)
    moving = Demonstrations.from_episodes(
        episodes("CartPole-v1", lambda s: np.ones(len(s), np.int64), 1, 0), Spaces(4, 2)
    )
    with pytest.raises(UserError, match="takes numbered states, one-hot"):
        MaxEntIRLAgent({"state_dim": 4, "action_dim": 2}, None, moving)


def _uniform() -> Array:
    return np.full((16, 4, 16), 1 / 16)


def test_state_features_are_those_of_the_function() -> None:
    agent = MaxEntIRLAgent({"state_dim": 3, "action_dim": 2})
    x = np.arange(6.0).reshape(3, 2) / 15
    np.testing.assert_allclose(agent.expectation(x), feature_expectation(x, state_features(3, 2)))
