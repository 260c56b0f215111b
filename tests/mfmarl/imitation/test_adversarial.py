"""GAIL and AIRL as a whole: stabilisers act, training resumes to the bit, ends and lengths are reported."""

from __future__ import annotations

import math
import warnings
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from mfmarl.errors import UserError
from mfmarl.imitation.absorbing import Ends
from mfmarl.imitation.adversarial_agent import AdversarialAgent
from mfmarl.imitation.airl import AIRLAgent
from mfmarl.imitation.demonstrations import Demonstrations
from mfmarl.imitation.discriminator import reward_of
from mfmarl.imitation.ended import Ended, lengths_apart
from mfmarl.imitation.gail import GAILAgent
from mfmarl.imitation.rollout import Collector, Rollout, episodes, spaces_of
from mfmarl.imitation.steps import Steps
from mfmarl.imitation.survival import survival_probe

CARTPOLE: dict[str, Any] = {"state_dim": 4, "action_dim": 2, "hidden_dims": (16,), "num_envs": 2, "rollout": 32}
PENDULUM: dict[str, Any] = {**CARTPOLE, "state_dim": 3, "action_dim": 1, "low": (-2.0,), "high": (2.0,)}
METHODS = (GAILAgent, AIRLAgent)
Method = type[AdversarialAgent[Any]]


def upright(states: NDArray[np.float32]) -> NDArray[np.int64]:
    """Balances the pole for ever."""
    pushes: NDArray[np.int64] = (states @ np.array([0.05, 0.3, 3.0, 1.0]) > 0).astype(np.int64)
    return pushes


def still(states: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.zeros((len(states), 1), np.float32)


@pytest.fixture(scope="module")
def balanced() -> Demonstrations:
    return Demonstrations.from_episodes(episodes("CartPole-v1", upright, 2, 0), spaces_of("CartPole-v1"), "CartPole-v1")


@pytest.fixture(scope="module")
def hanging() -> Demonstrations:
    return Demonstrations.from_episodes(episodes("Pendulum-v1", still, 1, 0), spaces_of("Pendulum-v1"), "Pendulum-v1")


def batch(number: int, seed: int) -> Steps:
    """Steps that two seeds tell apart by their mean."""
    generator = torch.Generator().manual_seed(seed)
    states = torch.randn(number, 4, generator=generator) + seed
    ended = torch.rand(number, generator=generator) < 0.1
    actions = torch.randint(2, (number,), generator=generator)
    return Steps(states, actions, states + 0.1, ended, torch.full((number,), -0.7))


def after_updates(method: Method, steps: int = 1, **config: Any) -> Tensor:
    """The weights after some of them."""
    agent = method(CARTPOLE | config)
    for _ in range(steps):
        agent.update(batch(32, 0), batch(32, 1))
    return torch.cat([p.detach().flatten() for p in agent.discriminator.parameters()])


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"gradient_penalty": 0.0}, {"gradient_penalty": 10.0}),
        ({"discriminator_lr": 1e-3}, {"discriminator_lr": 1e-2}),
        ({"label_noise": 0.0}, {"label_noise": 0.2}),
        ({"dropout": 0.0}, {"dropout": 0.5}),
        ({"weight_decay": 0.0}, {"weight_decay": 0.1}),
    ],
    ids=lambda setting: next(iter(setting)) if isinstance(setting, dict) else None,
)
def test_stabilisers_change_a_step(method: Method, one: dict[str, Any], other: dict[str, Any]) -> None:
    # Adam's first step has the size of the rate whatever the slope, so a second one is taken
    assert torch.equal(after_updates(method, 2, **one), after_updates(method, 2, **one))
    assert not torch.allclose(after_updates(method, 2, **one), after_updates(method, 2, **other))


def test_the_gradient_penalty_pulls_slopes_to_1() -> None:
    for start in (1.0, 20.0):
        agent = GAILAgent(CARTPOLE | {"discriminator_lr": 1e-2, "gradient_penalty": 100.0})
        with torch.no_grad():
            agent.discriminator.net[-1].weight.mul_(start)
        before, *_, after = (agent.update(batch(64, 0), batch(64, 1))["gradient_penalty"] for _ in range(60))
        assert after < before / 4


