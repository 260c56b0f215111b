"""A runner killed every 5 s, 24 times: the run goes on as if nothing were, and ends with the same number of updates.

That is 2 minutes where a runner is back within 5 s; a busy machine takes longer for as many.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from mfmarl.config import config_from

ray = pytest.importorskip("ray")
pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("one_ray")]

RUNNERS, EVERY_S, KILLS, WAIT_S = 3, 5.0, 24, 420.0
SETTINGS: dict[str, Any] = {
    "num_agents": 12,
    "num_envs": 4,
    "num_episodes": 10**6,
    "seed": 11,
    "num_env_runners": RUNNERS,
    "mfq": {"warmup_population_steps": 104, "hidden": [16, 16], "batch_population_steps": 4},
    "mfac": {"warmup_population_steps": 104, "hidden": [16, 16], "batch_population_steps": 4},
}


def kill_in_turn(trainer: Any, over: threading.Event, killed: list[int]) -> None:
    """`KILLS` of them, or until `over` is set; none twice in an iteration, for one that never plays ends the run."""
    manager = trainer.algorithm.env_runner_group._worker_manager
    last = dict.fromkeys(range(1, RUNNERS + 1), 0)
    while len(killed) < KILLS and not over.wait(EVERY_S):
        iteration = trainer.progress()["iteration"]
        runner = min(last, key=lambda r: last[r])
        if last[runner] < iteration and manager.is_actor_healthy(runner):
            ray.kill(manager.actors()[runner], no_restart=False)
            last[runner] = iteration
            killed.append(runner)


@pytest.mark.parametrize("algorithm", ["mfq", "mfac"])
def test_killed_runners_cost_no_update(algorithm: str, record_property: Callable[[str, object], None]) -> None:
    from mfmarl.rllib.trainer import RLlibTrainer

    config = config_from(SETTINGS | {"algorithm": algorithm})
    trainer, over, killed = RLlibTrainer(config), threading.Event(), list[int]()
    # loops are compiled
    trainer.iterate()
    trainer.iterate()
    killer = threading.Thread(target=kill_in_turn, args=(trainer, over, killed))
    end = time.monotonic() + WAIT_S
    killer.start()
    try:
        while killer.is_alive() and time.monotonic() < end:
            trainer.iterate()
        trainer.iterate()
    finally:
        over.set()
        killer.join()
    disturbed = trainer.progress()
    trainer.close()
    record_property("runners killed", len(killed))
    record_property("iterations", disturbed["iteration"])
    record_property("gradient steps", disturbed["gradient_steps"])
    assert len(killed) == KILLS
    undisturbed = RLlibTrainer(config)
    while undisturbed.progress()["iteration"] < disturbed["iteration"]:
        undisturbed.iterate()
    calm = undisturbed.progress()
    undisturbed.close()
    counters = ("iteration", "env_steps", "agent_steps")
    assert {name: disturbed[name] for name in counters} == {name: calm[name] for name in counters}
    lost = calm["gradient_steps"] - disturbed["gradient_steps"]
    record_property("gradient steps fewer than undisturbed", lost)
    # what follows a runner's last steps dies with it: MF-AC leaves these steps out, here a minibatch of each epoch
    assert 0 <= lost <= (0 if algorithm == "mfq" else KILLS * config.mfac.epochs)
