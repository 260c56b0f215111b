"""Minari data sets and RLlib shards that somebody else made: nothing outside their folder is read."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from mfmarl.errors import StorageFailed, UserError
from mfmarl.imitation.demonstrations import Demonstrations
from mfmarl.imitation.minari_files import write_minari
from mfmarl.imitation.rollout import episodes, spaces_of
from tests.hostile.commands import check_refused, told_by

ENV = "CartPole-v1"


@pytest.fixture(scope="module")
def recorded() -> Demonstrations:
    every = episodes(ENV, lambda states: (states[:, 2] > 0).astype(np.int64), 2, 0)
    return Demonstrations.from_episodes(every, spaces_of(ENV), ENV)


def replaced(make: Callable[[Any], None]) -> Callable[[Path], None]:
    """The rewards of the second episode, made otherwise."""

    def change(data: Path) -> None:
        with h5py.File(data / "outside.h5", "w") as file:
            file["secret"] = np.ones(3)
        with h5py.File(data / "main_data.hdf5", "a") as file:
            del file["episode_1/rewards"]
            make(file)

    return change


def virtual(file: Any) -> None:
    layout = h5py.VirtualLayout((3,), "f8")
    layout[:] = h5py.VirtualSource("outside.h5", "secret", (3,))
    file["episode_1"].create_virtual_dataset("rewards", layout)


def words(**changes: Any) -> Callable[[Path], None]:
    def change(data: Path) -> None:
        path = data / "metadata.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    return change


def put(name: str, made: bytes | Callable[[Path], object]) -> Callable[[Path], None]:
    def change(data: Path) -> None:
        (data / name).unlink()
        (data / name).write_bytes(made) if isinstance(made, bytes) else made(data / name)

    return change


def ring(file: Any) -> None:
    file["episode_1/again"] = file["episode_1"]
    file["episode_1/rewards"] = h5py.SoftLink("/episode_1/again/rewards")


HOSTILE: dict[str, Callable[[Path], None]] = {
    "a link outside": replaced(lambda f: f.update({"episode_1/rewards": h5py.ExternalLink("outside.h5", "secret")})),
    "an episode outside": replaced(lambda f: f.update({"episode_2": h5py.ExternalLink("outside.h5", "/")})),
    "a soft link": replaced(lambda f: f.update({"episode_1/rewards": h5py.SoftLink("/episode_0/rewards")})),
    "a ring": replaced(ring),
    "values of another file": replaced(
        lambda f: f["episode_1"].create_dataset("rewards", (3,), "f8", external=[("/etc/passwd", 0, 24)])
    ),
    "virtual values": replaced(virtual),
    "2**40 rewards": replaced(lambda f: f["episode_1"].create_dataset("rewards", (2**40,), "f8", chunks=(64,))),
    "2**29 rewards that are not there": replaced(lambda f: f["episode_1"].create_dataset("rewards", (2**29,), "f8")),
    "2**29 rewards in chunks": replaced(
        lambda f: f["episode_1"].create_dataset("rewards", (2**29,), "f8", chunks=(2**20,), compression="gzip")
    ),
    "references": replaced(
        lambda f: f["episode_1"].create_dataset("rewards", data=[f.ref] * 3, dtype=h5py.ref_dtype)
    ),
    "lists of lists": replaced(
        lambda f: f["episode_1"].create_dataset("rewards", (3,), h5py.vlen_dtype(np.float64))
    ),
    "a group of rewards": replaced(lambda f: f["episode_1"].create_group("rewards")),
    "text for rewards": replaced(lambda f: f["episode_1"].create_dataset("rewards", data=["a", "b", "c"])),
    "no HDF5": put("main_data.hdf5", b"text"),
    "HDF5 cut short": lambda data: os.truncate(data / "main_data.hdf5", 3000),
    "HDF5 a link": put("main_data.hdf5", lambda path: path.symlink_to("/etc/passwd")),
    "HDF5 a pipe": put("main_data.hdf5", os.mkfifo),
    "no words": put("metadata.json", b""),
    "words of 100,000 brackets": put("metadata.json", b"[" * 100_000),
    "words that are a list": put("metadata.json", b"[1]"),
    "words a pipe": put("metadata.json", os.mkfifo),
    "words a link": put("metadata.json", lambda path: path.symlink_to("/etc/passwd")),
    "words of 20 MB": put("metadata.json", b'{"a": "' + b"x" * 20_000_000 + b'"}'),
    "spaces of 100,000 brackets": words(observation_space="[" * 100_000),
    "spaces of another kind": words(action_space='{"type": "os.system"}'),
    "2**60 episodes": words(total_episodes=2**60),
    "episodes in words": words(total_episodes="many"),
    "a number for a name": words(dataset_id=7),
    "another format": words(data_format="pickle"),
}  # fmt: skip


def test_each_is_refused_in_one_line(recorded: Demonstrations, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "root"
    good = write_minari(recorded, root, "cartpole/good-v0")
    commands, names = {}, {}
    for i, (case, change) in enumerate(HOSTILE.items()):
        shutil.copytree(good, root / f"cartpole/n{i}-v0")
        change(root / f"cartpole/n{i}-v0" / "data")
        commands[case] = ["imitate", "bc", "--quiet", "--env", ENV, "--updates", "1", "--out", "made",
                          "--demonstrations", f"minari:cartpole/n{i}-v0"]  # fmt: skip
        names[case] = f"n{i}-v0"
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(root))
    check_refused(told_by(commands, tmp_path), names)
    # without --env the words are read first
    of_words = {case: command[:3] + command[5:] for case, command in commands.items() if "words" in case}
    check_refused(told_by(of_words, tmp_path), names)
    assert len(Demonstrations.from_minari(good)) == 2


SHARDS: dict[str, Any] = {
    "a shard above": {"files": ["../secret.parquet"]},
    "a shard elsewhere": {"files": ["/etc/passwd"]},
    "a shard in a number": {"files": [7]},
    "a text for shards": {"files": "shard-00000.parquet"},
    "spaces that are a list": {"spaces": [1]},
    "spaces of words": {"spaces": {"state_dim": "many", "action_dim": None, "low": 1, "high": 2}},
    "a list for a schema": {"schema": [1]},
}


def test_shards_name_shards_alone(recorded: Demonstrations, tmp_path: Path) -> None:
    shards = pytest.importorskip("mfmarl.rllib.offline_shards")
    folder, path = tmp_path / "shards", tmp_path / "shards" / "shards.json"
    shards.shards_of(recorded, folder)
    (tmp_path / "secret.parquet").write_bytes(b"")
    good = json.loads(path.read_text())
    assert shards.read_shards(folder).episodes == 2
    for change in SHARDS.values():
        path.write_text(json.dumps(good | change))
        with pytest.raises((StorageFailed, UserError), match=r"shards\.json"):
            shards.read_shards(folder)
    for text in ("[" * 100_000, "", "[1]", "\xff"):
        path.write_text(text)
        with pytest.raises(StorageFailed, match=r"shards\.json is damaged"):
            shards.read_shards(folder)
    path.unlink()
    path.symlink_to("/etc/passwd")
    with pytest.raises(StorageFailed, match=r"shards\.json"):
        shards.read_shards(folder)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(StorageFailed, match=r"shards\.json is not a regular file"):
        shards.read_shards(folder)