def test_spectral_norm_holds_every_layer_at_1() -> None:
    agent = GAILAgent(CARTPOLE | {"use_spectral_norm": True, "discriminator_lr": 0.1, "gradient_penalty": 0.0})
    free = GAILAgent(CARTPOLE | {"discriminator_lr": 0.1, "gradient_penalty": 0.0})
    for _ in range(20):
        agent.update(batch(64, 0), batch(64, 1))
        free.update(batch(64, 0), batch(64, 1))
    assert largest(agent) == pytest.approx([1.0, 1.0], abs=0.05)
    assert min(largest(free)) > 2.0


def largest(agent: GAILAgent) -> list[float]:
    """The largest singular value of each layer."""
    layers = [layer for layer in agent.discriminator.net if hasattr(layer, "weight")]
    return [float(torch.linalg.matrix_norm(layer.weight.detach(), 2)) for layer in layers]


def test_dropout_is_of_training_alone() -> None:
    agent = GAILAgent(CARTPOLE | {"dropout": 0.5})
    assert torch.equal(agent.reward(batch(8, 0)), agent.reward(batch(8, 0)))


def test_weight_decay_shrinks_weights() -> None:
    free, decayed = (after_updates(GAILAgent, 50, weight_decay=w, discriminator_lr=0.01) for w in (0.0, 1.0))
    assert decayed.norm() < free.norm() / 2


def test_several_discriminator_steps_and_past_rollouts(
    balanced: Demonstrations, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Steps] = []
    step = GAILAgent.step

    def spy(agent: GAILAgent, own: Any, theirs: Any) -> dict[str, float]:
        seen.append(own)
        return step(agent, own, theirs)

    monkeypatch.setattr(GAILAgent, "step", spy)
    agent = GAILAgent(CARTPOLE | {"discriminator_steps": 7, "past_rollouts": 2}, "CartPole-v1", balanced)
    agent.train(4 * 64)
    assert len(seen) == 4 * 7
    assert len(agent.past) == 3, "this rollout and two before"
    assert len({id(rollout) for rollout in agent.past}) == 3
    first = {tuple(row) for row in agent.past[0].states.tolist()}
    assert any(tuple(row) in first for own in seen[-7:] for row in own.states.tolist()), "an earlier one is still seen"


@pytest.mark.parametrize("method", METHODS)
def test_training_goes_on_to_the_bit(method: Method, balanced: Demonstrations, tmp_path: Path) -> None:
    """Killed after any round: saved in the callback, loaded, trained to the same plan."""
    config = CARTPOLE | {"dropout": 0.1, "use_spectral_norm": True, "past_rollouts": 2, "ppo": {"epochs": 2}}
    whole = method(config, "CartPole-v1", balanced, 3)
    threads = torch.get_num_threads()
    result = whole.train(6 * 64, lambda row: row["round"] == 3 and whole.save(tmp_path))
    assert torch.get_num_threads() == threads
    resumed = method.load(tmp_path, "CartPole-v1", balanced)
    assert len(resumed.history) == 3
    again = resumed.train(6 * 64)
    assert again.history == result.history
    assert again.counts == result.counts
    assert again.counts.interactions == 6 * 64
    for name, tensor in whole.ppo.actor.state_dict().items():
        assert torch.equal(tensor, resumed.ppo.actor.state_dict()[name]), name
    for name, tensor in whole.discriminator.state_dict().items():
        assert torch.equal(tensor, resumed.discriminator.state_dict()[name]), name


def test_training_goes_on_to_the_bit_with_continuous_actions(hanging: Demonstrations, tmp_path: Path) -> None:
    whole = AIRLAgent(PENDULUM, "Pendulum-v1", hanging, 3)
    result = whole.train(4 * 64, lambda row: row["round"] == 2 and whole.save(tmp_path))
    assert AIRLAgent.load(tmp_path, "Pendulum-v1", hanging).train(4 * 64).history == result.history


