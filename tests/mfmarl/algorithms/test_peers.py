"""Two learners against one that holds what both hold, over torch's own process group."""

from __future__ import annotations

import socket
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from mfmarl.algorithms.learner import Learner, Metrics
from mfmarl.algorithms.peers import Peers
from mfmarl.config import TrainConfig, config_from
from mfmarl.errors import TrainingFailed
from mfmarl.replay import PopulationSample
from mfmarl.rollout import PopulationBatch
from mfmarl.trainer import make_env, make_learner, make_network, make_rollout, merged

ROUNDS = 4
SETTINGS: dict[str, Any] = {
    "num_agents": 9,
    "num_envs": 3,
    "num_episodes": 64,
    "num_env_runners": 2,
    "num_learners": 2,
    "seed": 5,
    "mfq": {"warmup_population_steps": 52, "hidden": [16, 16], "batch_population_steps": 4},
    # one gradient step an epoch: the order of steps does not matter
    "mfac": {"warmup_population_steps": 52, "hidden": [16, 16], "batch_population_steps": 78},
}
CASES: dict[str, dict[str, Any]] = {
    "mf": {"method": "mf"},
    "joint with an ESS floor": {"method": "is", "importance": {"ess_floor": 0.9}},
    "marginal, smoothed": {"method": "is", "importance": {"estimator": "marginal", "pareto": True}},
    "mixture": {"method": "is", "importance": {"estimator": "mixture"}},
    "gaussian, and fresh means": {"method": "is+fresh", "importance": {"estimator": "gaussian", "bandwidth": 0.1}},
    "mfap": {"method": "mfap"},
    "actor-critic": {"algorithm": "mfac", "method": "is"},
    "continuous actor-critic": {"algorithm": "mfac", "method": "is", "env_options": {"action_mode": "continuous"}},
}


def config_of(case: str) -> TrainConfig:
    return config_from(SETTINGS | CASES[case])


def learner_of(config: TrainConfig, peers: Peers) -> Learner:
    env = make_env(config, num_envs=1)
    learner = make_learner(config, env, make_network(config, env), peers)
    # Adam divides by the gradient's size: where that is rounding alone, rounding would decide the step
    learner.optimiser.param_groups[0]["eps"] = 1e-3
    return learner


def fragments(config: TrainConfig) -> list[list[PopulationBatch]]:
    """Of both runners, played by policies that move on between rounds."""
    rollouts = [make_rollout(config, r) for r in range(2)]
    rounds = []
    for _ in range(ROUNDS):
        rounds.append([rollout.collect(config.fragment_length) for rollout in rollouts])
        for rollout in rollouts:
            with torch.no_grad():
                rollout.network.mlp.biases[-1][0, 0] += 0.05
            rollout.network.version += 1
    return rounds


def learn(learner: Learner, rounds: list[list[PopulationBatch]], runners: list[int]) -> list[Metrics]:
    return [learner.learn([batches[r] for r in runners]) for batches in rounds]


def one_of_two(rank: int, port: int, folder: str) -> None:
    """What learner `rank` does with its runner's fragments, case after case."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=2)
    peers = Peers.of_process_group()
    for case in CASES:
        config = config_of(case)
        learner = learner_of(config, peers)
        drawn: list[PopulationSample] = []
        draw = learner.replay.sample

        def recorded(steps: int, rng: np.random.Generator, draw: Any = draw, drawn: Any = drawn) -> PopulationSample:
            drawn.append(draw(steps, rng))
            return drawn[-1]

        learner.replay.sample = recorded  # type: ignore[method-assign]
        metrics = learn(learner, fragments(config), [rank])
        samples = [{f.name: getattr(s, f.name) for f in fields(s)} for s in drawn]
        told = {"samples": samples, "metrics": metrics, "flat": learner.flat.detach(), "scale": learner.reward_scale}
        told["counters"] = {name: getattr(learner, name) for name in ("env_steps", "gradient_steps", "episodes")}
        torch.save(told, f"{folder}/{case}_{rank}.pt")
    spoilt(peers, folder)
    rows, mine = peers.gathered(torch.full((2 + rank, 3), float(rank)))
    assert rows[:, 0].tolist() == [0, 0, 1, 1, 1]
    assert rows[mine].shape == (2 + rank, 3)
    assert bool((rows[mine] == rank).all())
    dist.destroy_process_group()


def spoilt(peers: Peers, folder: str) -> None:
    """A reward of the second learner's that is no number stops both."""
    config = config_of("mf")
    batches = fragments(config)[0]
    batches[1].reward[2, 1, 4] = np.nan
    try:
        learner_of(config, peers).learn([batches[peers.rank]])
    except TrainingFailed as error:
        Path(f"{folder}/spoilt_{peers.rank}").write_text(str(error))


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("learners")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    mp.spawn(one_of_two, (port, str(folder)), nprocs=2)
    return folder


@pytest.mark.parametrize("case", CASES)
def test_two_learners_learn_what_one_with_their_rows_does(case: str, both: Path) -> None:
    first, second = (torch.load(both / f"{case}_{rank}.pt") for rank in range(2))
    assert torch.equal(first["flat"], second["flat"])
    config = config_of(case)
    alone = learner_of(config, Peers())
    steps = [s["action"].shape[0] // (config.mfq.batch_population_steps // 2) for s in first["samples"]]
    # each minibatch is half the first learner's, half the second's
    unions = [
        {
            name: torch.cat([a[name].unflatten(0, (n, -1)), b[name].unflatten(0, (n, -1))], 1).flatten(0, 1)
            for name in a
            if a[name] is not None
        }
        for a, b, n in zip(first["samples"], second["samples"], steps, strict=True)
    ]
    alone.replay.sample = lambda *_: PopulationSample(**unions.pop(0))  # type: ignore[method-assign]
    flat = alone.flat.detach()
    start = flat.clone()
    metrics = learn(alone, fragments(config), [0, 1])
    assert not unions
    for name, value in first["counters"].items():
        assert getattr(alone, name) == value
    torch.testing.assert_close(alone.reward_scale, first["scale"])
    assert float((flat - first["flat"]).abs().max()) < 1e-4 < 0.005 < float((flat - start).abs().max())
    for told, *of_two in zip(metrics, first["metrics"], second["metrics"], strict=True):
        joint = merged(of_two)
        assert told.keys() == joint.keys()
        # weights and guards know all rows, and loss is a mean of equal halves
        for name in told.keys() - {"td_abs", "explained_variance", "kl", "clip_share"}:
            assert joint[name] == pytest.approx(told[name], rel=2e-3, abs=2e-5), name
    assert any(m.get("ess", 1.0) < 1 for m in metrics) == config.method.startswith("is")


def test_what_is_wrong_with_one_is_raised_by_all(both: Path) -> None:
    told = [(both / f"spoilt_{rank}").read_text() for rank in range(2)]
    assert told[0] == told[1]
    assert "agent 4 of copy 1 has reward nan at step 2 of the fragment of runner 1" in told[0]


def test_alone_nothing_changes() -> None:
    peers, rows = Peers(), torch.arange(6.0).view(3, 2)
    found, mine = peers.gathered(rows)
    assert found is rows
    assert torch.equal(rows[mine], rows)
    assert peers.average_(rows) is rows
    assert (peers.total(3), peers.agree(False), peers.first("x"), peers.first(None)) == (3, False, "x", None)
