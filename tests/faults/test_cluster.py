"""A study on a real cluster of two nodes, by `mfmarl submit`: a killed node or driver loses nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import urllib.error
from collections.abc import Iterator
from pathlib import Path

import pytest

from mfmarl.cli import run_command
from mfmarl.launch.cell_state import notes_of, state_of
from mfmarl.runs.checkpoint import checkpoint_paths, latest_checkpoint
from mfmarl.runs.journal import read_journal
from mfmarl.runs.lock import holder
from tests.faults.cut_line import CutLine
from tests.faults.two_nodes import TwoNodes, tree, until
from tests.mfmarl.launch.conftest import SMALL, Driven, small_study

pytest.importorskip("ray")
pytestmark = pytest.mark.ray

ROOT = Path(__file__).resolve().parents[2]
SIX = (
    SMALL.replace("num_episodes: 8", "num_episodes: 100").replace("checkpoint_every: 4", "checkpoint_every: 10")
    .replace("seed: [1, 2]", "seed: [1, 2, 3]").replace("retries: 1", "retries: 2")
    + "resources: {memory_gb: 0.2}\n"
)  # fmt: skip
ENDLESS = SIX.replace("num_episodes: 100", "num_episodes: 1000000").replace("name: small", "name: long")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoNodes]:
    found = TwoNodes(tmp_path_factory.mktemp("cluster"))
    yield found
    found.close()


class Submitted:
    """One `mfmarl submit` of small.yaml in a folder, in a process of its own."""

    count = 0

    def __init__(
        self, cluster: TwoNodes, folder: Path, *options: str, environment: dict[str, str] | None = None
    ) -> None:
        Submitted.count += 1
        self._files = [folder / f"{Submitted.count}.{name}" for name in ("out", "err")]
        to = [] if "--address" in options else ["--address", cluster.address]
        command = [sys.executable, "-m", "mfmarl", "submit", "small.yaml", *to, *options]
        with self._files[0].open("w") as out, self._files[1].open("w") as err:
            self.process = subprocess.Popen(
                command, cwd=folder, stdout=out, stderr=err,
                env=(cluster.with_token if environment is None else environment) | {"PYTHONPATH": str(ROOT)},
            )  # fmt: skip
        cluster.clients.append(self.process)

    def out(self) -> str:
        return self._files[0].read_text()

    def err(self) -> str:
        return self._files[1].read_text()

    def says(self, text: str, seconds: float = 240) -> None:
        """Wait until the log has it."""
        until(lambda: text in self.out() or self.process.poll() is not None, seconds, f"{text!r} is told")
        assert text in self.out(), self.out() + self.err()

    def ended(self, seconds: float = 240) -> int:
        return self.process.wait(seconds)


def driver_of(cluster: TwoNodes) -> int:
    """The process that the running job is."""
    (pid,) = (
        pid for pid in tree(cluster.head.process.pid) if b"\0study\0run\0" in Path(f"/proc/{pid}/cmdline").read_bytes()
    )
    return pid


@pytest.mark.soak
def test_a_killed_node_and_a_killed_driver_lose_nothing(
    cluster: TwoNodes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study, folder = small_study(tmp_path, SIX), tmp_path / "runs" / "small"
    assert cluster.worker is not None
    first = Submitted(cluster, tmp_path)

    def begun_on_the_worker() -> bool:
        assert cluster.worker is not None
        there = tree(cluster.worker.process.pid)
        held = {cell.digest: holder(notes_of(folder, cell.digest)) for cell in study.cells}
        return any(who is not None and who.pid in there and checkpoint_paths(folder / d) for d, who in held.items())

    until(begun_on_the_worker, 400, "a cell on the worker node has a checkpoint")
    cluster.worker.kill()
    first.says("will be tried again: its Ray worker died")
    assert any(state_of(folder, cell).state != "done" for cell in study.cells)
    os.kill(driver_of(cluster), signal.SIGKILL)
    assert first.ended() == 3
    assert "died: its driver was killed by signal 9; the same command goes on with it" in first.err()
    second = Submitted(cluster, tmp_path)
    assert second.ended() == 0, second.out() + second.err()
    assert "[6 of 6 done]" in second.out()
    names = [job["submission_id"] for job in cluster.get("/api/jobs/") if job["submission_id"]]
    (key,) = (name for name in names if not name.endswith("-2"))
    assert sorted(names) == [key, f"{key}-2"]
    assert f"job {key}-2 is begun" in second.err()
    # nothing is sent a third time
    third = Submitted(cluster, tmp_path, "--no-wait")
    assert third.ended() == 0
    assert third.out() == f"{key}-2\n"
    assert "has done this study" in third.err()
    # as if nothing had happened: each update once, the same weights
    assert Driven(study, tmp_path / "undisturbed").failed == {}
    for cell in study.cells:
        run, other = folder / cell.digest, tmp_path / "undisturbed" / cell.digest
        mine, theirs = latest_checkpoint(run), latest_checkpoint(other)
        assert mine.states == theirs.states
        assert [line["iteration"] for line in read_journal(run)] == list(range(1, theirs.iteration + 1))
        for file, arrays in theirs.tensors.items():
            assert all(mine.tensors[file][name].tobytes() == array.tobytes() for name, array in arrays.items())
    assert not list(folder.rglob("*.tmp"))
    assert run_command(["study", "status", str(tmp_path / "small.yaml"), "--runs-dir", str(tmp_path / "runs")]) == 0
    assert capsys.readouterr().out == "small: 6 cells: 6 done\n"


@pytest.mark.soak
def test_a_job_is_joined_left_and_stopped(cluster: TwoNodes, tmp_path: Path) -> None:
    (tmp_path / "small.yaml").write_text(ENDLESS)
    first = Submitted(cluster, tmp_path)
    first.says("6 to do or to go on with")
    line = CutLine(cluster.dashboard)
    joined = Submitted(cluster, tmp_path, "--address", f"http://127.0.0.1:{line.port}")
    joined.says("6 to do or to go on with")
    assert "runs already" in joined.err()
    line.cut()
    until(lambda: "; trying again, the job goes on" in joined.err(), 120, "the cut is told")
    line.mend()
    before = len(joined.out())
    until(lambda: len(joined.out()) > before, 120, "the log goes on")
    assert "connected again" in joined.err()
    assert joined.out().count("6 to do or to go on with") == 1
    joined.process.send_signal(signal.SIGINT)
    assert joined.ended() == 130
    assert "which goes on; the same command joins it, with --stop ends it" in joined.err()
    assert first.process.poll() is None
    assert Submitted(cluster, tmp_path, "--stop").ended() == 0
    assert first.ended() == 130
    assert "was stopped; the same command goes on with it" in first.err()
    again = Submitted(cluster, tmp_path, "--stop")
    assert again.ended() == 2
    assert "no job of this study and runs folder runs at" in again.err()


def test_the_exit_code_is_the_drivers(cluster: TwoNodes, tmp_path: Path) -> None:
    small_study(tmp_path, SIX)
    (tmp_path / "runs").write_text("a file stands here")
    found = Submitted(cluster, tmp_path)
    assert found.ended() == 4, found.out() + found.err()
    assert "mfmarl: cannot make" in found.out()
    assert "failed with exit code 4" in found.err()


@pytest.mark.soak
def test_without_the_token_nothing_is_answered(cluster: TwoNodes, tmp_path: Path) -> None:
    small_study(tmp_path, SIX)
    assert cluster.token.stat().st_mode & 0o777 == 0o600
    for path in ("/api/version", "/api/jobs/", "/nodes?view=summary"):
        with pytest.raises(urllib.error.HTTPError) as error:
            cluster.get(path, token=False)
        assert error.value.code == 401
    (wrong := tmp_path / "wrong").write_text("0" * 64)
    wrong.chmod(0o600)
    token = {"RAY_AUTH_TOKEN_PATH": str(wrong)}
    for environment, told in (
        (cluster.environment, "put the cluster's token into ~/.ray/auth_token (mode 0600) or RAY_AUTH_TOKEN_PATH"),
        (cluster.environment | token, f"the token is that of {wrong}; is it the cluster's?"),
        (cluster.environment | token | {"RAY_AUTH_TOKEN_PATH": str(tmp_path / "none")}, "cannot be opened"),
    ):
        found = Submitted(cluster, tmp_path, environment=environment)
        assert found.ended() == 2
        assert (found.out(), len(found.err().splitlines())) == ("", 1)
        assert found.err().startswith(f"mfmarl: the job server {cluster.address} refuses: ")
        assert told in found.err()


@pytest.mark.soak
def test_a_study_run_from_here_shows_the_token_too(cluster: TwoNodes, tmp_path: Path) -> None:
    small_study(tmp_path, SMALL + "resources: {memory_gb: 0.2}\n")
    to = ["--address", f"127.0.0.1:{cluster.gcs}", "--runs-dir", str(tmp_path / "runs")]
    command = [sys.executable, "-m", "mfmarl", "study", "run", str(tmp_path / "small.yaml"), *to]
    # workers look for modules in the folder that the driver was started in too: there they find mfmarl
    environment = cluster.with_token | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.stderr.startswith("small: 0 of 4 cells are done, 4 to do"), done.stderr
    assert done.returncode == 0, done.stderr
    assert run_command(["study", "status", str(tmp_path / "small.yaml"), "--runs-dir", str(tmp_path / "runs")]) == 0