def test_loading_refuses_what_is_not_its_own(balanced: Demonstrations, tmp_path: Path) -> None:
    agent = GAILAgent(CARTPOLE, "CartPole-v1", balanced)
    agent.save(tmp_path / "gail")
    with pytest.raises(UserError, match="holds GAILAgent; want AIRLAgent"):
        AIRLAgent.load(tmp_path / "gail")
    with pytest.raises(UserError, match=r"has no agent\.safetensors"):
        GAILAgent.load(tmp_path)
    with pytest.raises(UserError, match="was trained on 1000 steps of demonstrations; these have 500"):
        GAILAgent.load(tmp_path / "gail", "CartPole-v1", balanced.chosen([0]))


@pytest.mark.parametrize("method", METHODS)
def test_rewards_are_above_that_of_the_absorbing_state(method: Method, balanced: Demonstrations) -> None:
    """By counts of ends: 100 of 1000 steps of the policy, none of the expert's 1000; gamma .9."""
    config = CARTPOLE | {"ppo": {"discount": 0.9}}
    on, off = (method(config | {"absorbing": x}, "CartPole-v1", balanced) for x in (True, False))
    steps = batch(1000, 0)
    steps = Steps(**steps.tensors() | {"terminated": torch.arange(1000) % 10 == 0})
    torch.testing.assert_close(on.reward(steps), off.reward(steps))
    on.ends = on.ends.then(1000, 100)
    stay_expert, stay_policy = (10 * (rate + 1 / 2000) for rate in (0.0, 0.1))
    in_task = math.log((1 + stay_policy) / (1 + stay_expert))
    after = torch.tensor(math.log(stay_expert / stay_policy) + in_task)
    logit, form = off.logit(steps), on.reward_form
    torch.testing.assert_close(on.reward(steps), reward_of(logit + in_task, form) - reward_of(after, form))


@pytest.mark.parametrize("method", METHODS)
def test_a_loaded_agent_pays_the_same_without_its_demonstrations(
    method: Method, balanced: Demonstrations, tmp_path: Path
) -> None:
    agent = method(CARTPOLE, "CartPole-v1", balanced)
    agent.train(64)
    agent.save(tmp_path)
    assert agent.absorbing is not None, "the policy ended, so that it matters how often the expert did"
    loaded = method.load(tmp_path)
    assert loaded.expert_ends == Ends(1000, 0)
    assert torch.equal(loaded.reward(balanced.transitions), agent.reward(balanced.transitions))


def test_where_nothing_ends_no_absorbing_state_is_spoken_of(hanging: Demonstrations) -> None:
    agent = GAILAgent(PENDULUM, "Pendulum-v1", hanging)
    agent.train(64)
    steps = agent.past[0]
    torch.testing.assert_close(agent.reward(steps), torch.nn.functional.softplus(agent.logit(steps)))


def test_airl_of_the_next_state_and_its_end() -> None:
    """f moves with the next state, but not where the task ended there: h = 0."""
    agent = AIRLAgent(CARTPOLE | {"absorbing": False})
    steps = batch(64, 0)
    moved = Steps(**steps.tensors() | {"next_states": steps.next_states + 1.0})
    change = (agent.reward(moved) - agent.reward(steps)).abs()
    assert float(change[steps.terminated].max()) == 0.0
    assert float(change[~steps.terminated].min()) > 0.0


def test_airl_reward_is_f_less_log_pi() -> None:
    agent = AIRLAgent(CARTPOLE | {"absorbing": False})
    steps = batch(8, 0)
    likelier = Steps(**steps.tensors() | {"log_prob": steps.known_log_prob + 0.5})
    torch.testing.assert_close(agent.reward(steps) - agent.reward(likelier), torch.full((8,), 0.5))


def test_state_only_reward_does_not_see_the_action() -> None:
    steps = batch(8, 0)
    other = Steps(**steps.tensors() | {"actions": 1 - steps.actions})
    for state_only in (True, False):
        network = AIRLAgent(CARTPOLE | {"state_only": state_only}).discriminator
        assert torch.equal(network.unshaped(steps), network.unshaped(other)) is state_only


