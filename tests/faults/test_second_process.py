"""A second process on what another one writes is refused, and told who that is."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from mfmarl.cli import run_command
from mfmarl.runs.lock import hold

HERE = f"process {os.getpid()} on {socket.gethostname()} writes to it; wait for it, or end it\n"


def refused(arguments: list[str], held: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With the lock of `held` taken the command ends with 2, one line that says by whom, and nothing changed."""
    before = sorted(held.rglob("*"))
    capsys.readouterr()
    with hold(held):
        assert run_command(arguments) == 2
    told = capsys.readouterr().err.splitlines(keepends=True)
    assert told[-1] == f"mfmarl: {held} is in use: {HERE}"
    assert sorted(held.rglob("*")) == sorted({*before, held / "lock"})


def test_solve(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "solved"
    out.mkdir()
    begin = ["solve", "left-right", "--out", str(out)]
    refused(begin, out, capsys)
    assert run_command(begin) == 0
    # the pictures of the first stay too
    refused(["solve", "--resume", str(out), "--tol", "0"], out, capsys)
    assert (out / "convergence.png").exists()


def stopped(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def test_imitate(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    shown, out = tmp_path / "shown.npz", tmp_path / "out"
    given = ["--env", "FrozenLake-v1"]
    assert run_command(["demonstrate", *given, "--expert", "optimal", "--episodes", "2", "--out", str(shown)]) == 0
    begin = ["imitate", "bc", *given, "--demonstrations", str(shown), "--out", str(out), "--quiet"]
    with monkeypatch.context() as patched:
        patched.setattr("mfmarl.imitation.run._Work.learn", stopped)
        assert run_command(begin) == 130
    refused(["imitate", "--resume", str(out), "--quiet"], out, capsys)


def test_audit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small = ["num_envs=2", "mfq.replay_population_steps=64", "mfq.warmup_population_steps=16", "mfq.hidden=[8]"]
    given = ["--env", "games/coordination", "--num-agents", "4", "--num-episodes", "2", "--set", *small]
    begin = ["train", "--local", "--quiet", "--name", "x", "--runs-dir", str(tmp_path), *given]
    assert run_command(begin) == 0
    folder = tmp_path / "x" / "audit"
    (folder / "pieces").mkdir(parents=True)
    refused(["audit", str(tmp_path / "x"), "--local"], folder, capsys)
