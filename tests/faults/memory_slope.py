"""How much memory a run takes as it goes on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

SCRIPT = """
import gc, json, os, sys
from pathlib import Path
from mfmarl.config import TrainConfig
from mfmarl.runs.progress import Progress
from mfmarl.train import train

algorithm, folder, warm, episodes, processes = sys.argv[1], Path(sys.argv[2]), *map(int, sys.argv[3:])
small = {"warmup_population_steps": 64, "hidden": [16, 16], "batch_population_steps": 16}
small |= {"replay_population_steps": 416}
if algorithm == "mfac":
    small["epochs"] = 1
found = []

NAMES = (b"ray::MeanFieldEnvRunner", b"ray::_WrappedExecutable")

def workers():
    "Processes of runners and learners: they belong to the raylet, and that to this process."
    above, named = {}, []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit():
                above[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                if (entry / "cmdline").read_bytes().startswith(NAMES):
                    named.append(int(entry.name))
        except OSError:
            pass
    return [pid for pid in named if above.get(above[pid]) == os.getpid()]

def resident():
    "Bytes: all of this process, and what workers do not share with Ray's object store."
    own = int(Path("/proc/self/statm").read_text().split()[1])
    theirs = [Path(f"/proc/{pid}/statm").read_text().split() for pid in workers()]
    assert len(theirs) == 2 * processes, theirs
    return (own + sum(int(pages) - int(shared) for _, pages, shared, *_ in theirs)) * os.sysconf("SC_PAGE_SIZE")

class Measured(Progress):
    due = warm
    def update(self, line):
        if line["episodes"] >= self.due:
            # else what is resident depends on when Python last looked for cycles
            gc.collect()
            found.append((line["episodes"], resident()))
            self.due += episodes // 20

config = TrainConfig.model_validate({
    "algorithm": algorithm, "num_agents": 100, "num_envs": 16, "num_episodes": warm + episodes, "method": "is",
    "seed": 1, "fragment_length": 13, "env_options": {"horizon": 13}, "checkpoint_every": 5, algorithm: small,
    "num_env_runners": processes, "num_learners": processes,
})
train(config, folder, backend="rllib" if processes else "local", progress=Measured(quiet=True))
print(json.dumps(found))
"""


def growth_mb(played: np.ndarray, resident: np.ndarray) -> float:
    """MB for 1,000 further episodes. The largest single growth counts as the median one: a pool of the allocator grows
    once, a leak again and again."""
    grown = np.diff(resident)
    total = grown.sum() - max(grown.max() - np.median(grown), 0)
    return float(total / 1e6 / ((played[-1] - played[0]) / 1000))


def measured_growth_mb(folder: Path, algorithm: str, *, warm: int, episodes: int, processes: int = 0) -> float:
    """MB of resident memory for 1,000 further episodes of 100 agents, from 20 measurements.

    Args:
        warm: episodes before, in which the replay fills and loops are compiled.
        episodes: over which it is measured.
        processes: runners, and as many learners, on Ray, which are measured too; 0 trains without Ray.
    """
    command = [sys.executable, "-c", SCRIPT, algorithm, str(folder), str(warm), str(episodes), str(processes)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    out = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True, timeout=1800).stdout
    played, resident = np.array(json.loads(out)).T
    assert played.size >= 20
    return growth_mb(played, resident)
