"""Node steps per second of other inventory simulators, those that the interpreter has: a line of JSON each.

    PYTHON benchmarks/peers.py [SECONDS]

A node step is one node of the supply chain in one period, the peer's own default game, actions made beforehand;
seconds are of processor time.
`env_throughput.py` runs this with the interpreters of `--peers`, since the peers need packages that mfmarl does not.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import io
import json
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

Play = Callable[[], int]
"""Plays some whole episodes and returns the node steps played."""


def gym_invmgmt(name: str) -> Play:
    """gymnasium environments of gym-invmgmt; a node step for each node of the network, sources and markets included."""
    import gym_invmgmt  # noqa: F401  # enters its ids
    import gymnasium as gym

    env: Any = gym.make(name)
    nodes, periods = len(env.unwrapped.network.graph.nodes), env.unwrapped.num_periods
    actions = np.random.default_rng(0).uniform(0, 40, (periods, *env.action_space.shape))

    def play() -> int:
        env.reset(seed=0)
        for action in actions:
            env.step(action)
        return periods * nodes

    return play


def stockpyl_instance(name: str) -> Play:
    """A published instance, simulated by stockpyl for 100 periods under its own base-stock policy."""
    from stockpyl.instances import load_instance
    from stockpyl.sim import simulation

    network = load_instance(name)

    def play() -> int:
        simulation(network, 100, rand_seed=0, progress_bar=False)
        return 100 * len(network.nodes)

    return play


def stockpyl_warehouse(retailers: int) -> Play:
    """One warehouse and many retailers with base stock, simulated by stockpyl for 100 periods."""
    from stockpyl.sim import simulation
    from stockpyl.supply_chain_network import owmr_system

    network = owmr_system(
        retailers, node_order_in_system=list(range(retailers + 1)), demand_type="P", mean=10, policy_type="BS",
        base_stock_level=25, local_holding_cost=1, stockout_cost=9, shipment_lead_time=1,
    )  # fmt: skip

    def play() -> int:
        simulation(network, 100, rand_seed=0, progress_bar=False)
        return 100 * len(network.nodes)

    return play


def or_gym_chain() -> Play:
    """or-gym's serial chain with lost sales."""
    from or_gym.envs.supply_chain.inventory_management import InvManagementLostSalesEnv

    env: Any = InvManagementLostSalesEnv()
    actions = np.random.default_rng(0).integers(0, 40, (env.periods, *env.action_space.shape))

    def play() -> int:
        env.reset()
        for action in actions:
            env.step(action)
        return int(env.periods * env.num_stages)

    return play


def or_gym_network() -> Play:
    """or-gym's supply network with lost sales."""
    from or_gym.envs.supply_chain.network_management import NetInvMgmtLostSalesEnv

    env: Any = NetInvMgmtLostSalesEnv()
    actions = np.random.default_rng(0).uniform(0, 40, (env.num_periods, *env.action_space.shape))

    def play() -> int:
        env.reset()
        for action in actions:
            env.step(action)
        return int(env.num_periods * len(env.graph.nodes))

    return play


PEERS: dict[str, tuple[str, Callable[[], Play]]] = {
    "gym-invmgmt serial": ("gym-invmgmt", lambda: gym_invmgmt("GymInvMgmt/Serial-v0")),
    "gym-invmgmt multi-echelon": ("gym-invmgmt", lambda: gym_invmgmt("GymInvMgmt/MultiEchelon-v0")),
    "stockpyl example 6.1": ("stockpyl", lambda: stockpyl_instance("example_6_1")),
    "stockpyl 1 warehouse, 29 retailers": ("stockpyl", lambda: stockpyl_warehouse(29)),
    "or-gym serial": ("or-gym", or_gym_chain),
    "or-gym network": ("or-gym", or_gym_network),
}
"""what is run -> the package it is of, and what builds it."""


def measured(build: Callable[[], Play], seconds: float) -> float:
    """Node steps per second, the best of three rounds after one episode to warm up."""
    play = build()
    play()
    best = 0.0
    for _ in range(3):
        steps, start = 0, time.process_time()
        while not steps or time.process_time() - start < seconds / 3:
            steps += play()
        best = max(best, steps / (time.process_time() - start))
    return best


def main(seconds: float) -> None:
    """Print {"peer", "version", "rate"} a line; instead of the rate why there is none."""
    warnings.simplefilter("ignore")
    for peer, (package, build) in PEERS.items():
        line: dict[str, Any] = {"peer": peer, "package": package}
        try:
            line["version"] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            print(json.dumps({**line, "skipped": "not installed"}), flush=True)
            continue
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                line["rate"] = measured(build, seconds)
        except Exception as error:  # whatever a foreign package raises is told and the next one is tried
            line["skipped"] = f"{type(error).__name__}: {error}"
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 3.0)
