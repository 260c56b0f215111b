"""Training deviators: they start as the profile plays, learn, and go on bit for bit where they were stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch

import envs
from envs.population import PopulationEnv
from mfmarl.algorithms.mfac_config import MFACConfig
from mfmarl.algorithms.mfq_config import MFQConfig
from mfmarl.config import TrainConfig
from mfmarl.deviation import CLOCK, DeviationEnv, Potential, Units, clock
from mfmarl.deviator import DeviatorTrainer, train_deviator
from mfmarl.deviator_config import DeviatorConfig
from mfmarl.deviator_networks import copy_network, fold, greedy, level_values
from mfmarl.errors import UserError
from mfmarl.network import NetworkShape, PolicyNetwork
from mfmarl.players import constant_player, reference_player
from mfmarl.policy import Policy
from mfmarl.runs.checkpoint import checkpoint_paths
from mfmarl.subject import Subject, Trained, reference_subject, staying
from mfmarl.trainer import network_shape

ROOT = Path(__file__).resolve().parents[2]
DISCOUNT = 0.99


def game(name: str, copies: int, **options: Any) -> PopulationEnv:
    return envs.make(name, num_envs=copies, num_agents=9, seed=0, **options)


def dilemma() -> Subject:
    return Subject(partial(game, "games/prisoners-dilemma"), constant_player(0), DISCOUNT)


def small(**options: Any) -> DeviatorConfig:
    settings: dict[str, Any] = {"num_episodes": 128, "deviators": 8, "batch_agent_steps": 32, "checkpoint_every": 2}
    return DeviatorConfig(**settings | options)


def networks(**settings: Any) -> tuple[Subject, Trained]:
    """A profile of networks that look at everything."""
    make = partial(game, "inventory/market-easy", horizon=4)
    network = PolicyNetwork(network_shape(TrainConfig(**settings), make(1)), 3)
    with torch.no_grad():
        for weight in network.mlp.weights:
            weight.mul_(3.0)
        network.mlp.biases[0].add_(0.1)
    trained = Trained(network, np.full(9, 5.0, np.float32))
    return Subject.of_networks(make, trained, DISCOUNT, "mfq"), trained


@pytest.mark.parametrize("settings", [{}, {"sharing": "all"}, {"method": "mfp"}, {"method": "independent"}])
def test_a_deviator_starts_as_the_profile_plays(settings: dict[str, Any]) -> None:
    """Its values are those of the profile's networks, told in another unit of reward and of observation."""
    subject, trained = networks(**settings)
    units, spread = (seen := staying(subject, 1, "checkpoint", 0)).units, seen.spread
    assert spread is not None
    env = subject.deviation(1, "type", 3, 1, start="checkpoint")
    hidden = trained.network.shape.hidden
    shape = NetworkShape(((0, env.num_agents),), env.observation_space.shape[0], 11, hidden, mean_action="none")
    deviator = PolicyNetwork(shape, 0)
    copy_network(trained, 1, deviator, units, spread)
    agents, width = trained.network.shape.slices()[1], trained.network.shape.observations
    step = env.reset(1)
    for _ in range(3):
        told = torch.from_numpy(step.obs)
        shown = torch.zeros(3, 9, trained.network.shape.mean_field().width)
        shown[:, agents] = told[..., width:-CLOCK]
        obs = torch.zeros(3, 9, width)
        obs[:, agents] = told[..., :width]
        want = trained.network.q_values(obs, shown)[:, agents] * (5.0 / spread)
        got = deviator.q_values(torch.from_numpy(units.of(step.obs)), torch.zeros(3, env.num_agents, 0))
        torch.testing.assert_close(got, want, rtol=1e-3, atol=1e-4)
        step = env.stay()


def test_units_are_folded_in_and_out() -> None:
    network = PolicyNetwork(NetworkShape(((0, 2),), 3, 4, (8,), mean_action="none"), 0)
    centre, scale = np.array([1, -2, 0.5], np.float32), np.array([0.5, 3, 1], np.float32)
    units = Units(centre, scale, Potential(np.zeros(3), np.zeros(1), 0.9))
    obs = torch.rand(5, 2, 3)
    want = network.q_values(torch.from_numpy(units.of(obs.numpy())), torch.zeros(5, 2, 0))
    fold(network.mlp, units)
    torch.testing.assert_close(network.q_values(obs, torch.zeros(5, 2, 0)), want)
    fold(network.mlp, units, inverse=True)
    again = network.q_values(torch.from_numpy(units.of(obs.numpy())), torch.zeros(5, 2, 0))
    torch.testing.assert_close(again, want)


