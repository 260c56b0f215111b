"""Policies with a shared signal: one signal is none, what is learnt of w, and correlated experts that are met."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from envs.markov import coordination, zero_sum
from envs.markov.experts import zero_sum_samples
from mfmarl.imitation.magail import tabular
from mfmarl.imitation.magail.joint import js_distance
from mfmarl.imitation.magail.mixture import (
    Mixture,
    gap_after_signal,
    information,
    mixed_joint,
    starts,
    step_weights,
    with_signals,
)
from mfmarl.imitation.magail.rollouts import Arena, Rollouts, rolled_out
from mfmarl.imitation.magail.tabular import MAGAILConfig, Run, magail
from tests.mfmarl.imitation.magail.test_tabular import BIMODAL, COORDINATION, assert_equal, endless


@pytest.mark.parametrize("arena", [COORDINATION, endless()], ids=["one step", "endless"])
def test_one_signal_is_none(arena: Arena) -> None:
    seen = np.random.default_rng(0).integers(0, 9, (arena.states, *arena.actions))
    runs, settings = [Run(1, 0.0), Run(2, 0.3)], {"epochs": 15, "rollouts": 20, "batch_size": 8}
    plain = magail(arena, seen, runs, MAGAILConfig.model_validate(settings))
    signalled = magail(arena, seen, runs, MAGAILConfig.model_validate(settings | {"mixture": {"signals": 1}}))
    assert_equal(plain, signalled)
    np.testing.assert_allclose(plain.joint, signalled.joint, rtol=0, atol=1e-15)
    assert signalled.weights is not None
    assert (signalled.weights == 1).all()


@pytest.mark.parametrize("arena", [COORDINATION, endless()], ids=["one step", "endless"])
def test_a_run_with_signals_is_the_same_alone_and_in_a_batch(arena: Arena) -> None:
    seen = np.random.default_rng(0).integers(0, 9, (arena.states, *arena.actions))
    config = MAGAILConfig(epochs=12, rollouts=20, batch_size=8, mixture=Mixture(signals=3))
    runs = [Run(1), Run(2, 0.3)]
    batch = magail(arena, seen, runs, config)
    assert batch.weights is not None
    np.testing.assert_allclose(batch.joint.reshape(2, 2, arena.states, -1).sum(-1), 1)
    for i, pi in enumerate(batch.policies):
        others = tuple(axis for axis in range(3, batch.joint.ndim) if axis != i + 3)
        np.testing.assert_allclose(pi, batch.joint.sum(others))
    for r, run in enumerate(runs):
        alone = magail(arena, seen, [run], config)
        assert alone.weights is not None
        np.testing.assert_allclose(alone.joint[:, 0], batch.joint[:, r], rtol=0, atol=1e-12)
        np.testing.assert_allclose(alone.weights[:, 0], batch.weights[:, r], rtol=0, atol=1e-12)


def test_a_killed_training_with_signals_goes_on_bit_for_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tabular, "KEPT_EVERY_S", 0.0)
    config, path = MAGAILConfig(epochs=25, rollouts=20, mixture=Mixture()), tmp_path / "training.safetensors"
    lines: list[str] = []

    def killing(text: str) -> None:
        lines.append(text)
        if len(lines) > 16:
            raise KeyboardInterrupt

    whole = magail(COORDINATION, BIMODAL, [Run(1), Run(2)], config)
    with pytest.raises(KeyboardInterrupt):
        magail(COORDINATION, BIMODAL, [Run(1), Run(2)], config, checkpoint=path, told=killing)
    again = magail(COORDINATION, BIMODAL, [Run(1), Run(2)], config, checkpoint=path)
    assert_equal(again, whole)
    np.testing.assert_array_equal(again.joint, whole.joint)


def test_an_episode_keeps_its_signal() -> None:
    arena = endless()
    paired = with_signals(arena, 2)
    assert paired.transitions is not None
    assert (paired.transitions[:2, ..., 2:] == 0).all()
    np.testing.assert_array_equal(paired.transitions[2:, ..., 2:], arena.transitions)
    # at signal 0 the first agent stays, at signal 1 it goes to the other state at every step
    first = np.array([[[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]]])
    laws, w = [first, np.full((1, 4, 3), 1 / 3)], np.array([[0.2, 0.8]])
    rollouts = rolled_out(paired, laws, 5000, [np.random.default_rng(0)], starts(w, arena.start))
    begun, total = rollouts.whole_returns(np.ones(rollouts.counts.shape))
    assert begun.sum() == 5000
    assert begun[0, :2].sum() / 5000 == pytest.approx(0.2, abs=0.02)
    assert begun[0, [1, 3]].sum() == 0
    # all steps are paid 1: 10 an episode in the mean
    assert total.sum() == rollouts.counts.sum()
    assert rollouts.counts[0, 1].sum() == 0 < rollouts.counts[0, 3].sum()


def test_information_is_what_an_action_tells() -> None:
    one = np.array([[[0.9, 0.1], [0.2, 0.8]]])
    w = np.array([[0.25, 0.75]])
    told = information([one, one], w)
    joint = one[0, :, :, None] * one[0, :, None, :]
    mixed = (w[0, :, None, None] * joint).sum(0)
    np.testing.assert_allclose(told[0], np.log(joint / mixed))
    mean = (w[0] * (joint * told[0]).sum((1, 2))).sum()
    entropies = -(mixed * np.log(mixed)).sum() + (w[0] * (joint * np.log(joint)).sum((1, 2))).sum()
    assert mean == pytest.approx(entropies)
    assert (information([one[:, :1]] * 2, np.ones((1, 1))) == 0).all()
    assert Mixture(information=2, until=0.5).weight(25, 100) == 1
    assert Mixture(information=2, until=0.5).weight(50, 100) == Mixture(until=0).weight(0, 100) == 0


def test_weights_go_up_the_gradient_of_the_mean_return() -> None:
    logits = torch.tensor([[0.3, -0.2, 0.1]], dtype=torch.float64, requires_grad=True)
    counts = np.array([[[[4, 0], [0, 0]], [[0, 0], [1, 1]], [[0, 0], [0, 2]]]])
    paid = np.array([[[[1.0, 0], [0, 0]], [[0, 0], [3, 5]], [[0, 0], [0, -2]]]])
    adam = torch.optim.SGD([logits], lr=1.0)
    before = logits.detach().numpy().copy()
    step_weights(logits, adam, Rollouts(counts, None), paid)
    w = np.exp(before) / np.exp(before).sum()
    mean = np.array([1.0, 4.0, -2.0])
    np.testing.assert_allclose(logits.detach().numpy() - before, w * (mean - (w * mean).sum()))
    # a signal that nobody drew counts as the mean of the others
    logits = torch.zeros((1, 3), dtype=torch.float64, requires_grad=True)
    counts[0, 2] = 0
    step_weights(logits, torch.optim.SGD([logits], lr=1.0), Rollouts(counts, None), paid)
    np.testing.assert_allclose(logits.detach().numpy(), [[-0.5, 0.5, 0.0]])


def test_gaps_of_signals() -> None:
    game = coordination()
    same = np.array([[[[1.0, 0.0]], [[0.0, 1.0]]]])
    half = np.array([[0.5, 0.5]])
    np.testing.assert_allclose(mixed_joint(half, [same, same]), [[[[0.5, 0.0], [0.0, 0.5]]]])
    assert gap_after_signal(game, half, [same, same]) == pytest.approx(0)
    assert game.cce_gap(mixed_joint(half, [same, same])) == pytest.approx(-0.5)
    # at the second signal they miss each other: a gain of 1, which the best of them has half of the time
    assert gap_after_signal(game, half, [same, same[:, :, :, ::-1]]) == pytest.approx(1)
    third = np.array([[0.7, 0.3]])
    assert gap_after_signal(game, third, [same, np.array([[[[1.0, 0.0]], [[1.0, 0.0]]]])]) == pytest.approx(0.3)


def test_a_correlated_expert_is_met() -> None:
    history = magail(
        COORDINATION,
        BIMODAL,
        [Run(seed) for seed in range(16)],
        MAGAILConfig(epochs=2000, collect_every=2000, mixture=Mixture()),
    )
    distances = js_distance(BIMODAL.ravel() / 1000, history.joint[-1].reshape(16, 4))
    assert distances.max() < 0.05
    assert history.joint[-1, :, 0, [0, 1], [0, 1]].min() > 0.4


def test_signals_in_an_endless_game() -> None:
    game = zero_sum()
    counts = np.zeros((7, 3, 3), np.int64)
    shown = zero_sum_samples(game)
    np.add.at(counts, (shown.states, *shown.actions.T), 1)
    arena = Arena((3, 3), game.start, game.discount, game.transitions)
    history = magail(arena, counts, [Run(0)], MAGAILConfig(epochs=10, lr_policy=0.1, mixture=Mixture()))
    np.testing.assert_allclose(history.joint[-1, 0].sum((1, 2)), 1)
    assert history.weights is not None
    np.testing.assert_allclose(history.weights[-1].sum(-1), 1)
    # the start is met with both signals: the first agent's law there has moved
    assert np.abs(history.given[0][-1, 0, :, 0] - 1 / 3).max(-1).min() > 0.05
    gap = gap_after_signal(game, history.weights[-1], [pi[-1] for pi in history.given])
    assert 0 < gap[0] < 8.1


def test_bad_settings_are_refused() -> None:
    for settings in ({"signals": 0}, {"lr": 0}, {"until": 1.1}, {"information": -1}, {"signal": 2}):
        with pytest.raises(ValidationError):
            Mixture.model_validate(settings)
