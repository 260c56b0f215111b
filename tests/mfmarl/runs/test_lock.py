"""One writer per run: the other is told who, and the lock goes with its process."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from mfmarl.errors import StorageFailed, UserError
from mfmarl.runs.lock import hold, holder

ROOT = Path(__file__).resolve().parents[3]
HOLDING = (
    "import sys; from pathlib import Path; from mfmarl.runs.lock import hold\n"
    "with hold(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()\n"
)


def test_two_processes_on_one_run(run: Path) -> None:
    command = [sys.executable, "-c", HOLDING, str(run)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "held\n"
        told = f"process {child.pid} on {socket.gethostname()}"
        assert str(holder(run)) == told
        with pytest.raises(UserError, match=f"{run} is in use: {told} writes to it"), hold(run):
            pytest.fail("both hold the lock")
        child.kill()
    assert holder(run) is None
    with hold(run):
        who = holder(run)
        assert who is not None
        assert who.pid == os.getpid()
    assert holder(run) is None


def test_looking_does_not_hinder(run: Path) -> None:
    for _ in range(20):
        assert holder(run) is None
        with hold(run):
            assert holder(run) is not None


def test_a_folder_that_is_gone(tmp_path: Path) -> None:
    with pytest.raises(StorageFailed, match="it is not there"), hold(tmp_path / "nowhere"):
        pytest.fail("a lock without a folder")
    assert holder(tmp_path / "nowhere") is None


def test_a_lock_file_of_nonsense_is_no_holder(run: Path) -> None:
    (run / "lock").write_text('{"pid": "x"}')
    assert holder(run) is None
    with hold(run):
        pass
