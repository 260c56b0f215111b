"""Each file of real runs cut short, deleted, or with a byte flipped: refused by its name, by the command that reads it.

`tests/soak/soak_damage.py` does the same at 200 places of each file of a checkpoint.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from mfmarl.cli import run_command
from mfmarl.errors import StorageFailed
from mfmarl.runs.checkpoint import CHECKPOINTS, MANIFEST, read_checkpoint
from tests.hostile.commands import check_refused, told_by

DAMAGES: dict[str, Callable[[Path], None]] = {
    "cut": lambda path: cut(path, 2),
    "without its last byte": lambda path: cut(path, 1),
    "deleted": Path.unlink,
    "flipped": lambda path: flip(path, path.stat().st_size // 2),
}


def cut(path: Path, by: int) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2] if by > 1 else data[:-1])


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 0x10
    path.write_bytes(data)


def newest(run: Path) -> Path:
    return max((run / CHECKPOINTS).iterdir())


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A solution, and an imitation that is not complete."""
    folder = tmp_path_factory.mktemp("others")
    solve = ["solve", "left-right", "--max-iterations", "3", "--tol", "0", "--out", str(folder / "solution")]
    assert run_command(solve) == 1
    shown, imitation = str(folder / "shown.npz"), folder / "imitation"
    assert (
        run_command(["demonstrate", "--env", "CartPole-v1", "--expert", "cartpole", "--episodes", "1", "--out", shown])
        == 0
    )
    imitate = ["imitate", "bc", "--demonstrations", shown, "--updates", "5", "--evaluations", "0", "--quiet"]
    assert run_command([*imitate, "--set", "hidden_dims=[4]", "--out", str(imitation)]) == 0
    words = json.loads((imitation / "imitation.json").read_text())
    (imitation / "imitation.json").write_text(json.dumps(words | {"complete": False}))
    return folder


def test_every_file_is_refused_by_its_name(good: Path, others: Path, tmp_path: Path) -> None:
    commands, names = {}, {}
    shutil.copytree(others, tmp_path / "others")
    parts = ["run.json", *(f"{CHECKPOINTS}/{newest(good).name}/{path.name}" for path in newest(good).iterdir())]
    places = [
        *((good, part, ["train", "--local", "--resume"]) for part in parts),
        (others / "solution", "solution.safetensors", ["solve", "--resume"]),
        (others / "imitation", "imitation.json", ["imitate", "--quiet", "--resume"]),
        (others / "imitation", "agent/agent.safetensors", ["imitate", "--quiet", "--resume"]),
    ]
    for folder, part, command in places:
        for how, damage in DAMAGES.items():
            # the last byte is a line end; and an imitation without an agent begins anew, to the same end
            if (part, how) in (("run.json", "without its last byte"), ("agent/agent.safetensors", "deleted")):
                continue
            copy = tmp_path / f"{folder.name}-{part.replace('/', '-')}-{how.split()[0]}"
            shutil.copytree(folder, copy)
            (copy / "complete.json").unlink(missing_ok=True)
            (copy / "evaluation.h5").unlink(missing_ok=True)
            damage(copy / part)
            case = f"{part} {how}"
            commands[case], names[case] = [*command, copy.name], Path(part).name
    # the lock's file stays
    check_refused(told_by(commands, tmp_path), names, may_change=("lock",))
    assert len(commands) > 40


def refused_at(good: Path, folder: Path, places: int) -> dict[str, int]:
    """Of each file of the newest checkpoint how many flipped bytes, and as many cuts, are refused by its name."""
    shutil.copytree(newest(good), folder / newest(good).name)
    found = {}
    for path in sorted((folder / newest(good).name).iterdir()):
        data, refused = path.read_bytes(), 0
        for i in range(places):
            at = i * len(data) // places
            for spoilt in (data[:at] + bytes([data[at] ^ 1 << i % 8]) + data[at + 1 :], data[:at]):
                path.write_bytes(spoilt)
                with pytest.raises(StorageFailed, match=path.name):
                    read_checkpoint(path.parent)
                refused += 1
        path.unlink()
        with pytest.raises(StorageFailed, match=path.name):
            read_checkpoint(path.parent)
        path.write_bytes(data)
        found[path.name] = refused
    read_checkpoint(folder / newest(good).name)
    return found


def test_every_file_of_a_checkpoint_at_10_places(good: Path, tmp_path: Path) -> None:
    found = refused_at(good, tmp_path, 10)
    assert MANIFEST in found
    assert set(found.values()) == {20}
