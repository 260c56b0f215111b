import math
from pathlib import Path

import numpy as np
import pytest
import torch

from mfmarl.errors import DamagedFile, UserError
from mfmarl.imitation.bc import BCAgent, BCConfig
from mfmarl.imitation.clone_gradient import fill_gradients
from mfmarl.imitation.demonstrations import Transitions
from mfmarl.imitation.ensemble import Ensemble

DISCRETE = {"state_dim": 2, "action_dim": 3, "hidden_dims": (8,)}
CONTINUOUS = {"state_dim": 2, "action_dim": 1, "low": (-2.0,), "high": (2.0,), "hidden_dims": (8,)}


def steps(n: int, continuous: bool = False, seed: int = 0) -> Transitions:
    rng = np.random.default_rng(seed)
    states = rng.normal(size=(n, 2)).astype(np.float32)
    actions = np.tanh(states[:, :1]).astype(np.float32) if continuous else rng.integers(0, 3, n)
    return Transitions(states, actions, states, np.zeros(n, bool))


def weights(agent: BCAgent) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in agent.policy.parameters()])


def test_on_full_tabular_data_it_is_the_empirical_frequencies() -> None:
    counts = np.array([[1, 2, 5], [4, 4, 0], [3, 0, 1], [2, 2, 2]])
    state, action = np.nonzero(counts)
    state, action = (np.repeat(x, counts[counts > 0]) for x in (state, action))
    eye = np.eye(4, dtype=np.float32)
    agent = BCAgent(
        {"state_dim": 4, "action_dim": 3, "hidden_dims": (), "learning_rate": 0.2, "batch_size": counts.sum()},
        Transitions(eye[state], action, eye[state], np.zeros(len(state), bool)),
    )
    result = agent.train(600)
    found = result.policy.law(torch.from_numpy(eye)).probs  # type: ignore[attr-defined]
    np.testing.assert_allclose(found.detach(), counts / counts.sum(1, keepdims=True), atol=3e-3)
    frequencies = counts / counts.sum(1, keepdims=True)
    entropy = -(counts * np.log(np.where(counts > 0, frequencies, 1))).sum() / counts.sum()
    assert result.history[-1]["loss"] == pytest.approx(entropy, abs=3e-3)


def test_gaussian_likelihood_finds_mean_and_spread_of_what_was_done() -> None:
    rng = np.random.default_rng(0)
    states = np.ones((400, 2), np.float32) * rng.choice([-1, 1], (400, 1))
    actions = (0.5 * states[:, :1] + rng.normal(0, 0.3, (400, 1))).astype(np.float32)
    agent = BCAgent(
        {**CONTINUOUS, "hidden_dims": (), "learning_rate": 0.05, "batch_size": 400},
        Transitions(states, actions, states, np.zeros(400, bool)),
    )
    law = agent.train(400).policy.law(torch.tensor([[1.0, 1.0]]))
    own = actions[states[:, 0] > 0]
    assert law.mean.item() == pytest.approx(own.mean(), abs=2e-3)  # type: ignore[attr-defined]
    residual = actions - np.where(states[:, :1] > 0, own.mean(), actions[states[:, 0] < 0].mean())
    assert law.log_std.exp().item() == pytest.approx(residual.std(), abs=2e-3)  # type: ignore[attr-defined]


def test_squared_error_is_of_halves_of_the_range_and_its_policy_is_deterministic() -> None:
    agent = BCAgent({**CONTINUOUS, "loss": "mse"})
    states = np.zeros((3, 2), np.float32)
    mean = float(agent.policy.act(states)[0, 0])
    found = agent.update(states, np.full((3, 1), mean + 1.0))
    assert found["loss"] == pytest.approx(0.25, rel=1e-5)
    drawn = agent.policy.act(states, torch.Generator().manual_seed(1))
    np.testing.assert_array_equal(drawn, agent.policy.act(states))


@pytest.mark.parametrize("config", [DISCRETE, CONTINUOUS, {**CONTINUOUS, "loss": "mse"}])
def test_a_doubled_weight_is_a_doubled_step(config: dict[str, object]) -> None:
    data = steps(4, "low" in config)
    twice = np.array([0, 1, 1, 2, 3])
    one, other = BCAgent(config), BCAgent(config)
    for agent in (one, other):
        agent.take_in(data.states)
    one.update(data.states, data.actions, [1, 2, 1, 1])
    other.update(data.states[twice], data.actions[twice])
    torch.testing.assert_close(weights(one), weights(other), rtol=0, atol=1e-6)


@pytest.mark.parametrize("activation", ["tanh", "relu"])
@pytest.mark.parametrize("config", [DISCRETE, CONTINUOUS, {**CONTINUOUS, "loss": "mse"}])
def test_the_gradient_by_hand_is_autograds(config: dict[str, object], activation: str) -> None:
    data = steps(9, "low" in config)
    agent = BCAgent({**config, "hidden_dims": (8, 7), "activation": activation}, seed=1)
    rows, actions = torch.from_numpy(data.states), torch.from_numpy(data.actions)
    loss = agent.loss(rows, actions)
    loss.backward()
    wanted = {n: p.grad for n, p in agent.policy.named_parameters() if p.requires_grad}
    agent.optimiser.zero_grad()
    found = fill_gradients(agent.actors[0], rows, actions, config.get("loss") == "mse")
    torch.testing.assert_close(found, loss.detach())
    for name, parameter in agent.policy.named_parameters():
        if parameter.requires_grad:
            torch.testing.assert_close(parameter.grad, wanted[name])


