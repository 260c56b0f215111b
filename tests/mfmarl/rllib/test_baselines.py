"""RLlib's own PPO and DQN: run folders like any other, and policies that are exactly RLlib's."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

import envs
from mfmarl.cli import run_command
from mfmarl.config import TrainConfig, config_from
from mfmarl.errors import TrainingFailed, UserError
from mfmarl.network import PolicyNetwork
from mfmarl.policy import Policy, network_from
from mfmarl.runs.checkpoint import latest_checkpoint
from mfmarl.runs.journal import read_journal
from mfmarl.runs.schema import open_run
from mfmarl.runs.store import read_evaluation
from mfmarl.seeding import stream

pytest.importorskip("ray")
pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("one_ray")]

ALGORITHMS = ("ppo", "dqn")
SMALL: dict[str, Any] = {
    "num_agents": 10,
    "num_envs": 2,
    "fragment_length": 6,
    "seed": 3,
    "env_options": {"horizon": 6},
    "ppo": {"batch_agent_steps": 12, "epochs": 1, "hidden": [16, 8]},
    "dqn": {"batch_agent_steps": 12, "hidden": [16, 8], "warmup_population_steps": 8, "target_every": 12},
}
TYPES = ["convenience", "supermarket", "discounter"]


def config(algorithm: str, **changes: Any) -> TrainConfig:
    return config_from(SMALL | {"algorithm": algorithm, "num_episodes": 6} | changes)


def trainer(algorithm: str, **changes: Any) -> Any:
    from mfmarl.rllib.baselines import BaselineTrainer

    return BaselineTrainer(config(algorithm, **changes))


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, one_ray: None) -> dict[str, Path]:
    """A run of three iterations of each, through the command line, evaluated."""
    folder = tmp_path_factory.mktemp("runs")
    for algorithm in ALGORITHMS:
        sets = ["num_envs=2", "fragment_length=6", "env_options.horizon=6"]
        sets += [f"{algorithm}.{key}={value}" for key, value in SMALL[algorithm].items()]
        flags = ["--algorithm", algorithm, "--num-agents", "10", "--num-episodes", "6", "--seed", "3", "--quiet"]
        assert run_command(["train", *flags, "--runs-dir", str(folder), "--name", algorithm, "--set", *sets]) == 0
        assert run_command(["evaluate", str(folder / algorithm), "--episodes", "2"]) == 0
    return {algorithm: folder / algorithm for algorithm in ALGORITHMS}


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_run_is_a_run_like_any_other(algorithm: str, runs: dict[str, Path]) -> None:
    run = runs[algorithm]
    assert (run / "complete.json").exists()
    info = open_run(run)
    assert info.config.label == algorithm
    sizes = np.bincount(info.agent_types)
    lines = read_journal(run)
    assert [line["iteration"] for line in lines] == [1, 2, 3]
    for i, line in enumerate(lines, 1):
        assert (line["env_steps"], line["agent_steps"], line["episodes"]) == (12 * i, 120 * i, 2 * i)
        metrics = line["metrics"]
        by_type = [metrics[f"return_mean/{name}"] for name in TYPES]
        assert metrics["return_mean"] == pytest.approx(np.average(by_type, weights=sizes))
        # no discounting would be larger in size, none at all the profit of one step
        assert abs(metrics["return_mean"]) == pytest.approx(6 * abs(metrics["profit_mean"]), rel=0.1)
        assert all(np.isfinite(v) for v in metrics.values())
        assert {"loss", *(f"loss/{name}" for name in TYPES)} <= metrics.keys()
    last = lines[-1]
    assert last["gradient_steps"] >= 9
    assert lines[0]["gradient_steps"] < last["gradient_steps"]
    if algorithm == "ppo":
        assert 0 < last["metrics"]["entropy"] < np.log(11)
    else:
        # half the run is 18 environment steps: 12 of them leave a third of the way from 1 to 0.02
        assert lines[0]["metrics"]["epsilon"] == pytest.approx(1 - 12 / 18 * 0.98)
        assert last["metrics"]["epsilon"] == pytest.approx(0.02)
    evaluation = read_evaluation(run / "evaluation.h5")
    assert (evaluation.method, evaluation.algorithm) == (algorithm, algorithm)
    assert np.isfinite(evaluation.policies["trained"].metrics["return"]).all()


def test_runs_are_reported_side_by_side(runs: dict[str, Path], tmp_path: Path) -> None:
    assert run_command(["report", *map(str, runs.values()), "--out", str(tmp_path)]) == 0
    page = (tmp_path / "index.html").read_text()
    assert "RLlib PPO" in page
    assert "RLlib DQN" in page


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_policies_are_rllibs_own(algorithm: str) -> None:
    made = trainer(algorithm)
    for _ in range(2):
        made.iterate()
    tensors, states = made.get_state()
    policy = Policy(network_from(tensors["policy"], states["policy"]))
    rng = np.random.default_rng(0)
    obs = rng.normal(size=(200, 10, made.observations)).astype(np.float32)
    mean = rng.dirichlet(np.ones(11), size=(200, 10)).astype(np.float32)
    mine = policy.probs(obs, mean)
    env = envs.make("inventory/market-easy", num_agents=10, seed=0)
    for k, name in enumerate(TYPES):
        agents = np.flatnonzero(env.agent_types == k)
        seen = torch.from_numpy(np.concatenate([obs, mean], -1)[:, agents])
        module = made.algorithm.get_module(name)
        with torch.no_grad():
            out = module.forward_inference({"obs": seen.flatten(0, 1)})
        if algorithm == "ppo":
            theirs = torch.softmax(out["action_dist_inputs"], -1)
        else:
            theirs = torch.nn.functional.one_hot(out["actions"], 11)
        np.testing.assert_allclose(mine[:, agents].reshape(-1, 11), theirs.numpy(), atol=1e-5)
    # the comparison is of something: actions are not all alike
    assert len(np.unique(mine.argmax(-1))) > 1
    made.close()


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_one_seed_gives_one_run(algorithm: str, runs: dict[str, Path]) -> None:
    again = trainer(algorithm)
    journal = [again.iterate() for _ in range(3)]
    tensors, states = again.get_state()
    again.close()
    first = latest_checkpoint(runs[algorithm])
    assert [line["metrics"] for line in read_journal(runs[algorithm])] == journal
    for file, table in tensors.items():
        assert table.keys() == first.tensors[file].keys()
        for name, array in table.items():
            np.testing.assert_array_equal(array, first.tensors[file][name], err_msg=f"{file}/{name}")
    assert json.loads(json.dumps(states)) == first.states


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_goes_on_with_weights_moments_and_counters(algorithm: str, runs: dict[str, Path]) -> None:
    checkpoint = latest_checkpoint(runs[algorithm])
    second = trainer(algorithm, num_episodes=12)
    start = Policy(_network(second)).network.state_dict()
    second.set_state(checkpoint.tensors, checkpoint.states)
    tensors, states = second.get_state()
    assert not torch.equal(start["mlp.weights.0"], torch.from_numpy(checkpoint.tensors["policy"]["mlp.weights.0"]))
    assert json.loads(json.dumps(states)) == checkpoint.states
    for file in ("policy", "modules", "optimiser"):
        for name, array in checkpoint.tensors[file].items():
            np.testing.assert_array_equal(array, tensors[file][name], err_msg=f"{file}/{name}")
    # runners play with them too
    runner, own = second.algorithm.env_runner, second.algorithm.learner_group._learner
    for name in TYPES:
        playing, learning = runner.module[name].state_dict(), own.module[name].state_dict()
        assert all(torch.equal(tensor, learning[key]) for key, tensor in playing.items())
    second.iterate()
    assert second.progress()["iteration"] == 4
    assert second.progress()["env_steps"] == 48
    assert second.progress()["episodes"] == 8
    second.close()


def _network(made: Any) -> PolicyNetwork:
    tensors, states = made.get_state()
    return network_from(tensors["policy"], states["policy"])


def test_copies_play_streams_of_their_own_and_a_resumed_run_plays_new_ones() -> None:
    from mfmarl.rllib.stock_env import StockEnv, follow_streams

    def starts(epoch: int) -> list[float]:
        found = []
        for runner in range(3):
            options = {"name": "inventory/market-easy", "num_agents": 10, "reward_scale": [1.0] * 10}
            copies = [StockEnv(options | {"discount": 0.9, "root": 5, "epoch": epoch, "seed": 0}) for _ in range(2)]
            follow_streams(env_runner=SimpleNamespace(worker_index=runner), env=SimpleNamespace(envs=copies))
            for copy in copies:
                # RLlib gives copies of several runners the same seed
                copy.reset(seed=1)
                found.append(sum(copy.step(dict.fromkeys(copy.agents, 9))[1].values()))
        return found

    first, later = starts(0), starts(1)
    assert len({*first, *later}) == 12
    assert starts(0) == first


def test_rewards_are_scaled_and_returns_are_not() -> None:
    from envs.views.multi_agent import PopulationMultiAgentEnv
    from mfmarl.rllib.stock_env import StockEnv

    options = {"name": "inventory/market-easy", "num_agents": 10, "seed": 0, "horizon": 3}
    plain = PopulationMultiAgentEnv(options)
    ours = StockEnv(options | {"reward_scale": [4.0] * 10, "discount": 0.5, "root": 5, "epoch": 0})
    ours.follow(0, 0)
    plain.reset(seed=stream(5, "env", 0, 0, 0))
    ours.reset()
    orders = dict.fromkeys(plain.agents, 7)
    paid = np.zeros((3, 10))
    for t in range(3):
        obs, rewards, *_ = plain.step(orders)
        seen, scaled, *_ = ours.step(dict.fromkeys(ours.agents, 7))
        paid[t] = list(rewards.values())
        np.testing.assert_allclose(list(scaled.values()), paid[t] / 4.0)
        np.testing.assert_array_equal(list(seen.values()), list(obs.values()))
        assert list(seen) == list(range(10))
    [(returns, profits)] = ours.take_finished()
    np.testing.assert_allclose(returns, paid[0] + 0.5 * paid[1] + 0.25 * paid[2])
    np.testing.assert_allclose(profits, paid.mean(0))
    assert ours.take_finished() == []


@pytest.mark.parametrize(("field", "what"), [("reward", "reward"), ("obs", "observation"), ("final", "observation")])
@pytest.mark.parametrize("value", [np.nan, -np.inf])
def test_a_copy_refuses_what_is_no_number_by_agent_step_and_seed(field: str, what: str, value: float) -> None:
    from mfmarl.rllib.stock_env import StockEnv

    options = {"name": "inventory/market-easy", "num_agents": 10, "seed": 0, "horizon": 3, "reward_scale": [1.0] * 10}
    copy = StockEnv(options | {"discount": 0.5, "root": 5, "epoch": 0})
    copy.follow(2, 1)
    copy.reset()
    orders, play = dict.fromkeys(copy.agents, 7), copy.population.step
    copy.step(orders)

    def spoilt(actions: np.ndarray) -> Any:
        step = play(actions)
        table = getattr(step, "final_obs" if field == "final" else field)
        table[(0, 4, 0) if table.ndim == 3 else (0, 4)] = value
        return step

    if field == "final":
        copy.step(orders)
    copy.population.step = spoilt
    at = 2 if field == "final" else 1
    told = (
        rf"agent_4 got {what} {value} at step {at} of its episode \(copy 1 of runner 2, seed 5\); nothing was learned"
    )
    with pytest.raises(TrainingFailed, match=told):
        copy.step(orders)


def test_plays_in_a_remote_process() -> None:
    made = trainer("ppo", num_env_runners=1)
    before = _network(made).state_dict()
    metrics = made.iterate()
    assert made.progress()["env_steps"] == 12
    assert made.progress()["episodes"] == 2
    assert np.isfinite(metrics["return_mean"])
    assert not torch.equal(before["mlp.weights.0"], _network(made).state_dict()["mlp.weights.0"])
    made.close()


def test_a_reward_that_is_no_number_stops_before_anything_is_learned() -> None:
    made = trainer("ppo")
    game = made.algorithm.env_runner.env.envs[1].unwrapped
    play = game.population.step

    def spoilt(actions: np.ndarray) -> Any:
        step = play(actions)
        step.reward[0, 4] = np.nan
        return step

    game.population.step = spoilt
    before = _network(made).state_dict()
    with pytest.raises(TrainingFailed, match="agent_4 got reward nan at step 0 of its episode"):
        made.iterate()
    after = _network(made).state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    made.close()


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"method": "mf"}, "ppo is RLlib's own and has no method; leave it out"),
        ({"mfq": {"discount": 0.9}}, "ppo is RLlib's own and has no mfq; leave it out"),
        ({"importance": {"clip": 5.0}}, "ppo is RLlib's own and has no importance; leave it out"),
        ({"sharing": "all"}, "ppo is RLlib's own and has no sharing; leave it out"),
        ({"ppo": {"batch_agent_steps": 13}}, "ppo.batch_agent_steps=13 is more than num_envs x fragment_length = 12"),
        ({"algorithm": "dqn", "dqn": {"replay_population_steps": 23}}, "does not hold two fragments of 12"),
    ],
)
def test_what_a_baseline_lacks_is_refused(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(UserError) as error:
        config(**({"algorithm": "ppo"} | changes))
    assert told in str(error.value)


def test_local_training_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["train", "--algorithm", "dqn", "--local", "--runs-dir", str(tmp_path)]) == 2
    assert capsys.readouterr().err == "mfmarl: dqn is RLlib's own and does not train without Ray; leave out --local\n"
    assert list(tmp_path.iterdir()) == []
