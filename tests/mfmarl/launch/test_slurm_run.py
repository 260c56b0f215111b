"""What the templates start, started: Ray by the rendered Slurm script, and a job server that asks for a token.

Each runs in a process and network namespace of its own, where no other Ray of this machine is, and which takes all of
its processes with it: `ray symmetric-run` refuses a machine that has a Ray, and ends with `ray stop`, which ends all.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from mfmarl.launch import ray_up, slurm
from mfmarl.launch.cell_state import state_of
from mfmarl.launch.cluster_config import Slurm
from mfmarl.runs.journal import read_journal
from tests.mfmarl.launch.conftest import SMALL, small_study

pytest.importorskip("ray")
pytestmark = pytest.mark.ray

ROOT = Path(__file__).resolve().parents[3]
SPACES = ["--user", "--map-root-user", "--pid", "--fork", "--kill-child", "--mount-proc", "--net"]
ALONE = ["unshare", *SPACES, "bash", "-c"]
FUNCTIONS = """
ip link set lo up
srun() { while [[ $1 == --* ]]; do shift; done; "$@"; }
export -f srun
"""
"""What Slurm itself would do: run a command on every node, here on the one."""


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder with a path that Ray's sockets can have."""
    folder = Path(tempfile.mkdtemp(prefix="r", dir="/tmp"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(autouse=True)
def _can_be_alone() -> None:
    tried = subprocess.run([*ALONE, "ip link set lo up"], capture_output=True, text=True, check=False)
    if tried.returncode:
        pytest.skip(f"this machine gives no namespace of its own: {tried.stderr.strip()}")


def alone(command: str, folder: Path, short: Path) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("RAY_")}
    environment |= {"SLURM_JOB_ID": "7", "RAY_TMPDIR": str(short), "HOME": str(short), "PYTHONPATH": str(ROOT)}
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    return subprocess.run(
        [*ALONE, FUNCTIONS + command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=400,
    )


@pytest.mark.soak
def test_the_slurm_script_does_a_study_and_its_exit_code_is_the_studys(tmp_path: Path, short: Path) -> None:
    text = SMALL.replace("retries: 1", "retries: 0").replace("seed: [1, 2]", "seed: [1]")
    study, runs = small_study(tmp_path, text), tmp_path / "the runs"
    cluster = Slurm(kind="slurm", cpus=2, memory_gb=4, runs_dir=str(runs))
    script = tmp_path / "a script"
    script.write_text(slurm.render(study, tmp_path / "small.yaml", cluster))
    broken, good = study.cells
    # a cell that cannot be begun
    (runs / "small" / broken.digest / "x").mkdir(parents=True)
    done = alone(f"bash {shlex.quote(str(script))}", tmp_path, short)
    assert done.returncode == 3, done.stderr[-2000:]
    assert "1 done, 1 failed" in done.stdout
    assert not list(runs.glob(".ray-token-*"))
    before = {p: p.stat().st_mtime_ns for p in (runs / "small" / good.digest).rglob("*")}
    # mended and queued again, it does what is left
    (runs / "small" / broken.digest / "x").rmdir()
    (runs / "small" / broken.digest).rmdir()
    done = alone(f"bash {shlex.quote(str(script))}", tmp_path, short)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.splitlines()[-1] == "small: 2 cells: 2 done"
    assert {p: p.stat().st_mtime_ns for p in (runs / "small" / good.digest).rglob("*")} == before
    for cell in study.cells:
        assert state_of(runs / "small", cell).state == "done"
        iterations = [line["iteration"] for line in read_journal(runs / "small" / cell.digest)]
        assert iterations == list(range(1, len(iterations) + 1))


ASK = """
import json, sys, time, urllib.error, urllib.request

def ask(headers):
    request = urllib.request.Request("http://127.0.0.1:8265/api/jobs/", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return None

deadline = time.monotonic() + 120
while (status := ask({})) is None and time.monotonic() < deadline:
    time.sleep(0.2)
bound = [line.split()[1] for line in open("/proc/net/tcp").readlines()[1:] if line.split()[3] == "0A"]
print(json.dumps({
    "without": status,
    "wrong": ask({"Authorization": "Bearer 0000"}),
    "right": ask({"Authorization": f"Bearer {sys.argv[1]}"}),
    "listens": [address.split(":")[0] for address in bound if address.endswith(":2049")],
}))
"""


def test_the_job_server_of_the_template_refuses_who_has_no_token(tmp_path: Path, short: Path) -> None:
    token = "5" * 64
    (short / ".ray").mkdir()
    (short / ".ray" / "auth_token").touch(mode=0o600)
    (short / ".ray" / "auth_token").write_text(token)
    (tmp_path / "ask.py").write_text(ASK)
    start = ray_up.head_start(6379, 8265)
    done = alone(f"{start} > start.log 2>&1; python ask.py {token} > told.json", tmp_path, short)
    assert done.returncode == 0, done.stderr[-2000:] + (tmp_path / "start.log").read_text()[-2000:]
    told = json.loads((tmp_path / "told.json").read_text())
    # 127.0.0.1, as the kernel writes it
    assert told == {"without": 401, "wrong": 403, "right": 200, "listens": ["0100007F"]}
