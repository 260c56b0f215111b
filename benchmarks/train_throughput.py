"""Agent steps sampled and trained per second: mfmarl's path on RLlib against RLlib's stock multi-agent DQN.

    python benchmarks/train_throughput.py --out docs/figures/train_throughput.json

Both play `inventory/market-easy` with N agents, with 2x64 networks of the same inputs (observation and mean action),
in one process on one core, and take the same updates per sample: every sampled agent step is replayed `--replays`
times, in gradient steps of the same number of agent steps. The stock path is RLlib's DQN on the new API stack through
the MultiAgentEnv view, one policy per agent type. Then a profile says where this path's time goes.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import logging
import platform
import pstats
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402
import torch  # noqa: E402

import envs  # noqa: E402
from mfmarl.config import TrainConfig  # noqa: E402
from mfmarl.rllib.quiet import start_ray  # noqa: E402

ENV = "inventory/market-easy"


Path_ = Callable[[float], tuple[float, float, float]]
"""Runs a path for some seconds: agent steps sampled, agent steps trained, seconds."""


def ours(
    method: str, num_agents: int, copies: int, fragment: int, batch: int, replays: float, runners: int = 0
) -> tuple[Path_, Any]:
    """MFQ on RLlib, warmed up, and its trainer."""
    from mfmarl.rllib.trainer import RLlibTrainer

    config = TrainConfig.model_validate(
        {
            "env": ENV,
            "num_agents": num_agents,
            "num_envs": copies,
            "num_env_runners": runners,
            "fragment_length": fragment,
            "num_episodes": 10**9,
            "seed": 0,
            "method": method,
            "mfq": {
                "batch_population_steps": batch,
                "gradient_steps_per_step": replays * copies / batch,
                "warmup_population_steps": 256,
                "replay_population_steps": 4096,
            },
        }
    )
    trainer = RLlibTrainer(config)
    for _ in range(10):
        trainer.iterate()

    def advance(seconds: float) -> tuple[float, float, float]:
        before, began = trainer.progress(), time.perf_counter()
        while time.perf_counter() - began < seconds:
            trainer.iterate()
        elapsed, after = time.perf_counter() - began, trainer.progress()
        trained = (after["gradient_steps"] - before["gradient_steps"]) * batch * num_agents
        return float(after["agent_steps"] - before["agent_steps"]), float(trained), elapsed

    return advance, trainer


def arithmetic(num_agents: int, rate: float, replays: float) -> float:
    """Share of one core's measured rate of matrix products that a rate of agent steps takes.

    Operations: a network of I inputs, two layers of 64 and A outputs costs 2 (64 I + 64^2 + 64 A) forward; a step is
    played once, and for each replay it is valued once and trained on: forward, and back to weights and hidden layers.
    """
    env = envs.make(ENV, num_agents=num_agents, seed=0)
    actions = int(getattr(env.action_space, "n", 0))
    inputs = env.observation_space.shape[0] + actions
    forward = 2 * (64 * inputs + 64 * 64 + 64 * actions)
    back = 2 * forward - 2 * 64 * inputs
    left, right = torch.randn(1600, 64), torch.randn(64, 64)
    best = 0.0
    for _ in range(20):
        began = time.perf_counter()
        for _ in range(100):
            torch.mm(left, right)
        best = max(best, 100 * 2 * 1600 * 64 * 64 / (time.perf_counter() - began))
    return rate * (forward + replays * (2 * forward + back)) / best


def shares(trainer: Any) -> dict[str, float]:
    """Where the time of ten iterations goes."""
    profile = cProfile.Profile()
    profile.enable()
    for _ in range(10):
        trainer.iterate()
    profile.disable()
    return _shares(profile)


def _shares(profile: cProfile.Profile) -> dict[str, float]:
    """Share of the profiled time in each part, by cumulative time."""
    stats: Any = pstats.Stats(profile)
    total = float(stats.total_tt)

    def share(file: str, function: str) -> float:
        times = [v[3] for k, v in stats.stats.items() if k[0].endswith(file) and k[2] == function]
        return float(sum(times)) / total

    sampling, learning = share("mfmarl/rollout.py", "collect"), share("mfmarl/algorithms/mfq.py", "learn")
    targets, weights = share("mfmarl/algorithms/mfq.py", "targets"), share("mfmarl/algorithms/drift.py", "weights")
    replay = share("mfmarl/replay.py", "sample") + share("mfmarl/replay.py", "add")
    game = share("envs/inventory/market.py", "step")
    return {
        "sampling: game": game,
        "sampling: policies and bookkeeping": sampling - game,
        "learning: replay": replay,
        "learning: drift weights": weights,
        "learning: targets": targets - weights,
        "learning: gradient steps": learning - replay - targets,
        "RLlib and the rest": 1.0 - sampling - learning,
    }


def stock(num_agents: int, batch: int, replays: float, runners: int = 0) -> tuple[Path_, Any]:
    """RLlib's DQN through the MultiAgentEnv view, warmed up, and its algorithm."""
    from ray.rllib.algorithms.dqn import DQNConfig
    from ray.rllib.core.rl_module.default_model_config import DefaultModelConfig
    from ray.tune.registry import register_env

    from envs.views.multi_agent import PopulationMultiAgentEnv

    population = envs.make(ENV, num_agents=num_agents, seed=0)
    names, kinds = list(population.type_names), population.agent_types.tolist()
    register_env("mfmarl_stock", lambda config: PopulationMultiAgentEnv(config))
    # RLlib draws train_batch_size transitions for every policy in an update, and takes one update a fragment
    batch_of_policy = round(batch * num_agents / len(names))
    fragment = round(batch / replays)
    config = (
        DQNConfig()
        .environment("mfmarl_stock", env_config={"name": ENV, "num_agents": num_agents, "seed": 0})
        .env_runners(num_env_runners=runners, rollout_fragment_length=fragment)
        .learners(num_learners=0)
        .multi_agent(
            policies=set(names),
            policy_mapping_fn=lambda agent, *_, **__: names[kinds[int(agent.split("_")[1])]],
        )
        .rl_module(model_config=DefaultModelConfig(fcnet_hiddens=[64, 64], fcnet_activation="relu"))
        .training(
            train_batch_size=batch_of_policy,
            num_steps_sampled_before_learning_starts=fragment,
            target_network_update_freq=500,
            replay_buffer_config={"type": "MultiAgentEpisodeReplayBuffer", "capacity": 4096 * num_agents},
            double_q=False,
            dueling=False,
            num_atoms=1,
            gamma=0.99,
            lr=1e-3,
        )
        .reporting(min_time_s_per_iteration=0, min_sample_timesteps_per_iteration=0)
        .debugging(log_level="ERROR", seed=0)
    )
    algorithm = config.build_algo()
    for _ in range(3):
        algorithm.train()

    trained = 0
    update = algorithm.learner_group.update

    def counted(**arguments: Any) -> Any:
        nonlocal trained
        trained += sum(len(episode) for episode in arguments["episodes"])
        return update(**arguments)

    algorithm.learner_group.update = counted

    def lifetime() -> float:
        key = ("env_runners", "num_env_steps_sampled_lifetime")
        return float(algorithm.metrics.peek(key, default=0)) * num_agents

    def advance(seconds: float) -> tuple[float, float, float]:
        sampled_before, trained_before, began = lifetime(), trained, time.perf_counter()
        while time.perf_counter() - began < seconds:
            algorithm.train()
        elapsed = time.perf_counter() - began
        return lifetime() - sampled_before, float(trained - trained_before), elapsed

    return advance, algorithm


