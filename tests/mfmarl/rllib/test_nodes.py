"""Runners and learners on other nodes: two Ray nodes, each with processes and an object store of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from mfmarl.errors import UserError
from mfmarl.train import train
from tests.mfmarl.rllib.test_learners import config

pytest.importorskip("ray")
pytestmark = pytest.mark.ray

SCRIPT = """
import json
from ray.cluster_utils import Cluster

cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 2, "include_dashboard": False})
cluster.add_node(num_cpus=1)

import ray
from mfmarl.train import _make_trainer
from mfmarl.trainer import LocalTrainer
from tests.mfmarl.rllib.test_learners import config

chosen = config(num_env_runners=2, num_learners=1)
local = LocalTrainer(chosen)
trainer = _make_trainer(chosen, "rllib", False, cluster.address)
node = lambda worker: ray.get_runtime_context().get_node_id()
told = {
    "runners": trainer.algorithm.env_runner_group.foreach_env_runner(node, local_env_runner=False),
    "equal": [trainer.iterate() == local.iterate() for _ in range(4)],
}
trainer.close()
print(json.dumps(told))
ray.shutdown()
cluster.shutdown()
"""


@pytest.mark.soak
def test_runners_play_on_both_nodes_and_the_numbers_are_those_of_one_process() -> None:
    root = Path(__file__).resolve().parents[3]
    done = subprocess.run([sys.executable, "-c", SCRIPT], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    told = json.loads(done.stdout.splitlines()[-1])
    assert len(set(told["runners"])) == 2
    assert told["equal"] == [True] * 4


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("127.0.0.1:1", "nothing answers at the Ray address 127.0.0.1:1: "),
        ("head-node", "want auto, or HOST:PORT as `ray start --head` prints it"),
        ("ray://127.0.0.1:10001", "HOST:PORT"),
    ],
)
def test_an_address_without_a_cluster_is_refused(address: str, told: str, tmp_path: Path) -> None:
    from mfmarl.rllib.quiet import start_ray

    with pytest.raises(UserError, match=told):
        start_ray(address=address)
    with pytest.raises(UserError, match="leave one out"):
        train(config(num_learners=1), tmp_path, backend="local", address=address)
