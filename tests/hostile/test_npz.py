"""Twenty files in place of demonstrations: each is refused in one line, and nothing is run or made."""

from __future__ import annotations

import io
import json
import os
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mfmarl.imitation.demonstrations import ARRAYS
from tests.hostile.commands import check_refused, told_by

GOOD: dict[str, Any] = {
    "observations": np.zeros((5, 4), np.float32), "actions": np.zeros(4, np.int64), "rewards": np.ones(4),
    "lengths": np.array([4]), "terminated": np.array([True]), "truncated": np.array([False]),
    "about": np.frombuffer(
        json.dumps({
            "schema": 1, "env": "CartPole-v1", "state_dim": 4, "action_dim": 2, "low": [], "high": [], "told": {},
        }).encode(), np.uint8,
    ),
}  # fmt: skip


class Runs:
    """Unpickled, it leaves a folder."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("ran",)


def npy(array: Any, *, allow: bool = False) -> bytes:
    out = io.BytesIO()
    np.lib.format.write_array(out, np.asarray(array), allow_pickle=allow)
    return out.getvalue()


def header(text: str, version: int = 1) -> bytes:
    data = text.encode() + b"\n"
    return b"\x93NUMPY" + bytes([version, 0]) + struct.pack("<H" if version == 1 else "<I", len(data)) + data


def shaped(shape: str, kind: str = "<f4", version: int = 1) -> bytes:
    return header(f"{{'descr': {kind!r}, 'fortran_order': False, 'shape': {shape}, }}", version) + b"\0" * 16


def packed(kind: int = zipfile.ZIP_DEFLATED, **members: Any) -> bytes:
    """Good demonstrations but for these; bytes are a member as it is, None takes it away."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", kind) as file:
        for name, value in (GOOD | members).items():
            if value is not None:
                file.writestr(f"{name}.npy", value if isinstance(value, bytes) else npy(value))
    return out.getvalue()


def patched(data: bytes, where: int, value: int) -> bytes:
    """A two-byte field of every member, by its place in the local header and the directory's, of 16 and 8 bytes."""
    found = bytearray(data)
    for mark, offset in ((b"PK\3\4", where), (b"PK\1\2", where + 2)):
        at = found.find(mark)
        while at >= 0:
            found[at + offset : at + offset + 2] = struct.pack("<H", value)
            at = found.find(mark, at + 4)
    return bytes(found)


def flipped() -> bytes:
    data = bytearray(packed(observations=np.arange(20_000.0).reshape(5000, 4)))
    data[1000:1010] = b"\xff" * 10
    return bytes(data)


def bomb() -> bytes:
    """640 MB of zeros in 3 MB."""
    out = io.BytesIO()
    text = "{'descr': '<f4', 'fortran_order': False, 'shape': (41943040, 4), }"
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
        for name, value in GOOD.items():
            if name != "observations":
                file.writestr(f"{name}.npy", npy(value))
        with file.open("observations.npy", "w", force_zip64=True) as member:
            member.write(header(text))
            for _ in range(10):
                member.write(b"\0" * (1 << 26))
    return out.getvalue()


def words(**changes: Any) -> Any:
    told = json.loads(bytes(GOOD["about"])) | changes
    return np.frombuffer(json.dumps({k: v for k, v in told.items() if v is not None}).encode(), np.uint8)


HOSTILE: dict[str, Callable[[], bytes]] = {
    "empty": lambda: b"",
    "text": lambda: b"observations,actions\n1,2\n",
    "pickle": lambda: pickle.dumps(Runs()),
    "objects": lambda: packed(about=npy(np.array([Runs()], object), allow=True)),
    "objects in actions": lambda: packed(actions=npy(np.array([Runs()], object), allow=True)),
    "one array, no zip": lambda: npy(np.zeros(3)),
    "a shape of 2**50": lambda: packed(observations=shaped("(1125899906842624, 4)")),
    "a shape of 2**50 in the words": lambda: packed(about=shaped("(1125899906842624,)", "|u1")),
    "a negative shape": lambda: packed(observations=shaped("(-5, 4)")),
    "a shape that is none": lambda: packed(observations=shaped("'x'")),
    "a header that calls": lambda: packed(observations=header("__import__('os').mkdir('ran')")),
    "a header of many brackets": lambda: packed(observations=header("(" * 60_000)),
    "a header of 4 GB": lambda: packed(observations=b"\x93NUMPY\2\0" + struct.pack("<I", 2**32 - 1)),
    "an unknown version": lambda: packed(observations=b"\x93NUMPY\x09\0" + b"\0" * 30),
    "a record type": lambda: packed(actions=npy(np.zeros(4, [("x", "f8"), ("y", "i4")]))),
    "encrypted": lambda: patched(packed(), 6, 1),
    "an unknown compression": lambda: patched(packed(), 8, 77),
    "a flipped byte": flipped,
    "without its first byte": lambda: packed()[1:],
    "cut short": lambda: packed()[:-300],
    "words of 100,000 brackets": lambda: packed(about=np.frombuffer(b"[" * 100_000, np.uint8)),
    "words that are no object": lambda: packed(about=np.frombuffer(b"[1]", np.uint8)),
    "words of other kinds": lambda: packed(about=words(low=3, told=[1])),
    "words of 2**70 actions": lambda: packed(about=words(action_dim=2**70)),
    "words of no number": lambda: packed(about=words(state_dim=None, action_dim="many")),
    "steps of 2**62": lambda: packed(lengths=np.array([2**62, 2**62])),
    "a bomb": bomb,
}


def test_each_is_refused_in_one_line(tmp_path: Path) -> None:
    paths = {case: tmp_path / f"{i}.npz" for i, case in enumerate(HOSTILE)}
    for case, path in paths.items():
        path.write_bytes(HOSTILE[case]())
    os.mkfifo(tmp_path / "pipe.npz")
    (tmp_path / "folder.npz").mkdir()
    paths |= {name: tmp_path / f"{name}.npz" for name in ("pipe", "folder", "nowhere")}
    imitate = ["imitate", "bc", "--quiet", "--updates", "1", "--out", "made", "--demonstrations"]
    for more in ([], ["--env", "CartPole-v1"]):
        told = told_by({case: [*imitate, path.name, *more] for case, path in paths.items()}, tmp_path)
        names = {case: path.name for case, path in paths.items()}
        names["words of 2**70 actions"] = "these demonstrations are of CartPole-v1 with"
        check_refused(told, names)


def test_the_good_one_is_taken(tmp_path: Path) -> None:
    from mfmarl.imitation.demonstrations import Demonstrations

    (tmp_path / "good.npz").write_bytes(packed())
    found = Demonstrations.from_npz(tmp_path / "good.npz")
    assert found.env == "CartPole-v1"
    assert found.observations.shape == GOOD["observations"].shape
    # by a link too: the user has named it
    (tmp_path / "link.npz").symlink_to("good.npz")
    assert len(Demonstrations.from_npz(tmp_path / "link.npz")) == 1
    with np.load(tmp_path / "good.npz") as file:
        assert {*ARRAYS} <= {*file.files}


@pytest.mark.parametrize("where", ["LARGEST", "LARGEST_UNPACKED"])
def test_caps(where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mfmarl.errors import UserError
    from mfmarl.imitation import npz_arrays

    (tmp_path / "good.npz").write_bytes(packed())
    monkeypatch.setattr(npz_arrays, where, 100)
    with pytest.raises(UserError, match=r"good\.npz .* want 100 at most"):
        npz_arrays.arrays_in(tmp_path / "good.npz")