def test_units_are_of_play_where_everyone_stays() -> None:
    seen = staying(dilemma(), 0, "fresh", 0)
    units = seen.units
    # signal, shares of the two actions (nobody in the first of 10 periods), the clock
    times = np.stack([clock(t, 10) for t in range(10)])
    np.testing.assert_allclose(units.centre, [1, 0.9, 0, *times.mean(0)], rtol=1e-5)
    np.testing.assert_allclose(units.scale, [1, 0.3, 1, *[1] * (CLOCK - 1), np.std(np.arange(10) / 10)], rtol=1e-5)
    # everyone cooperates and earns 3 in every period, so that nothing spreads
    left = np.arange(10, 0, -1)
    np.testing.assert_allclose(units.potential.level, 3 * (1 - DISCOUNT**left) / (1 - DISCOUNT))
    assert not units.potential.slope.any()
    assert seen.spread is None


def test_a_potential_takes_what_stock_is_worth_off_the_rewards() -> None:
    """Goods are bought in one period and sold in others: rewards spread far less where they are told apart from it."""
    player = reference_player("base_stock", DISCOUNT)
    subject = Subject(partial(game, "inventory/market-easy"), player, DISCOUNT)
    seen = staying(subject, 1, "fresh", 0)
    env = subject.deviation(1, "type", 32, 1, units=seen.units)
    env.reset(1)
    told = np.stack([env.stay().reward for _ in range(env.horizon)])
    # of other episodes than those that the potential was fitted on
    assert told.std() == pytest.approx(seen.spread, rel=0.1)
    assert abs(told.mean()) < 0.1 * seen.spread
    env = subject.deviation(1, "type", 32, 1)
    env.reset(1)
    earned = np.stack([env.stay().reward for _ in range(env.horizon)])
    assert told.std() < 0.7 * earned.std()


@pytest.mark.parametrize("algorithm", ["mfq", "mfac"])
@pytest.mark.parametrize("who", ["one", "type"])
def test_deviators_of_cooperators_defect(algorithm: Any, who: Any, tmp_path: Path) -> None:
    # eight copies of one deviator, or of all nine agents
    playing = 8 if who == "one" else 72
    config = small(algorithm=algorithm, deviators=playing, batch_agent_steps=4 * playing, num_episodes=192 * playing)
    folder = train_deviator(dilemma(), 0, tmp_path / "d", config, who=who)
    network = Policy.load(folder).network
    env = dilemma().deviation(0, who, 2, 0)
    assert (greedy(network)(env.reset(0).obs) == 1).all()


def test_several_train_in_one_copy_and_one_is_saved(tmp_path: Path) -> None:
    config = small(crowd=3, deviators=24, num_episodes=240)
    trainer = DeviatorTrainer(dilemma(), 0, "one", "fresh", config)
    env = trainer.rollout.env
    assert (env.num_envs, env.num_agents) == (8, 3)
    rounds = 0
    while not trainer.done:
        trainer.iterate()
        rounds += 1
    assert (trainer.learner.episodes, rounds) == (80, 10)
    act = greedy(trainer.policy())
    alone = dilemma().deviation(0, "one", 5, 0)
    assert act(alone.reset(0).obs).shape == (5, 1)
    with pytest.raises(ValueError, match=r"have shape \(8, 3, 20\); this deviator's are \[R, 1, 20\]"):
        act(env.reset(0).obs)


def test_a_deviator_knows_when_the_game_ends() -> None:
    """What is left in stock at T is worth nothing: an order of the last period that arrives after it only costs."""
    subject = reference_subject(
        "base_stock", "inventory/market-easy", num_agents=9, options={"horizon": 5, "jitter": 0.0}
    )
    config = small(
        num_episodes=6000, deviators=32, batch_agent_steps=256,
        mfq=MFQConfig(learning_rate=3e-3, learning_rate_end=1e-4, target_rate=0.5, huber=False, temperature_end=0.03),
    )  # fmt: skip
    trainer = DeviatorTrainer(subject, 1, "one", "fresh", config)
    while not trainer.done:
        trainer.iterate()
    act, env = greedy(trainer.policy()), subject.deviation(1, "one", 64, 3)
    step, orders = env.reset(3), []
    for _ in range(5):
        actions = act(step.obs)
        orders.append(actions.mean())
        step = env.step(actions)
    assert orders[4] < 0.2
    assert max(orders[:3]) > 1


