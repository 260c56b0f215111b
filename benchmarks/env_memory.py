"""Memory of the market by its number of agents: resident bytes after an episode, each in a process of its own.

    python benchmarks/env_memory.py
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np

AGENTS = (1_000, 10_000, 30_000, 100_000)
PRESETS = ("market-easy", "market-hard")
PLAY = """
import sys
import numpy as np
import envs

def resident():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))

# what is compiled and imported is in memory before the market is
warm = envs.make(sys.argv[1], num_agents=100, seed=0)
warm.step(np.zeros((1, 100), int))
before = resident()
env = envs.make(sys.argv[1], num_agents=int(sys.argv[2]), seed=0)
actions = np.random.default_rng(0).integers(11, size=(1, env.num_agents))
for _ in range(env.horizon):
    env.step(actions)
print(resident() - before)
"""


def main() -> None:
    """Print bytes per agent for every size, and the slope of a line through them."""
    root = Path(__file__).parents[1]
    for name in PRESETS:
        taken = []
        for agents in AGENTS:
            run = [sys.executable, "-c", PLAY, f"inventory/{name}", str(agents)]
            taken.append(int(subprocess.run(run, cwd=root, capture_output=True, text=True, check=True).stdout))
            print(f"{name:16s} N = {agents:7,d}: {taken[-1] / 1e6:8.1f} MB, {taken[-1] / agents:8,.0f} bytes an agent")
        slope = np.polyfit(AGENTS, taken, 1)[0]
        print(f"{name:16s} {slope:,.0f} bytes for every further agent")


if __name__ == "__main__":
    main()
