"""Tabular MAGAIL: rollouts as asked for, runs that are the same alone and in a batch, and the coordination game."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from envs.markov import coordination
from mfmarl.errors import DamagedFile, UserError
from mfmarl.imitation.magail import many_runs
from mfmarl.imitation.magail.joint import coordination_rate
from mfmarl.imitation.magail.many_runs import History, MAGAILConfig, Run, magail
from mfmarl.imitation.magail.rollouts import Arena, rolled_out, walked
from mfmarl.imitation.magail.steps import rewards_of_tables
from mfmarl.imitation.magail.theory import RewardStyle, reward_of_logit

COORDINATION = Arena((2, 2), np.ones(1))
BIMODAL = np.array([[[500, 0], [0, 500]]])


def endless() -> Arena:
    """Two states, two and three actions; where the first agent plays 1, the next state is the other one."""
    P = np.zeros((2, 2, 3, 2))
    for s in range(2):
        P[s, 0, :, s] = P[s, 1, :, 1 - s] = 1.0
    return Arena((2, 3), np.array([1.0, 0.0]), 0.9, P)


@pytest.mark.parametrize("arena", [COORDINATION, endless()], ids=["one step", "endless"])
@pytest.mark.parametrize("sharing", ["single", "centralised", "decentralised"])
def test_a_run_is_the_same_alone_and_in_a_batch(arena: Arena, sharing: str) -> None:
    config = MAGAILConfig.model_validate({"discriminator": sharing, "epochs": 12, "rollouts": 20, "batch_size": 8})
    seen = np.random.default_rng(0).integers(0, 9, (arena.states, *arena.actions))
    runs = [Run(1, 0.0), Run(2, 0.3), Run(1, 0.5)]
    batch = magail(arena, seen, runs, config)
    assert batch.epochs.tolist() == [10, 12]
    assert batch.rollouts.tolist() == [200, 240]
    assert batch.expert_samples.tolist() == [80, 96]
    for r, run in enumerate(runs):
        alone = magail(arena, seen, [run], config)
        for mine, other in zip(alone.policies + alone.logits, batch.policies + batch.logits, strict=True):
            # exponentials of a vector's last entries may be rounded otherwise
            np.testing.assert_allclose(mine[:, 0], other[:, r], rtol=0, atol=1e-12)
        assert (alone.played[:, 0] == batch.played[:, r]).all()


def test_as_many_rollouts_as_asked_for_of_geometric_lengths() -> None:
    uniform = [np.full((2, 1, 2), 0.5)] * 2
    counts = rolled_out(COORDINATION, uniform, 200, [np.random.default_rng(k) for k in range(2)]).counts
    assert counts.sum((1, 2, 3)).tolist() == [200, 200]
    arena = endless()
    laws = [np.full((1, 2, 2), 0.5), np.full((1, 2, 3), 1 / 3)]
    rollouts = walked(arena, laws, 4000, [np.random.default_rng(0)])
    assert rollouts.walks is not None
    assert rollouts.walks.alive[0] == len(rollouts.walks.first) == 4000
    assert rollouts.walks.alive.sum() == rollouts.steps[0] == len(rollouts.walks.cells)
    # the mean length is 10, and the discounted occupancy of the first state 1 - gamma / 2
    assert rollouts.steps[0] / 4000 == pytest.approx(10, abs=0.6)
    assert rollouts.counts[0, 0].sum() / rollouts.steps[0] == pytest.approx(0.55, abs=0.02)
    # 1 a step: from a step on as many as are left, 10 in the mean, 1 / (1 - gamma)
    assert rollouts.returns(np.ones(rollouts.counts.shape)).sum() / rollouts.steps[0] == pytest.approx(10, abs=0.8)
    batch = rollouts.batch(64, [np.random.default_rng(1)])
    assert batch.steps.tolist() == [64]
    assert (batch.counts <= rollouts.counts).all()


@pytest.mark.parametrize("style", ["non_saturating", "gail", "airl"])
def test_tables_pay_as_the_theory_does(style: RewardStyle) -> None:
    d = np.linspace(-25, 25, 11)
    np.testing.assert_allclose(rewards_of_tables(torch.from_numpy(d), style).numpy(), reward_of_logit(d, style))


def test_entropy_makes_the_coordination_game_symmetric() -> None:
    betas = (0.0, 0.1, 0.5, 1.0, 5.0)
    history = magail(COORDINATION, BIMODAL, [Run(seed, beta) for beta in betas for seed in range(5)])
    rates = coordination_rate(history.joint[-1, :, 0]).reshape(5, 5).mean(1)
    np.testing.assert_allclose(rates, [0.957, 0.929, 0.52, 0.5, 0.5], atol=0.03)


def test_bad_input_is_refused() -> None:
    with pytest.raises(UserError, match="want one or more"):
        magail(COORDINATION, BIMODAL, [])
    with pytest.raises(UserError, match="demonstrations have shape"):
        magail(COORDINATION, BIMODAL[0], [Run(0)])
    with pytest.raises(UserError, match="beta of seed 0 is nan; want a number of 0 or more"):
        magail(COORDINATION, BIMODAL, [Run(0, float("nan"))])
    with pytest.raises(UserError, match="no transitions at discount"):
        Arena((2, 2), np.ones(1), 0.9)


def assert_equal(one: History, other: History) -> None:
    for name in ("epochs", "discriminator_loss", "entropy", "played", "rollouts", "expert_samples"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    for mine, theirs in zip(one.policies + one.logits, other.policies + other.logits, strict=True):
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize("killed_after", [3, 17])
def test_a_killed_training_goes_on_bit_for_bit(
    killed_after: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(many_runs, "KEPT_EVERY_S", 0.0)
    arena, path = endless(), tmp_path / "training.safetensors"
    seen = np.random.default_rng(0).integers(0, 9, (2, 2, 2, 3))
    runs, config = [Run(1), Run(2, 0.3)], MAGAILConfig(epochs=25, rollouts=20, batch_size=8)
    lines = []

    def killing(text: str) -> None:
        lines.append(text)
        if len(lines) > killed_after:
            raise KeyboardInterrupt

    whole = magail(arena, seen, runs, config)
    with pytest.raises(KeyboardInterrupt):
        magail(arena, seen, runs, config, checkpoint=path, told=killing)
    lines.clear()
    assert_equal(magail(arena, seen, runs, config, checkpoint=path, told=lines.append), whole)
    assert lines[0] == f"epoch {killed_after + 1} of 25"
    lines.clear()
    assert_equal(magail(arena, seen, runs, config, checkpoint=path, told=lines.append), whole)
    assert lines == []
    with pytest.raises(UserError, match="of other runs, settings or demonstrations"):
        magail(arena, seen + 1, runs, config, checkpoint=path)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DamagedFile, match="is damaged"):
        magail(arena, seen, runs, config, checkpoint=path)


def test_demonstrations_of_each_run_are_its_own() -> None:
    seen = np.array([[[[5, 0], [0, 0]]], [[[0, 0], [0, 5]]]])
    history = magail(COORDINATION, seen, [Run(0), Run(0)], MAGAILConfig(epochs=200))
    assert history.joint[-1, 0, 0, 0, 0] > 0.9
    assert history.joint[-1, 1, 0, 1, 1] > 0.9
    alone = magail(COORDINATION, seen[1], [Run(0)], MAGAILConfig(epochs=200))
    np.testing.assert_allclose(alone.joint[:, 0], history.joint[:, 1], rtol=0, atol=1e-12)
    with pytest.raises(UserError, match="no counts, or none"):
        magail(COORDINATION, np.stack([seen[0], 0 * seen[0]]), [Run(0), Run(0)])


def test_what_python_gives_is_checked_as_the_command_line_is(tmp_path: Path) -> None:
    short = MAGAILConfig(epochs=1)
    listed = magail(COORDINATION, BIMODAL.tolist(), [Run(0)], short, checkpoint=str(tmp_path / "t.safetensors"))
    assert_equal(listed, magail(COORDINATION, BIMODAL, [Run(0)], short))
    assert (tmp_path / "t.safetensors").exists()
    with pytest.raises(UserError, match="want an Arena"):
        magail(coordination(), BIMODAL, [Run(0)], short)  # type: ignore[arg-type]
    with pytest.raises(UserError, match="hold 3; want Run"):
        magail(COORDINATION, BIMODAL, [3], short)  # type: ignore[list-item]
    for seed in (-1, 1.5, True):
        with pytest.raises(UserError, match="a seed is"):
            magail(COORDINATION, BIMODAL, [Run(seed)], short)  # type: ignore[arg-type]
    with pytest.raises(UserError, match=r"entry .* is nan"):
        magail(COORDINATION, BIMODAL * np.nan, [Run(0)], short)
    with pytest.raises(UserError, match="no counts"):
        magail(COORDINATION, BIMODAL / 1000, [Run(0)], short)
    with pytest.raises(ValueError, match="finite"):
        MAGAILConfig(lr_policy=float("inf"))


def test_seconds_of_a_killed_training_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(many_runs, "KEPT_EVERY_S", 0.0)
    path, config = tmp_path / "t.safetensors", MAGAILConfig(epochs=40)
    first = magail(COORDINATION, BIMODAL, [Run(0)], config, checkpoint=path)
    again = magail(COORDINATION, BIMODAL, [Run(0)], config, checkpoint=path)
    # the last checkpoint is of after the last epoch
    assert again.cpu_seconds >= 0.5 * first.cpu_seconds > 0
