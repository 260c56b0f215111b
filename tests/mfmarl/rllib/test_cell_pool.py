"""Cells of a study on a Ray cluster: what a dead node leaves is gone on with elsewhere."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mfmarl.launch.cell_state import state_of
from mfmarl.runs.checkpoint import latest_checkpoint
from mfmarl.runs.journal import read_journal
from tests.mfmarl.launch.conftest import SMALL, Driven, small_study

pytest.importorskip("ray")
pytestmark = pytest.mark.ray

ROOT = Path(__file__).resolve().parents[3]
TWO = SMALL.replace("seed: [1, 2]", "seed: [1]").replace("num_episodes: 8", "num_episodes: 200")
SCRIPT = """
import json
import threading
import time
from pathlib import Path

import ray
from ray.cluster_utils import Cluster

cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
node = cluster.add_node(num_cpus=1)

from mfmarl.launch.drive import drive
from mfmarl.launch.study import read_study
from mfmarl.rllib.cell_pool import RayPool
from mfmarl.runs.checkpoint import checkpoint_paths

study, folder = read_study(Path("small.yaml")), Path("small")
pool = RayPool(study.config.resources, cluster.address)


told, failed = [], {}
weights = {cell.digest: 1.0 for cell in study.cells}
driver = threading.Thread(target=lambda: failed.update(drive(study, folder, pool, weights, told=told.append)))
driver.start()
# the only node that cells run on
while not any(checkpoint_paths(folder / cell.digest) for cell in study.cells):
    time.sleep(0.01)
cluster.remove_node(node, allow_graceful=False)
cluster.add_node(num_cpus=1)
driver.join()
print(json.dumps({"failed": failed, "told": told, "hint": pool.hint}))
pool.close()
ray.shutdown()
cluster.shutdown()
"""


def test_cells_of_a_node_that_dies_are_done_by_another(tmp_path: Path) -> None:
    study, folder = small_study(tmp_path, TWO + "resources: {memory_gb: 0.2}\n"), tmp_path / "small"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", SCRIPT]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    # Ray prints too
    told = json.loads(next(line for line in done.stdout.splitlines() if line.startswith('{"failed"')))
    assert (told["failed"], told["hint"]) == ({}, None)
    (died,) = (line for line in told["told"] if " failed (" in line)
    assert "will be tried again: its Ray worker died" in died
    assert Driven(study, tmp_path / "here").failed == {}
    for cell in study.cells:
        assert state_of(folder, cell).state == "done"
        mine, theirs = (latest_checkpoint(tmp_path / place / cell.digest) for place in ("small", "here"))
        assert mine.states == theirs.states
        lines = read_journal(folder / cell.digest)
        assert [line["iteration"] for line in lines] == list(range(1, theirs.iteration + 1))
