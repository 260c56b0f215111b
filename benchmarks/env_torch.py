"""Agent steps per second of the torch backend by B x N, beside the roofline of the device's memory.

The roofline is what the device could step if a step only read its actions and state and wrote its state, rewards,
observations and mean actions once, at the bandwidth that copying a large tensor reaches in the same run.

    python benchmarks/env_torch.py [--device cuda] [--sizes 100x100 1000x100 ...] [--preset market-easy]
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

import envs
from envs.inventory.market import InventoryMarket

SECONDS = 2.0
SIZES = ("100x100", "1000x100", "10000x100", "100000x100", "1000000x100")


def waited(device: str) -> float:
    """The clock once the device has done what it was given."""
    if device.startswith("cuda"):
        torch.cuda.synchronize()
    return time.perf_counter()


def bandwidth(device: str) -> float:
    """Bytes per second of copying a tensor, read and written."""
    source = torch.empty(2**28 if device.startswith("cuda") else 2**25, device=device)
    target = torch.empty_like(source)
    target.copy_(source)
    best = 0.0
    for _ in range(5):
        start = waited(device)
        target.copy_(source)
        best = max(best, 8 * source.numel() / (waited(device) - start))
    return best


def throughput(env: InventoryMarket, device: str, observe: bool) -> float:
    """Agent steps per second, the best of three rounds."""
    shape = (8, env.num_envs, env.num_agents)
    actions = torch.randint(env.action_space.n, shape, device=device)  # type: ignore[attr-defined]
    env.step(actions[0], observe=observe)
    best = 0.0
    for _ in range(3):
        steps, start = 0, waited(device)
        while waited(device) - start < SECONDS / 3:
            for action in actions:
                env.step(action, observe=observe)
            steps += len(actions)
        best = max(best, steps * env.num_envs * env.num_agents / (waited(device) - start))
    return best


def bytes_per_agent_step(env: InventoryMarket, observe: bool) -> int:
    """Action (int64), stock and backlog read and written, one order written and one read, demand and reward written."""
    seen = env.observation_space.shape[0] + env.mean_action_space.shape[0] if observe else 0
    return 8 + 4 * (4 + 2 + 2 + seen)


def main() -> None:
    """Print a line for each size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--sizes", nargs="+", default=SIZES if torch.cuda.is_available() else SIZES[:3])
    parser.add_argument("--preset", default="market-easy")
    given = parser.parse_args()
    speed = bandwidth(given.device)
    named = torch.cuda.get_device_name() if given.device.startswith("cuda") else "processor"
    print(f"torch {torch.__version__}, {given.device} ({named}), copies at {speed / 1e9:,.0f} GB/s")
    print(f"{'B x N':>14s} {'observed':>9s} {'agent steps/s':>16s} {'roofline':>18s} {'share':>7s}")
    for size in given.sizes:
        copies, agents = (int(number) for number in size.split("x"))
        env = envs.make(
            f"inventory/{given.preset}", num_envs=copies, num_agents=agents, seed=0, backend=f"torch:{given.device}"
        )
        assert isinstance(env, InventoryMarket)
        for observe in (True, False):
            rate = throughput(env, given.device, observe)
            roof = speed / bytes_per_agent_step(env, observe)
            print(f"{size:>14s} {observe!s:>9s} {rate:16,.0f} {roof:18,.0f} {rate / roof:7.1%}", flush=True)


if __name__ == "__main__":
    main()