def test_environments_are_brought_back_to_where_they_were() -> None:
    rng = np.random.default_rng(0)
    actions = rng.integers(0, 2, (40, 3))
    one, other = (Collector("CartPole-v1", 3, 5) for _ in range(2))
    played = iter(actions)
    one.collect(lambda _: next(played), 30)
    other.go_to(one.places)
    np.testing.assert_array_equal(one.states, other.states)
    rest = [iter(actions[30:]) for _ in range(2)]
    a, b = (c.collect(lambda _, r=r: next(r), 10) for c, r in zip((one, other), rest, strict=True))
    np.testing.assert_array_equal(a.next_states, b.next_states)


def test_lengths_apart() -> None:
    """Of 1, 2, 3, 4 and 3, 4, 5, 6 half the first lie below 3 and none of the second."""
    assert lengths_apart([1, 2, 3, 4], [3, 4, 5, 6]) == 0.5
    assert lengths_apart([1, 2], [2, 1]) == 0.0
    assert lengths_apart([1, 2], [3]) == 1.0


def test_episodes_are_counted_across_rollouts(balanced: Demonstrations) -> None:
    ended = Ended(1)
    nothing = np.zeros((2, 1, 4), np.float32)
    ends = np.array([[False], [True]]), np.array([[False], [False]])

    def rollout(over: NDArray[np.bool_]) -> Rollout:
        return Rollout(nothing, np.zeros((2, 1), np.int64), np.full((2, 1), 1.5), nothing, over, ends[1])

    assert ended.take(rollout(ends[1])) == {}
    assert ended.apart(balanced) == {}
    assert ended.take(rollout(ends[0])) == {"return": 6.0, "length": 4.0}
    assert ended.apart(balanced) == {"lengths_apart": 1.0, "ends_apart": 1.0}


def test_leaks_are_warned_of_where_nothing_is_done_about_them(balanced: Demonstrations) -> None:
    enough = CARTPOLE | {"discriminator_batch": 64, "ppo": {"minibatch": 64}}
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", UserWarning)
        GAILAgent(enough | {"absorbing": False, "rollout": 128}, "CartPole-v1", balanced).train(512)
    first, last = (str(one.message) for one in told)
    assert "all 2 demonstrations were cut by time" in first
    assert "lengths of episodes alone tell" in last
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        GAILAgent(enough, "CartPole-v1", balanced).train(64)


def test_wrong_settings(balanced: Demonstrations) -> None:
    with pytest.raises(UserError, match="discriminator_lr"):
        GAILAgent(CARTPOLE | {"discriminator_rl": 1.0})
    with pytest.raises(UserError, match="3 steps of the policy and 2 of the expert"):
        GAILAgent(CARTPOLE).update(batch(3, 0), batch(2, 1))
    with pytest.raises(UserError, match=r"needs env=\.\.\. and demonstrations"):
        GAILAgent(CARTPOLE).train(64)
    with pytest.raises(UserError, match="interactions is -5; want 1 or more"):
        GAILAgent(CARTPOLE, "CartPole-v1", balanced).train(-5)
    with pytest.raises(UserError, match="Pendulum-v1 has 3 state entries"):
        GAILAgent(CARTPOLE, "Pendulum-v1", balanced).train(64)


def test_any_function_that_makes_an_environment_will_do(balanced: Demonstrations) -> None:
    result = GAILAgent(CARTPOLE, lambda: gym.make("CartPole-v1", max_episode_steps=20), balanced).train(64)
    assert result.history[-1]["length"] <= 20


def test_survival_probe_is_told_by_its_seed() -> None:
    config = CARTPOLE | {"absorbing": True}
    one, same = (survival_probe(GAILAgent, config, 64, seed=2, demonstrations=4) for _ in range(2))
    assert one == same
    assert 8 < one < 60, "two rounds change a random policy little"
