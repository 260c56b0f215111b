"""The RLlib path on a real Ray, held against the Ray-free trainer. One Ray for all tests of the session."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from mfmarl.config import TrainConfig
from mfmarl.errors import TrainingFailed
from mfmarl.trainer import LocalTrainer

ray = pytest.importorskip("ray")
pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("one_ray")]


def config(**changes: object) -> TrainConfig:
    small = {
        "num_agents": 12,
        "num_envs": 4,
        "num_episodes": 64,
        "fragment_length": 13,
        "seed": 11,
        "mfq": {"warmup_population_steps": 52, "hidden": [16, 16], "batch_population_steps": 2},
        "mfac": {"warmup_population_steps": 52, "hidden": [16, 16], "batch_population_steps": 4, "replayed": 0.5},
    }
    return TrainConfig.model_validate(small | changes)


def flat(trainer: object) -> dict[str, np.ndarray]:
    tensors, _ = trainer.get_state()  # type: ignore[attr-defined]
    return {f"{file}/{name}": array for file, table in tensors.items() for name, array in table.items()}


def three_iterations(trainer: object) -> None:
    for _ in range(3):
        trainer.iterate()  # type: ignore[attr-defined]


def assert_equal(first: dict[str, np.ndarray], second: dict[str, np.ndarray]) -> None:
    assert first.keys() == second.keys()
    for name, array in first.items():
        np.testing.assert_array_equal(array, second[name], err_msg=name)


@pytest.mark.parametrize(("runners", "learners"), [(0, 0), (1, 0), (2, 0), (0, 1), (2, 1)])
def test_equals_the_local_trainer_bit_for_bit(runners: int, learners: int) -> None:
    from mfmarl.rllib.trainer import RLlibTrainer

    chosen = config(num_env_runners=runners, num_learners=learners, method="is")
    local, distributed = LocalTrainer(chosen), RLlibTrainer(chosen)
    try:
        for _ in range(6):
            assert local.iterate() == distributed.iterate()
        assert local.progress() == distributed.progress()
        assert local.learner.gradient_steps > 50
        assert_equal(flat(local), flat(distributed))
    finally:
        distributed.close()


@pytest.mark.parametrize(
    ("mode", "runners", "learners"),
    [("levels", 0, 0), ("levels", 1, 0), ("levels", 2, 1), pytest.param("continuous", 2, 1, marks=pytest.mark.soak)],
)
def test_actor_critic_equals_the_local_trainer_bit_for_bit(mode: str, runners: int, learners: int) -> None:
    from mfmarl.rllib.trainer import RLlibTrainer

    options = {"action_mode": mode}
    chosen = config(algorithm="mfac", num_env_runners=runners, num_learners=learners, method="is", env_options=options)
    local, distributed = LocalTrainer(chosen), RLlibTrainer(chosen)
    try:
        for _ in range(4):
            assert local.iterate() == distributed.iterate()
        assert local.learner.gradient_steps > 50
        assert_equal(flat(local), flat(distributed))
    finally:
        distributed.close()


def test_resumes_bit_for_bit_into_new_runners() -> None:
    from mfmarl.rllib.trainer import RLlibTrainer

    chosen = config(num_env_runners=2, method="is")
    first = RLlibTrainer(chosen)
    for _ in range(4):
        first.iterate()
    tensors, states = first.get_state()
    tensors = {f: {k: v.copy() for k, v in t.items()} for f, t in tensors.items()}
    for _ in range(3):
        first.iterate()
    want = flat(first)
    first.close()
    second = RLlibTrainer(chosen)
    second.set_state(tensors, states)
    for _ in range(3):
        second.iterate()
    assert_equal(want, flat(second))
    second.close()


def test_a_killed_runner_is_replaced_and_no_update_is_lost() -> None:
    from mfmarl.rllib.trainer import RLlibTrainer

    trainer = RLlibTrainer(config(num_env_runners=2))
    trainer.iterate()
    manager = trainer.algorithm.env_runner_group._worker_manager
    ray.kill(manager.actors()[1], no_restart=False)
    for _ in range(3):
        trainer.iterate()
    progress = trainer.progress()
    assert progress["iteration"] == 4
    assert progress["env_steps"] == 4 * 2 * 4 * 13
    trainer.close()
    undisturbed = LocalTrainer(config(num_env_runners=2))
    for _ in range(4):
        undisturbed.iterate()
    assert progress["gradient_steps"] == undisturbed.progress()["gradient_steps"] > 0


def test_a_reward_that_is_no_number_reaches_the_driver_before_any_update() -> None:
    from mfmarl.rllib.trainer import RLlibTrainer

    trainer = RLlibTrainer(config())
    trainer.iterate()
    env = trainer.algorithm.env_runner.rollout.env
    play = env.step

    def spoilt(actions: np.ndarray) -> object:
        step = play(actions)
        reward = step.reward.copy()
        reward[1, 3] = math.nan
        return dataclasses.replace(step, reward=reward)

    env.step = spoilt
    with pytest.raises(TrainingFailed, match=r"convenience_3 \(agent 3, copy 1\) got reward nan at step"):
        three_iterations(trainer)
    trainer.close()


def test_an_environment_that_raises_in_a_remote_runner_is_heard() -> None:
    from mfmarl.rllib.trainer import RLlibTrainer

    trainer = RLlibTrainer(config(num_env_runners=2))
    trainer.iterate()

    def spoil(runner: object) -> None:
        def broken(actions: np.ndarray) -> object:
            raise ValueError("the warehouse burnt down")

        runner.rollout.env.step = broken  # type: ignore[attr-defined]

    trainer.algorithm.env_runner_group.foreach_env_runner(spoil, local_env_runner=False)
    with pytest.raises(TrainingFailed, match="ValueError in an environment runner: the warehouse burnt down"):
        three_iterations(trainer)
    trainer.close()


def test_all_streams_of_8_runners_with_4_copies_are_distinct() -> None:
    from mfmarl.trainer import make_rollout

    chosen = config(num_envs=4)
    first = [make_rollout(chosen, runner).env._seeds for runner in range(8)]  # type: ignore[attr-defined]
    assert np.unique(np.concatenate(first)).size == 32
    restarted = make_rollout(chosen, 3, epoch=1).env._seeds  # type: ignore[attr-defined]
    assert np.intersect1d(restarted, np.concatenate(first)).size == 0
