"""Checkpoints: what went in comes out, damage of any file is named, and a killed writer leaves a whole one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mfmarl.errors import StorageFailed, UserError
from mfmarl.runs.checkpoint import (
    Tensors,
    checkpoint_paths,
    latest_checkpoint,
    latest_valid,
    missing_part,
    read_checkpoint,
    write_checkpoint,
)

ROOT = Path(__file__).resolve().parents[3]
FILES = ("network.safetensors", "replay.safetensors", "learner.json", "network.json", "manifest.json")


def tensors() -> Tensors:
    return {
        "network": {"weights/0": np.arange(6, dtype=np.float32).reshape(2, 3).T, "scalar": np.array(0.25)},
        "replay": {"action": np.arange(4, dtype=np.uint8), "none": np.empty((0, 3)), "flag": np.array([True, False])},
        "optimiser": {},
    }


STATES = {"learner": {"rng": {"state": 2**127 + 1}, "debt": 0.1, "step": 3}, "network": {"hidden": [64, 64]}}


def write(run: Path, iteration: int = 40) -> Path:
    return write_checkpoint(run, iteration, tensors(), STATES, "0123456789ab")


def test_what_went_in_comes_out(run: Path) -> None:
    path = write(run)
    assert path == run / "checkpoints" / "ckpt_000040"
    got = read_checkpoint(path)
    assert (got.iteration, got.config_hash, got.states) == (40, "0123456789ab", STATES)
    assert set(got.versions) >= {"python", "mfmarl", "numpy"}
    for file, arrays in tensors().items():
        assert set(got.tensors[file]) == set(arrays)
        for name, array in arrays.items():
            assert got.tensors[file][name].dtype == array.dtype
            np.testing.assert_array_equal(got.tensors[file][name], array, strict=True)


def test_numpy_numbers_in_states_become_plain_ones(run: Path) -> None:
    path = write_checkpoint(run, 1, {}, {"x": {"age": np.int64(3), "mean": np.float32(0.5)}}, "0" * 12)
    assert read_checkpoint(path).states == {"x": {"age": 3, "mean": 0.5}}


def test_the_last_two_are_kept(run: Path) -> None:
    for iteration in (10, 20, 30):
        write(run, iteration)
    assert [p.name for p in checkpoint_paths(run)] == ["ckpt_000020", "ckpt_000030"]
    assert sorted(p.name for p in (run / "checkpoints").iterdir()) == ["ckpt_000020", "ckpt_000030"]
    assert latest_checkpoint(run).iteration == 30


def test_going_on_from_an_older_one_gives_up_the_future(run: Path) -> None:
    for iteration in (10, 40):
        write(run, iteration)
    write(run, 20)
    assert [p.name for p in checkpoint_paths(run)] == ["ckpt_000010", "ckpt_000020"]
    write(run, 20)
    assert latest_checkpoint(run).iteration == 20


def test_what_cannot_be_stored_is_refused_before_anything_is_written(run: Path) -> None:
    with pytest.raises(ValueError, match="learner"):
        write_checkpoint(run, 1, {}, {"learner": {"x": float("nan")}}, "0" * 12)
    with pytest.raises(ValueError, match="learner"):
        write_checkpoint(run, 1, {}, {"learner": {"x": object()}}, "0" * 12)
    with pytest.raises(ValueError, match="network"):
        write_checkpoint(run, 1, {"network": {"x": np.array(["text"])}}, {}, "0" * 12)
    for name in ("../x", "manifest", "", "A", "a/b"):
        with pytest.raises(ValueError, match="cannot be called"):
            write_checkpoint(run, 1, {}, {name: 1}, "0" * 12)
    assert latest_valid(run) is None


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("damage", ["truncated", "emptied", "deleted", "longer", "link", "pipe"])
def test_damage_is_refused_by_name(run: Path, file: str, damage: str) -> None:
    broken = write(run) / file
    data = broken.read_bytes()
    if damage in ("deleted", "link", "pipe"):
        broken.unlink()
    if damage == "link":
        (run / "elsewhere").write_bytes(data)
        broken.symlink_to(run / "elsewhere")
    elif damage == "pipe":
        os.mkfifo(broken)
    elif damage != "deleted":
        broken.write_bytes({"truncated": data[:-1], "emptied": b"", "longer": data + b"\n"}[damage])
    with pytest.raises(StorageFailed, match=file):
        read_checkpoint(broken.parent)
    with pytest.raises(StorageFailed, match=file):
        latest_checkpoint(run)


@pytest.mark.parametrize("file", FILES)
def test_every_flipped_bit_is_refused(run: Path, file: str) -> None:
    broken = write(run) / file
    data = broken.read_bytes()
    for position in range(0, len(data), max(1, len(data) // 60)):
        changed = bytearray(data)
        changed[position] ^= 1 << (position % 8)
        broken.write_bytes(bytes(changed))
        with pytest.raises(StorageFailed, match=file):
            read_checkpoint(broken.parent)


def test_missing_part_is_seen_without_reading(run: Path) -> None:
    path = write(run)
    assert missing_part(path) is None
    (path / "learner.json").write_text("{}")
    assert "learner.json has 2 bytes" in str(missing_part(path))
    (path / "learner.json").unlink()
    assert "learner.json is missing" in str(missing_part(path))


def test_a_damaged_newest_says_how_to_go_back(run: Path) -> None:
    older, newest = write(run, 20), write(run, 40)
    (newest / "replay.safetensors").unlink()
    with pytest.raises(StorageFailed, match=rf"replay.safetensors is missing; .*--resume {older}$"):
        latest_valid(run)
    (older / "learner.json").write_text("")
    with pytest.raises(StorageFailed, match=r"no other that is whole: train again under another --name$"):
        latest_valid(run)


def test_manifests_that_point_elsewhere_are_refused(run: Path) -> None:
    from mfmarl.runs.summed import summed

    path = write(run)
    manifest = json.loads((path / "manifest.json").read_text())
    body = {k: v for k, v in manifest.items() if k != "sha256"}
    body["files"]["../../run.json"] = {"size": 1, "sha256": ""}
    (path / "manifest.json").write_bytes(summed(body))
    with pytest.raises(StorageFailed, match=r"names \.\./\.\./run\.json, which no checkpoint has"):
        read_checkpoint(path)


def test_a_renamed_checkpoint_is_refused(run: Path) -> None:
    path = write(run)
    path.rename(path.with_name("ckpt_000041"))
    with pytest.raises(StorageFailed, match="is of iteration 40"):
        read_checkpoint(path.with_name("ckpt_000041"))


def test_what_is_no_checkpoint(run: Path) -> None:
    with pytest.raises(UserError, match="not a checkpoint folder"):
        read_checkpoint(run)
    with pytest.raises(UserError, match="no checkpoint yet"):
        latest_checkpoint(run)
    with pytest.raises(UserError, match="not a run folder"):
        latest_checkpoint(run.parent)


def test_a_full_disk_leaves_the_checkpoints_before(run: Path) -> None:
    write(run, 20)
    code = (
        "import resource, sys; from pathlib import Path; import numpy as np\n"
        "from mfmarl.runs.checkpoint import write_checkpoint\n"
        "from mfmarl.errors import StorageFailed\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        f"try: write_checkpoint(Path({str(run)!r}), 40, {{'big': {{'x': np.zeros(100_000)}}}}, {{}}, '0' * 12)\n"
        "except StorageFailed as e: print('REFUSED', e)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "REFUSED cannot write" in done.stdout
    assert [p.name for p in (run / "checkpoints").iterdir()] == ["ckpt_000020"]
    assert latest_checkpoint(run).iteration == 20


def test_a_vanished_run_folder(run: Path) -> None:
    run.rename(run.with_name("moved"))
    with pytest.raises(StorageFailed, match="is gone"):
        write(run)
    assert not run.exists()


def test_a_writer_killed_at_any_instant_leaves_a_whole_checkpoint(run: Path) -> None:
    code = (
        "from pathlib import Path; import numpy as np, itertools\n"
        "from mfmarl.runs.checkpoint import latest_valid, write_checkpoint\n"
        f"run = Path({str(run)!r})\n"
        "done = latest_valid(run)\n"
        "for i in itertools.count((done.iteration if done else 0) + 1):\n"
        "    arrays = {'x': np.full(100_000, float(i))}\n"
        "    write_checkpoint(run, i, {'a': arrays, 'b': arrays}, {'s': {'i': i}}, '0' * 12)\n"
        "    print(i, flush=True)\n"
    )
    rng = np.random.default_rng(0)
    known = 0
    for _ in range(20):
        with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            first = int(child.stdout.readline())
            assert first == known + 1
            time.sleep(float(rng.uniform(0, 0.05)))
            child.send_signal(signal.SIGKILL)
            said = [int(line) for line in child.stdout.read().split("\n")[:-1]]
        checkpoint = latest_checkpoint(run)
        known = checkpoint.iteration
        # at most the one that was being written when the signal came had been renamed but not told
        assert known - max([first, *said]) in (0, 1)
        assert checkpoint.states == {"s": {"i": known}}
        assert (checkpoint.tensors["b"]["x"] == known).all()
    write(run, known + 1)
    assert not list((run / "checkpoints").glob("*.tmp"))


def test_all_is_durable_before_it_takes_its_name(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What SIGKILL cannot show: the system would lose what was not synced where the power fails."""
    done: list[tuple[str, str]] = []
    fsync, rename = os.fsync, os.rename

    def syncing(descriptor: int) -> None:
        done.append(("fsync", Path(f"/proc/self/fd/{descriptor}").readlink().name))
        fsync(descriptor)

    def renaming(path: Any, to: Any, **keys: Any) -> None:
        done.append(("rename", Path(to).name))
        rename(path, to, **keys)

    monkeypatch.setattr(os, "fsync", syncing)
    monkeypatch.setattr(os, "rename", renaming)
    path = write(run)
    at = done.index(("rename", path.name))
    synced = [name for _, name in done[:at]]
    assert set(synced) >= {file.name for file in path.iterdir()}
    # the folder's own entries after the last of its files, and the one above it after its name is there
    assert synced[-1] == f"{path.name}.tmp"
    assert done[at + 1] == ("fsync", "checkpoints")
