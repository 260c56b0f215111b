"""Each file of real runs cut short, deleted, or with a byte flipped: refused by its name, by the command that reads it.

`tests/soak/soak_damage.py` does the same at more places of each file.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from mfmarl.errors import StorageFailed
from mfmarl.runs.checkpoint import MANIFEST, read_checkpoint
from tests.hostile.commands import ROOM, check_refused, told_by
from tests.hostile.places import AUDIT, Place, make_folders, newest

PROGRESS = ("magail-coordination: ", "learning ", "value")
"""How lines begin that say what is being done."""
TERABYTE = 1 << 40
ONE_OF_A_KIND = {
    "run.json", "manifest.json", "replay.safetensors", "learner.json", "solution.safetensors", "imitation.json",
    "agent.safetensors", "training.safetensors", "results.json", "audit.json", "done",
}  # fmt: skip
"""The files of checkpoints are read in one way."""


def cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def flipped(data: bytes, at: int, by: int = 0x10) -> bytes:
    return data[:at] + bytes([data[at] ^ by]) + data[at + 1 :]


def damages(place: Place, places: int = 1) -> dict[str, Callable[[bytes], bytes] | None]:
    """How a file is damaged so that it is to be refused; None is deleted."""
    found: dict[str, Callable[[bytes], bytes] | None] = {"cut": cut}
    if not place.cache:
        found["deleted"] = None
    for i in range(places):
        at = (i + 0.5) / places
        found[f"flipped at {at:.4f}"] = lambda data, at=at: flipped(data, int(at * len(data)))
    return found


@pytest.fixture(scope="module")
def places(good: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Place]]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        yield make_folders(tmp_path_factory.mktemp("folders"), good, monkeypatch)


def check_damaged(places: Sequence[Place], folder: Path, flips: int) -> int:
    """Every file in every way: all refused by name. How many that were."""
    done = 0
    for n, place in enumerate(places):
        commands, names = {}, {}
        for m, (how, damage) in enumerate(damages(place, flips).items()):
            copy = folder / f"{n}" / f"{m}"
            shutil.copytree(place.folder, copy)
            path = copy / place.part
            path.unlink() if damage is None else path.write_bytes(damage(path.read_bytes()))
            case = f"{place.folder.name}: {place.part} {how}"
            commands[case], names[case] = [*place.command, copy.name], path.name
        # the lock's file stays
        check_refused(told_by(commands, folder / f"{n}"), names, may_change=("lock",), may_say=PROGRESS)
        shutil.rmtree(folder / f"{n}")
        done += len(commands)
    return done


def test_every_file_is_refused_by_its_name(places: list[Place], tmp_path: Path) -> None:
    assert check_damaged(places, tmp_path, 1) > 100


def test_what_an_audit_keeps_is_made_anew(places: list[Place], tmp_path: Path) -> None:
    """Pieces and deviators that were deleted, and an audit.json that was cut: the same again."""
    kept = [place for place in places if place.part.startswith("audit/") and place.cache]
    for n, place in enumerate(kept):
        path = shutil.copytree(place.folder, tmp_path / f"{n}") / place.part
        path.write_bytes(cut(path.read_bytes())) if path.name == "audit.json" else path.unlink()
    told = told_by({f"{n}": [*AUDIT, f"{n}"] for n in range(len(kept))}, tmp_path)
    assert {place.part.split("/")[1] for place in kept} == {"pieces", "audit.json", "deviators"}
    for n, place in enumerate(kept):
        one = told[f"{n}"]
        assert (one.code, one.escaped) == (0, ""), f"{place.part}: {one}"
        assert (tmp_path / f"{n}" / place.part).read_bytes() == (place.folder / place.part).read_bytes(), place.part


@pytest.mark.parametrize("size", [TERABYTE, 2 * ROOM])
def test_files_of_more_bytes_than_there_is_memory_for_are_refused(
    places: list[Place], size: int, tmp_path: Path
) -> None:
    commands, names = {}, {}
    chosen = [one for one in places if Path(one.part).name in ONE_OF_A_KIND or "pieces/played" in one.part]
    assert {Path(one.part).name for one in chosen} >= ONE_OF_A_KIND
    for n, place in enumerate(chosen):
        path = shutil.copytree(place.folder, tmp_path / f"{n}") / place.part
        # it takes no room on the disk
        os.truncate(path, size)
        case = f"{place.folder.name}: {place.part}"
        commands[case], names[case] = [*place.command, f"{n}"], path.name
    check_refused(told_by(commands, tmp_path), names, may_change=("lock",), may_say=PROGRESS)


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