class Stopped(Exception):
    """What a test stops training with."""


@pytest.mark.parametrize("config", [small(), small(algorithm="mfac", mfac=MFACConfig(epochs=2))])
def test_what_was_stopped_goes_on_bit_for_bit(config: DeviatorConfig, tmp_path: Path) -> None:
    subject = reference_subject("random", "inventory/market-easy", num_agents=9, options={"horizon": 4})
    whole = train_deviator(subject, 1, tmp_path / "whole", config)

    def stop(episodes: int) -> None:
        if episodes >= 72:
            raise Stopped

    with pytest.raises(Stopped):
        train_deviator(subject, 1, tmp_path / "parts", config, told=stop)
    # as SIGKILL in the writing of the policy does; no process ever has this number
    left_over = tmp_path / "parts" / "policy" / ".policy.safetensors.4194305.tmp"
    left_over.parent.mkdir()
    left_over.write_bytes(b"half")
    seen: list[int] = []
    parts = train_deviator(subject, 1, tmp_path / "parts", config, told=seen.append)
    assert 0 < len(seen) < 12
    assert sorted(path.name for path in parts.iterdir()) == sorted(path.name for path in whole.iterdir())
    for name in ("policy.safetensors", "policy.json"):
        assert (whole / name).read_bytes() == (parts / name).read_bytes()
    # what is finished is not done again
    assert train_deviator(subject, 1, tmp_path / "parts", config, told=seen.append) == parts
    assert len(seen) < 12


def test_a_killed_deviator_goes_on(tmp_path: Path) -> None:
    folder = tmp_path / "d"
    program = (
        "import sys; from pathlib import Path; from tests.mfmarl.test_deviator import *;"
        "train_deviator(dilemma(), 0, Path(sys.argv[1]), small(num_episodes=100_000))"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", program, str(folder)], env=os.environ | {"PYTHONPATH": str(ROOT)}, cwd=ROOT
    )
    while child.poll() is None and not checkpoint_paths(folder):
        time.sleep(0.01)
    child.send_signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    with pytest.raises(UserError, match=f"{folder} holds a deviator of other settings"):
        train_deviator(dilemma(), 0, folder, small())
    seen: list[int] = []

    def stop(episodes: int) -> None:
        seen.append(episodes)
        raise Stopped

    with pytest.raises(Stopped):
        train_deviator(dilemma(), 0, folder, small(num_episodes=100_000), told=stop)
    assert seen[0] > 8


def test_units_come_back_from_the_checkpoint() -> None:
    """They are not worked out again: their last bits hang on the number of threads."""
    first, second = (DeviatorTrainer(dilemma(), 0, "one", "fresh", small()) for _ in range(2))
    first.units.potential.slope[:] = 0.25
    first.iterate()
    second.set_state(*first.get_state())
    np.testing.assert_array_equal(second.units.potential.slope, 0.25)
    assert cast(DeviationEnv, second.rollout.env).units is second.units
    for trainer in (first, second):
        trainer.iterate()
    torch.testing.assert_close(second.policy().state_dict(), first.policy().state_dict(), rtol=0, atol=0)


def test_without_networks_there_is_no_checkpoint_to_start_from() -> None:
    with pytest.raises(ValueError, match="no networks to start from"):
        DeviatorTrainer(dilemma(), 0, "one", "checkpoint", small())


def test_values_are_levelled_to_zero_where_everyone_stays() -> None:
    """As far as the last layer can tell: what is left is told by none of its inputs."""
    network = PolicyNetwork(NetworkShape(((0, 3),), 4, 5, (8,), mean_action="none"), 1)
    rows = np.random.default_rng(0).normal(size=(300, 4)).astype(np.float32)
    seen, nothing = torch.from_numpy(rows).reshape(100, 3, 4), torch.zeros(100, 3, 0)
    before = network.q_values(seen, nothing)
    level_values(network, rows)
    after = network.q_values(seen, nothing)
    # what is preferred stays as it is
    torch.testing.assert_close(after - after.mean(-1, keepdim=True), before - before.mean(-1, keepdim=True))
    left = after.max(-1).values.reshape(-1)
    hidden = torch.relu(torch.from_numpy(rows) @ network.mlp.weights[0][0] + network.mlp.biases[0][0])
    assert float(left.mean()) == pytest.approx(0, abs=1e-5)
    torch.testing.assert_close(hidden.T @ left / len(left), torch.zeros(8), atol=1e-5, rtol=0)
    assert float(left.std()) < float(before.max(-1).values.std())
