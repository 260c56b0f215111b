"""Runners that die or hang end the run, by name and in time; those that are slow do not."""

from __future__ import annotations

import os
import time
from typing import Any

import pytest

from mfmarl.config import TrainConfig, config_from
from mfmarl.errors import TrainingFailed

ray = pytest.importorskip("ray")
pulse = pytest.importorskip("mfmarl.rllib.pulse")
pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("one_ray")]

SMALL: dict[str, Any] = {
    "num_agents": 10,
    "num_envs": 2,
    "num_episodes": 64,
    "fragment_length": 6,
    "seed": 3,
    "num_env_runners": 1,
    "env_options": {"horizon": 6},
    "mfq": {"warmup_population_steps": 52, "hidden": [16, 16], "batch_population_steps": 2},
    "ppo": {"batch_agent_steps": 12, "epochs": 1, "hidden": [16, 8]},
}


def config(algorithm: str) -> TrainConfig:
    plain = {k: v for k, v in SMALL.items() if k == algorithm or not isinstance(v, dict) or k == "env_options"}
    return config_from(plain | {"algorithm": algorithm})


def started(algorithm: str) -> Any:
    from mfmarl.rllib.baselines import BaselineTrainer
    from mfmarl.rllib.trainer import RLlibTrainer

    return (RLlibTrainer if algorithm == "mfq" else BaselineTrainer)(config(algorithm))


def patience(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    monkeypatch.setattr("mfmarl.rllib.pulse.NO_STEP_S", seconds)


def each_step_takes(trainer: Any, seconds: float) -> None:
    """From now on, in all runners."""

    def slow(runner: Any) -> None:
        games = [runner.rollout.env] if hasattr(runner, "rollout") else [e.unwrapped for e in runner.env.envs]
        for game in games:

            def step(actions: Any, play: Any = game.step) -> Any:
                time.sleep(seconds)
                return play(actions)

            game.step = step

    trainer.algorithm.env_runner_group.foreach_env_runner(slow, local_env_runner=False)


def four_iterations(trainer: Any) -> None:
    for _ in range(4):
        trainer.iterate()


def fails(trainer: Any, told: str) -> None:
    """The next iterations do, and stopping does not wait for what hangs."""
    start = time.monotonic()
    with pytest.raises(TrainingFailed, match=told):
        four_iterations(trainer)
    trainer.close()
    assert time.monotonic() - start < 120


@pytest.mark.parametrize("algorithm", ["mfq", pytest.param("ppo", marks=pytest.mark.soak)])
def test_slow_runners_are_waited_for_and_hanging_ones_end_the_run(
    algorithm: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = started(algorithm)
    trainer.iterate()
    patience(monkeypatch, 5)
    # a fragment of 9 s: PPO's runners step their two copies one by one, and tell every 2 s how far they are
    each_step_takes(trainer, 1.5 if algorithm == "mfq" else 0.75)
    trainer.iterate()
    trainer.iterate()
    assert trainer.progress()["env_steps"] == 3 * 2 * 6
    each_step_takes(trainer, 1e6)
    fails(trainer, r"environment runners \[1\] are dead or hang: no step of theirs for 5 s; the last checkpoint")


def test_patience_ends_within_60_s() -> None:
    """With what Ray takes to notice."""
    assert pulse.NO_STEP_S + 10 <= 60


def test_all_runners_dead_for_good_end_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = started("mfq")
    trainer.iterate()
    for actor in trainer.algorithm.env_runner_group._worker_manager.actors().values():
        ray.kill(actor)
    patience(monkeypatch, 3)
    fails(trainer, r"environment runners \[1\] are dead or hang")


def test_all_of_rllibs_runners_dead_end_the_run() -> None:
    trainer = started("ppo")
    trainer.iterate()
    for actor in trainer.algorithm.env_runner_group._worker_manager.actors().values():
        ray.kill(actor)
    fails(trainer, "a Ray worker failed .*ActorDiedError")


@pytest.mark.soak
def test_a_runner_that_dies_in_every_sample_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Being restarted is no progress, however often it succeeds."""
    import mfmarl.rllib.algorithm as algorithm

    class Mortal(algorithm.MeanFieldEnvRunner):  # type: ignore[misc]
        def sample(self, **asked: Any) -> list[Any]:
            self._asked = (asked["fragment"], self.rollout.total_steps)
            self.rollout.collect(3)
            os._exit(1)

    monkeypatch.setattr(algorithm, "MeanFieldEnvRunner", Mortal)
    trainer = started("mfq")
    patience(monkeypatch, 12)
    fails(trainer, r"environment runners \[1\] are dead or hang: no step of theirs for 12 s")