def test_too_little_data_makes_batches_smaller_and_says_so() -> None:
    agent = BCAgent(DISCRETE, steps(5))
    with pytest.warns(UserWarning, match="5 labelled steps are fewer than batch_size 32; batches have 5"):
        agent.train(2)


def test_weight_decay_shrinks_weights_but_not_the_spread() -> None:
    plain, decayed = (BCAgent({**CONTINUOUS, "weight_decay": d}, steps(64, True)) for d in (0.0, 100.0))
    before = weights(plain).norm()
    for agent in (plain, decayed):
        agent.train(30)
    assert weights(decayed).norm() < 0.8 * weights(plain).norm()
    assert weights(plain).norm() > 0.9 * before
    torch.testing.assert_close(plain.actors[0].log_std, decayed.actors[0].log_std, rtol=0, atol=2e-3)


def test_dropout_acts_in_training_only_and_draws_from_its_own_generator() -> None:
    agent = BCAgent({**DISCRETE, "dropout": 0.5})
    rows = torch.ones(1, 2)
    torch.manual_seed(0)
    before = torch.random.get_rng_state()
    agent.policy.train()
    trained = [agent.policy.law(rows).log_probs for _ in range(2)]  # type: ignore[attr-defined]
    agent.policy.eval()
    played = [agent.policy.law(rows).log_probs for _ in range(2)]  # type: ignore[attr-defined]
    assert not torch.equal(*trained)
    assert torch.equal(*played)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_label_noise_is_what_a_clone_learns() -> None:
    # of 3 actions with a share of .3 drawn from all alike the expert's own keeps .8
    ones = Transitions(*(np.ones((600, 2), np.float32), np.ones(600, np.int64), np.ones((600, 2), np.float32)), None)  # type: ignore[arg-type]
    agent = BCAgent({**DISCRETE, "hidden_dims": (), "label_noise": 0.3, "learning_rate": 0.05, "batch_size": 600}, ones)
    found = agent.train(300).policy.law(torch.ones(1, 2)).probs  # type: ignore[attr-defined]
    np.testing.assert_allclose(found.detach(), [[0.1, 0.8, 0.1]], atol=0.02)


def test_members_of_an_ensemble_differ_and_act_by_their_mean() -> None:
    agent = BCAgent({**DISCRETE, "members": 3}, steps(64))
    agent.train(20)
    rows = torch.from_numpy(steps(5).states)
    assert isinstance(agent.policy, Ensemble)
    each = torch.stack([actor.law(rows).probs for actor in agent.actors])  # type: ignore[attr-defined]
    torch.testing.assert_close(agent.policy.law(rows).probs, each.mean(0))  # type: ignore[attr-defined]
    assert (each.var(0) > 0).all()


def test_an_ensemble_of_gaussians_has_the_mixtures_moments() -> None:
    agent = BCAgent({**CONTINUOUS, "members": 2})
    for actor, mean in zip(agent.actors, (-1.0, 1.0), strict=True):
        for parameter in actor.net.parameters():
            parameter.data.zero_()
        actor.net[-1].bias.data.fill_(mean / 2)
    law = agent.policy.law(torch.zeros(1, 2))
    assert law.mean.item() == 0  # type: ignore[attr-defined]
    # means of -1 and 1 add a variance of 1; halves of the range are 2
    assert law.log_std.exp().item() == pytest.approx(math.sqrt(1 + (2 * math.exp(-0.5)) ** 2))  # type: ignore[attr-defined]


@pytest.mark.parametrize("config", [{**DISCRETE, "dropout": 0.2, "label_noise": 0.1}, {**CONTINUOUS, "members": 2}])
def test_saved_training_goes_on_bit_for_bit(config: dict[str, object], tmp_path: Path) -> None:
    data = steps(50, "low" in config)
    whole, part = BCAgent(config, data, 7), BCAgent(config, data, 7)
    whole.train(30), part.train(30)
    part.save(tmp_path)
    again = BCAgent.load(tmp_path, data)
    whole.train(30), again.train(30)
    assert torch.equal(weights(whole), weights(again))
    assert again.counts == whole.counts
    assert again.counts.updates == 60


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    BCAgent(DISCRETE).save(tmp_path)
    file = tmp_path / "agent.safetensors"
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    with pytest.raises(DamagedFile, match=r"agent\.safetensors is damaged: its SHA-256 does not fit"):
        BCAgent.load(tmp_path)


@pytest.mark.parametrize(
    ("states", "actions", "told"),
    [
        (np.zeros((3, 4)), np.zeros(3), r"states have shape \(3, 4\); want \(n, 2\)"),
        (np.zeros((3, 2)), np.zeros(2), r"actions have shape \(2,\); want \(3,\)"),
        (np.full((3, 2), np.nan), np.zeros(3), "states have NaN or infinity in row 0"),
        (np.zeros((3, 2)), np.full(3, 3), "actions go from 3 to 3; want 0 to 2"),
    ],
)
def test_wrong_steps_are_refused(states: np.ndarray, actions: np.ndarray, told: str) -> None:
    with pytest.raises(UserError, match=told):
        BCAgent(DISCRETE).update(states, actions)


def test_wrong_settings_are_refused() -> None:
    with pytest.raises(UserError, match="unknown key learning_rat; did you mean 'learning_rate'"):
        BCAgent({**DISCRETE, "learning_rat": 1})
    with pytest.raises(UserError, match="loss mse is for continuous actions"):
        BCAgent({**DISCRETE, "loss": "mse"})
    with pytest.raises(UserError, match="low has 1 entries; want action_dim = 3"):
        BCAgent({**DISCRETE, "low": (0.0,), "high": (1.0,)})
    assert BCConfig(state_dim=1, action_dim=2).hidden_dims == (256, 256)
