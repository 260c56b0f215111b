"""Perceptrons in MAGAIL: linear ones are tables, gradients, runs alone and in a batch, and the same two outcomes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from mfmarl.errors import UserError
from mfmarl.imitation.magail import many_runs
from mfmarl.imitation.magail.joint import coordination_rate
from mfmarl.imitation.magail.many_runs import MAGAILConfig, Run, magail
from mfmarl.imitation.magail.mixture import Mixture
from mfmarl.imitation.magail.neural import Network, Perceptrons, Tables, bounded, discriminator_nets, policy_nets
from mfmarl.imitation.magail.rollouts import Arena
from mfmarl.imitation.magail.theory import symmetric_point
from mfmarl.imitation.magail.training import Training
from tests.mfmarl.imitation.magail.test_many_runs import BIMODAL, COORDINATION, assert_equal, endless

SMALL = {"epochs": 12, "rollouts": 20, "batch_size": 8}


@pytest.mark.parametrize("arena", [COORDINATION, endless()], ids=["one step", "endless"])
def test_linear_policies_of_one_hot_states_are_tables(arena: Arena) -> None:
    seen = np.random.default_rng(0).integers(0, 9, (arena.states, *arena.actions))
    runs, config = [Run(1), Run(2, 0.3)], MAGAILConfig.model_validate(SMALL | {"network": {"hidden": ()}})
    linear = Training(arena, seen, runs, config)
    linear.judges = Tables([torch.zeros((2, arena.states, *arena.actions), dtype=torch.float64)])
    linear.of_judges = torch.optim.Adam(linear.judges.parameters, lr=config.lr_disc)
    for _ in range(config.epochs):
        linear.step()
    tables = magail(arena, seen, runs, MAGAILConfig.model_validate(SMALL))
    for mine, other in zip(linear.history().policies, tables.policies, strict=True):
        np.testing.assert_allclose(mine, other, rtol=0, atol=1e-9)


def test_a_linear_discriminator_of_one_state_steps_as_its_weights_do() -> None:
    # d = w_s + w_a: both take Adam's first step, which is the rate in either direction
    config = MAGAILConfig(epochs=1, network=Network(hidden=()))
    training = Training(COORDINATION, BIMODAL, [Run(0)], config)
    training.judges = discriminator_nets(np.eye(1), [(2, 2)], [0], Network(hidden=()))
    (weight,) = training.judges.parameters
    with torch.no_grad():
        weight.zero_()
    training.of_judges = torch.optim.Adam([weight], lr=0.01)
    training.step()
    moved = weight.detach().numpy()[0, :, 0]
    np.testing.assert_allclose(np.abs(moved[1:]), 0.01, rtol=1e-5)
    assert moved[2] < 0 > moved[3]


@pytest.mark.parametrize("sharing", ["single", "centralised", "decentralised"])
@pytest.mark.parametrize("arena", [COORDINATION, endless()], ids=["one step", "endless"])
def test_a_run_is_the_same_alone_and_in_a_batch(arena: Arena, sharing: str) -> None:
    given = {"discriminator": sharing, "network": {"hidden": (5, 4), "gradient_penalty": 0.1}}
    config = MAGAILConfig.model_validate(SMALL | given)
    seen = np.random.default_rng(0).integers(0, 9, (arena.states, *arena.actions))
    runs = [Run(1), Run(2, 0.3), Run(1, 0.5)]
    batch = magail(arena, seen, runs, config)
    for r, run in enumerate(runs):
        alone = magail(arena, seen, [run], config)
        for mine, other in zip(alone.policies + alone.logits, batch.policies + batch.logits, strict=True):
            np.testing.assert_allclose(mine[:, 0], other[:, r], rtol=0, atol=1e-9)


def test_gradients_are_those_of_finite_differences() -> None:
    rng = np.random.default_rng(0)
    nets = Perceptrons(rng.normal(size=(4, 3)), (5, 4), 1, [np.random.default_rng(k) for k in range(2)])

    def logits(*weights: torch.Tensor) -> torch.Tensor:
        nets.weights, nets.biases = list(weights[:3]), list(weights[3:])
        return nets()

    def slopes(*weights: torch.Tensor) -> torch.Tensor:
        logits(*weights)
        return nets.squared_slopes()

    assert torch.autograd.gradcheck(logits, nets.parameters)
    assert torch.autograd.gradcheck(slopes, nets.parameters)
    h, rows = 1e-6, nets.inputs
    by_hand = sum(
        ((nets.forward(rows + h * e) - nets.forward(rows - h * e)) / (2 * h)).square().squeeze(-1) for e in torch.eye(3)
    )
    assert isinstance(by_hand, torch.Tensor)
    torch.testing.assert_close(nets.squared_slopes(), by_hand, rtol=1e-6, atol=1e-9)


def test_agents_of_one_size_share_a_stack_and_others_do_not() -> None:
    same = policy_nets(np.eye(2), (3, 3), [0, 1], Network(), uniform=False)
    assert len(same.stacks) == 1
    other = policy_nets(np.eye(2), (3, 2), [0, 1], Network(), uniform=False)
    assert [tuple(theta.shape) for theta in other()] == [(2, 2, 3), (2, 2, 2)]
    # the stack is agent by agent, and run by run within
    torch.testing.assert_close(same()[0], other()[0])
    assert (policy_nets(np.eye(2), (3, 3), [0], Network(), uniform=True)()[0] == 0).all()


def test_features_are_what_perceptrons_see() -> None:
    # two states that look alike: one law for both
    arena = endless()
    alike = Arena(arena.actions, arena.start, arena.discount, arena.transitions, np.ones((2, 1)))
    seen = np.array([[[9, 0, 0], [0, 0, 0]], [[0, 0, 0], [0, 0, 9]]])
    config = MAGAILConfig.model_validate(SMALL | {"network": {"hidden": (4,)}, "mixture": {}})
    history = magail(alike, seen, [Run(0)], config)
    np.testing.assert_array_equal(history.policies[0][..., 0, :], history.policies[0][..., 1, :])
    np.testing.assert_array_equal(history.logits[0][..., 0, :, :], history.logits[0][..., 1, :, :])
    # but the signal is seen
    assert (history.given[0][-1, 0, 0] != history.given[0][-1, 0, 1]).all()
    with pytest.raises(UserError, match=r"features have shape \(3, 1\); want \[2, F\]"):
        Arena(arena.actions, arena.start, arena.discount, arena.transitions, np.ones((3, 1)))


def test_it_learns_a_game_of_two_actions() -> None:
    expert = np.array([[[0, 1000], [0, 0]]])
    history = magail(COORDINATION, expert, [Run(0), Run(1)], MAGAILConfig(epochs=60, network=Network(hidden=(8,))))
    assert history.joint[-1, :, 0, 0, 1].min() > 0.95


def test_entropy_makes_the_coordination_game_symmetric() -> None:
    runs = [Run(seed, beta) for beta in (0.0, 5.0) for seed in range(16)]
    history = magail(COORDINATION, BIMODAL, runs, MAGAILConfig(epochs=100, network=Network(hidden=(8,))))
    rates = coordination_rate(history.joint[-1, :, 0]).reshape(2, 16)
    assert rates[0].min() > 0.9
    np.testing.assert_allclose(rates[1], 0.5, atol=0.01)
    to_a = (history.joint[-1, :16, 0, 0, 0] > 0.5).sum()
    assert 0 < to_a < 16


def test_a_gradient_penalty_holds_logits_down() -> None:
    def last(weight: float) -> float:
        net = Network(hidden=(8,), gradient_penalty=weight)
        history = magail(COORDINATION, BIMODAL, [Run(k) for k in range(4)], MAGAILConfig(epochs=80, network=net))
        return float(np.abs(history.logits[0][-1]).mean())

    assert last(1.0) < 0.5 * last(0.0)


def test_a_bounded_logit_can_come_up_but_not_go_down() -> None:
    d = torch.tensor([-3.0, -2.0, -1.0], requires_grad=True)
    out = bounded(d, -2.0)
    assert out.tolist() == [-2, -2, -1]
    (out * torch.tensor([1.0, -1.0, 1.0])).sum().backward()  # type: ignore[no-untyped-call]
    assert d.grad is not None
    assert d.grad.tolist() == [0, -1, 1]
    assert bounded(d, None) is d


def test_the_lowest_logit_sets_which_beta_is_symmetric() -> None:
    # beta* is 8.67 where logits are not bounded
    assert symmetric_point(0.0, "non_saturating", -2.0).threshold == pytest.approx(0.527, abs=5e-4)
    config = MAGAILConfig(
        epochs=1000,
        lr_policy=0.003,
        lr_disc=0.03,
        rollouts=4000,
        batch_size=4000,
        lowest_logit=-2.0,
        collect_every=1000,
    )
    runs = [Run(seed, beta) for beta in (0.4, 0.6) for seed in range(4)]
    history = magail(COORDINATION, BIMODAL, runs, config)
    assert history.logits[0].min() == -2
    rates = coordination_rate(history.joint[-1, :, 0]).reshape(2, 4)
    assert rates[0].min() > 0.7
    np.testing.assert_allclose(rates[1], 0.5, atol=0.005)


def test_a_killed_training_goes_on_bit_for_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(many_runs, "KEPT_EVERY_S", 0.0)
    path = tmp_path / "training.safetensors"
    config = MAGAILConfig(epochs=25, rollouts=20, network=Network(hidden=(4,)), mixture=Mixture())
    lines: list[str] = []

    def killing(text: str) -> None:
        lines.append(text)
        if len(lines) > 16:
            raise KeyboardInterrupt

    whole = magail(COORDINATION, BIMODAL, [Run(1), Run(2)], config)
    with pytest.raises(KeyboardInterrupt):
        magail(COORDINATION, BIMODAL, [Run(1), Run(2)], config, checkpoint=path, told=killing)
    assert_equal(magail(COORDINATION, BIMODAL, [Run(1), Run(2)], config, checkpoint=path), whole)


def test_bad_settings_are_refused() -> None:
    for settings in ({"hidden": (0,)}, {"hidden": (8, -1)}, {"gradient_penalty": -1}, {"width": 8}):
        with pytest.raises(ValidationError):
            Network.model_validate(settings)
    with pytest.raises(ValidationError):
        MAGAILConfig(lowest_logit=1.0)
