"""On a full or read-only disk: exit code 4, a line that names the file, nothing half written, and all goes on after."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.faults.small_disk import CASES

ROOT = Path(__file__).resolve().parents[2]
HALF = 0.5
"""Of the room that a command takes; the soak has 20 sizes, nothing at all among them."""
NEVER_SAME = {
    "imitate": {"x/imitation.json", "x/history.csv"},
    "magail": {"x/results.json"},
    "solve": {"x/solution.json", "x/solution.safetensors"},
    "study run": {"run.json", "journal.jsonl"},
    "train": {"runs/x/run.json", "runs/x/journal.jsonl"},
}
"""Files with times of day or seconds in them; all others are to be equal, byte for byte."""
ADVICE = {
    "train": ("mfmarl train --resume RUN", "--runs-dir"),
    "imitate": ("mfmarl imitate --resume DIR", "--out"),
    "solve": ("mfmarl solve --resume DIR", "--out"),
    "study run": ("give the same command again", "--runs-dir"),
    "audit": ("give the same command again", "copy it elsewhere"),
    "evaluate": ("give the same command again", "copy it elsewhere"),
    "report": ("give the same command again", "--out"),
    "demonstrate": ("give the same command again", "--out"),
    "export": ("give the same command again", "--out"),
    "magail": ("give the same command again", "--outdir"),
}


def unshared() -> list[str]:
    """What runs a program with mounts of its own; skips where this machine lets nobody."""
    for way in (["unshare", "-m"], ["unshare", "-Urm"]):
        probe = [*way, "sh", "-c", "mount -t tmpfs tmpfs /mnt"]
        if shutil.which("unshare") and subprocess.run(probe, capture_output=True, check=False).returncode == 0:
            return way
    pytest.skip("no mounts of its own here: unshare -m and -Urm are both refused")


def faults(folder: Path, fractions: Sequence[float], cases: Sequence[str] = ()) -> dict[str, dict[str, Any]]:
    """Case -> the room that it takes, and what it did at each fault."""
    given = ["-m", "tests.faults.small_disk", str(folder), ",".join(f"{f:g}" for f in fractions), *cases]
    done = subprocess.run(
        [*unshared(), sys.executable, *given], cwd=ROOT, capture_output=True, text=True, check=False, timeout=900,
        env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: dict[str, dict[str, Any]] = json.loads(done.stdout)
    return found


def check(name: str, met: dict[str, Any]) -> None:
    """One fault."""
    where = f"{name}, {met['fraction']} of the room left: {met['told']}"
    assert met["half"] == [], where
    assert met["lost"] == [], where
    assert met["again"][0] == 0, met["again"][1]
    timed = NEVER_SAME.get(name, set())
    assert {file for file in met["other"] if file not in timed and Path(file).name not in timed} == set(), where
    if met["code"] == 0:
        assert met["fraction"], where
        return
    # a study tells of its cells: 3, unless its own folder cannot be made
    assert met["code"] == 4 or (name == "study run" and met["code"] == 3), where
    told = [line for line in met["told"].splitlines() if "cannot " in line and line.startswith("mfmarl: ")]
    assert len(told) == 1, where
    assert "Traceback" not in met["told"]
    full, read_only = ADVICE[name]
    if met["fraction"] is None:
        assert "the file system is read-only" in told[0]
        assert told[0].endswith((read_only,)), where
    else:
        assert "the disk is full; free some room" in told[0], where
        assert full in met["told"], where


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    return faults(tmp_path_factory.mktemp("disks"), [HALF])


@pytest.mark.parametrize("name", CASES)
def test_a_full_or_read_only_disk(name: str, found: dict[str, dict[str, Any]]) -> None:
    assert [met["fraction"] for met in found[name]["met"]] == [HALF, None]
    assert [met["code"] for met in found[name]["met"]] == [3 if name == "study run" else 4, 4]
    for met in found[name]["met"]:
        check(name, met)
