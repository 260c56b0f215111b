"""A run that is killed, damaged or met by a second process ends as the undisturbed one does, or says why not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from mfmarl.config import TrainConfig
from mfmarl.runs.checkpoint import CHECKPOINTS, checkpoint_paths, latest_checkpoint
from mfmarl.runs.journal import read_journal
from mfmarl.runs.schema import COMPLETE
from mfmarl.train import train
from tests.hostile.conftest import SMALL, small_run

ROOT = Path(__file__).resolve().parents[2]
ITERATIONS = 64


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "mfmarl", "train", "--local", "--quiet", *arguments]


def environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}


def fresh(name: str) -> list[str]:
    small = ["num_envs=2", "checkpoint_every=2", "mfq.replay_population_steps=512", "mfq.warmup_population_steps=64"]
    return command("--name", name, "--num-agents", "6", "--seed", "3", "--num-episodes", "32", "--set", *small)


def run_cli(arguments: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(arguments, cwd=folder, env=environment(), capture_output=True, text=True, check=False)


def wait_for_checkpoint(child: subprocess.Popen[str], run: Path, iteration: int) -> None:
    while child.poll() is None:
        paths = checkpoint_paths(run)
        if paths and int(paths[-1].name.split("_")[1]) >= iteration:
            return
        time.sleep(0.005)


def same(run: Path, other: Path) -> None:
    """Both runs ended with the same state, bit for bit, and wrote the same numbers."""
    mine, theirs = latest_checkpoint(run), latest_checkpoint(other)
    assert mine.iteration == theirs.iteration == ITERATIONS
    assert mine.states == theirs.states
    for file, arrays in theirs.tensors.items():
        for name, array in arrays.items():
            assert mine.tensors[file][name].tobytes() == array.tobytes(), f"{file}/{name}"
    timeless = [[{k: v for k, v in x.items() if k != "time_s"} for x in read_journal(r)] for r in (run, other)]
    for line, want in zip(*timeless, strict=True):
        for journal in (line, want):
            journal["metrics"] = {k: v for k, v in journal["metrics"].items() if not k.endswith("_s")}
        assert line == want


def test_killed_twice_and_damaged_it_ends_bit_equal(tmp_path: Path) -> None:
    done = run_cli(fresh("undisturbed"), tmp_path)
    assert done.returncode == 0, done.stderr
    run = tmp_path / "runs" / "x"

    with subprocess.Popen(fresh("x"), cwd=tmp_path, env=environment(), stdout=subprocess.DEVNULL, text=True) as child:
        wait_for_checkpoint(child, run, 8)
        child.send_signal(signal.SIGSTOP)
        second = run_cli(command("--resume", "runs/x"), tmp_path)
        child.kill()
    assert second.returncode == 2
    assert f"runs/x is in use: process {child.pid}" in second.stderr
    assert 0 <= len(read_journal(run)) - latest_checkpoint(run).iteration <= 2 + 1

    # killed between writing one and removing the oldest, it leaves three
    *_, older, newest = checkpoint_paths(run)
    data = bytearray((newest / "replay.safetensors").read_bytes())
    data[len(data) // 2] ^= 1
    (newest / "replay.safetensors").write_bytes(bytes(data))
    refused = run_cli(command("--resume", "runs/x"), tmp_path)
    assert refused.returncode == 2
    assert refused.stderr.count("\n") == 1
    assert f"{newest.name}/replay.safetensors is damaged" in refused.stderr
    remedy = f"runs/x/checkpoints/{older.name}"
    assert refused.stderr.endswith(f"--resume {remedy}\n")

    going_on = command("--resume", remedy)
    with subprocess.Popen(going_on, cwd=tmp_path, env=environment(), stdout=subprocess.DEVNULL, text=True) as child:
        wait_for_checkpoint(child, run, int(newest.name.split("_")[1]) + 8)
        child.kill()
    done = run_cli(command("--resume", "runs/x"), tmp_path)
    assert done.returncode == 0, done.stderr
    same(run, tmp_path / "runs" / "undisturbed")


def test_a_run_folder_that_vanishes_is_told(tmp_path: Path) -> None:
    run = tmp_path / "runs" / "x"
    with subprocess.Popen(fresh("x"), cwd=tmp_path, env=environment(), stderr=subprocess.PIPE, text=True) as child:
        wait_for_checkpoint(child, run, 4)
        run.rename(tmp_path / "moved")
        _, told = child.communicate()
    assert child.returncode == 4
    assert told.count("\n") == 1
    assert "was the folder moved or deleted" in told or "is gone" in told
    assert not run.exists()


def test_what_a_kill_at_the_last_checkpoint_left_is_removed(tmp_path: Path) -> None:
    """Nothing is left to train then, and no further checkpoint that would tidy up."""
    run = small_run(tmp_path)
    (run / COMPLETE).unlink()
    before = checkpoint_paths(run)
    half_deleted = run / CHECKPOINTS / "ckpt_000001.old.tmp"
    half_deleted.mkdir()
    (half_deleted / "replay.safetensors").write_bytes(b"x")
    assert train(TrainConfig.model_validate(SMALL), tmp_path, backend="local", resume=run) == run
    assert (run / COMPLETE).exists()
    assert sorted((run / CHECKPOINTS).iterdir()) == before
