"""Several learners on a real Ray. What they learn is held against one learner in algorithms/test_peers.py."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from mfmarl.config import TrainConfig, config_from
from mfmarl.errors import TrainingFailed, UserError

ray = pytest.importorskip("ray")
pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("one_ray")]

SETTINGS: dict[str, Any] = {
    "num_agents": 12,
    "num_envs": 4,
    "num_episodes": 64,
    "seed": 11,
    "method": "is",
    "num_env_runners": 2,
    "num_learners": 2,
    "mfq": {"warmup_population_steps": 52, "hidden": [16, 16], "batch_population_steps": 2},
    "mfac": {"warmup_population_steps": 52, "hidden": [16, 16], "batch_population_steps": 4, "replayed": 0.5},
}


def config(**changes: Any) -> TrainConfig:
    return config_from(SETTINGS | changes)


def started(chosen: TrainConfig) -> Any:
    from mfmarl.rllib.trainer import RLlibTrainer

    return RLlibTrainer(chosen)


def weights(trainer: Any) -> list[np.ndarray]:
    found: list[np.ndarray] = trainer._on_learners([lambda learner: learner.core.flat.detach().numpy()] * 2)
    return found


@pytest.fixture(scope="module")
def trainer(one_ray: None) -> Iterator[Any]:
    made = started(config())
    yield made
    made.close()


def test_learners_keep_the_same_networks_and_count_all_runners_steps(trainer: Any) -> None:
    start = weights(trainer)[0]
    for _ in range(4):
        metrics = trainer.iterate()
    first, second = weights(trainer)
    np.testing.assert_array_equal(first, second)
    assert np.abs(first - start).max() > 1e-3
    progress = trainer.progress()
    assert (progress["iteration"], progress["env_steps"]) == (4, 4 * 2 * 4 * 13)
    assert progress["agent_steps"] == progress["env_steps"] * 12
    # two a vector step of the copies of each runner
    assert progress["gradient_steps"] == 4 * 2 * 13 * 2
    assert 0 < metrics["ess"] < 1
    assert metrics["entropy"] > 0
    runners = trainer._on_learners([lambda learner: sorted(learner.core.replay.rings)] * 2)
    assert runners == [[0], [1]]


def test_new_learners_go_on_bit_for_bit(trainer: Any) -> None:
    tensors, states = trainer.get_state()
    assert {"replay", "replay_1"} <= tensors.keys()
    assert "learner_1" in states
    tensors = {file: {name: array.copy() for name, array in table.items()} for file, table in tensors.items()}
    told = [trainer.iterate() for _ in range(2)]
    want = weights(trainer)[0]
    trainer.set_state(tensors, states)
    assert [trainer.iterate() for _ in range(2)] == told
    for got in weights(trainer):
        np.testing.assert_array_equal(got, want)


def test_a_killed_learner_ends_the_run_by_name(trainer: Any) -> None:
    """The last one of `trainer`."""
    ray.kill(trainer.algorithm.learner_group._workers[1])
    with pytest.raises(TrainingFailed, match="the last checkpoint stands"):
        trainer.iterate()


def test_a_learner_that_hangs_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = started(config(num_env_runners=0, num_learners=1))
    for _ in range(2):
        chosen.iterate()
    monkeypatch.setattr("mfmarl.rllib.pulse.NO_STEP_S", 5)
    chosen.iterate()

    def stop(learner: Any) -> None:
        learner.core.learn = lambda _: time.sleep(1e6)

    chosen._on_learners([stop])
    with pytest.raises(TrainingFailed, match="the learners hang: no gradient step of theirs for 5 s; the last"):
        chosen.iterate()
    chosen.close()


def test_one_learner_that_fails_is_named_at_once() -> None:
    chosen = started(config(algorithm="mfac"))
    for _ in range(3):
        chosen.iterate()
    np.testing.assert_array_equal(*weights(chosen))
    assert chosen.progress()["gradient_steps"] > 0

    def spoil(learner: Any) -> None:
        def broken(batches: Any) -> Any:
            raise MemoryError("no room for the replay")

        learner.core.learn = broken

    chosen._on_learners([lambda learner: None, spoil])
    try:
        # at once: the other would wait half an hour for its gradients
        with pytest.raises(TrainingFailed, match="MemoryError in learner 1: no room for the replay"):
            chosen.iterate()
    finally:
        chosen.close()


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"num_env_runners": 0}, "num_env_runners=0 is no multiple of it: take 2"),
        ({"num_env_runners": 3}, "num_env_runners=3 is no multiple of it: take 4"),
        ({"mfq": {"batch_population_steps": 5}}, "mfq.batch_population_steps=5 is no multiple of it: take 4"),
    ],
)
def test_learners_that_could_not_share_evenly_are_refused(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(UserError, match=told):
        config(**changes)