def main() -> int:
    """Measure all in turns, so that a busy machine slows all alike, and print the ratios of the medians."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--num-agents", type=int, default=50)
    parser.add_argument("--copies", type=int, default=64)
    parser.add_argument("--fragment", type=int, default=13)
    parser.add_argument("--batch", type=int, default=32, help="population steps in one gradient step")
    parser.add_argument("--replays", type=float, default=1.0, help="times each sampled agent step is trained on")
    parser.add_argument("--seconds", type=float, default=6.0, help="of each turn")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=None, help="JSON to write")
    parser.add_argument("--runner", action="store_true", help="also with one remote runner each, on a second core")
    options = parser.parse_args()
    torch.set_num_threads(1)
    start_ray(num_cpus=4)
    logging.getLogger("ray").setLevel(logging.CRITICAL)
    given = (options.num_agents, options.copies, options.fragment, options.batch, options.replays)
    mf, trainer = ours("mf", *given)
    corrected, _ = ours("is", *given)
    theirs, _ = stock(options.num_agents, options.batch, options.replays)
    paths = {"mfmarl mf": mf, "mfmarl is": corrected, "stock DQN": theirs}
    if options.runner:
        # a second core: the runner plays while the learner learns; RLlib's DQN waits for its runner
        paths["mfmarl mf, 1 runner"], _ = ours("mf", *given, runners=1)
        paths["mfmarl is, 1 runner"], _ = ours("is", *given, runners=1)
        paths["stock DQN, 1 runner"], _ = stock(options.num_agents, options.batch, options.replays, runners=1)
    rates: dict[str, list[float]] = {name: [] for name in paths}
    replayed = dict.fromkeys(paths, 0.0)
    for _ in range(options.rounds):
        for name, advance in paths.items():
            sampled, trained, elapsed = advance(options.seconds)
            rates[name].append(sampled / elapsed)
            replayed[name] = trained / sampled
    medians = {name: float(np.median(values)) for name, values in rates.items()}
    for name, value in medians.items():
        spread = f"{min(rates[name]):,.0f} to {max(rates[name]):,.0f}"
        print(f"{name:20s} {value:10,.0f} agent steps/s ({spread}), each trained {replayed[name]:.2f} times")
    best = max(value for name, value in medians.items() if name.startswith("stock"))
    ratios = {name: value / medians["stock DQN"] for name, value in medians.items() if name.startswith("mfmarl")}
    for name, ratio in ratios.items():
        print(f"{name} is {ratio:.1f} times stock DQN ({medians[name] / best:.1f} times the faster of its set-ups)")
    share = arithmetic(options.num_agents, medians["mfmarl mf"], options.replays)
    print(f"mfmarl mf takes {share:.0%} of one core's rate of matrix products")
    parts = shares(trainer)
    print("where mfmarl mf spends its time (cProfile, which slows Python more than arithmetic):")
    for name, share in parts.items():
        print(f"  {name:36s} {share:6.1%}")
    if options.out is not None:
        settings = {k: v for k, v in vars(options).items() if k != "out"}
        about = {"python": platform.python_version(), "torch": torch.__version__, "numpy": np.__version__}
        options.out.parent.mkdir(parents=True, exist_ok=True)
        result = {"settings": settings, "versions": about, "rates": rates, "replayed": replayed, "ratios": ratios}
        options.out.write_text(json.dumps(result | {"shares": parts}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
