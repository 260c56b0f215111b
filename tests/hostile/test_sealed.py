"""Sealed files that somebody else made, also with a SHA-256 that fits: each is refused in one line."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import struct
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

from mfmarl.cli import run_command
from mfmarl.errors import DamagedFile, StorageFailed, UserError
from mfmarl.imitation import BCAgent, GAILAgent
from mfmarl.runs.sealed import read_sealed, write_sealed
from mfmarl.solvers.saved import TENSORS
from tests.hostile.commands import check_refused, told_by


@pytest.fixture(scope="module")
def solution(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("solved") / "good"
    assert run_command(["solve", "left-right", "--max-iterations", "3", "--tol", "0", "--out", str(folder)]) == 1
    return folder / TENSORS


def raw(header: Any, data: bytes = b"", length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def with_sum(metadata: dict[str, str], **tensors: Any) -> bytes:
    return raw({"__metadata__": metadata, **tensors})


EMPTY_SUM = hashlib.sha256(b"[1]").hexdigest()
OF_BYTES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda good: b"",
    "seven bytes": lambda good: good[:7],
    "text": lambda good: b"a solution" * 10,
    "a header of 2**63 bytes": lambda good: raw(b"{}", length=2**63),
    "a header of 2**64 - 1 bytes": lambda good: raw(b"{}", length=2**64 - 1),
    "a header of nothing": lambda good: raw(b""),
    "a header of 100,000 brackets": lambda good: raw(b"[" * 100_000),
    "a header that is a list": lambda good: raw([1]),
    "no metadata": lambda good: raw({}),
    "metadata that are a list": lambda good: raw({"__metadata__": [1]}),
    "metadata of numbers": lambda good: raw({"__metadata__": {"solution": 1, "sha256": 2}}),
    "no sum": lambda good: with_sum({"solution": "{}"}),
    "a shape of 2**60": lambda good: with_sum(
        {"solution": "{}", "sha256": ""}, a={"dtype": "F64", "shape": [2**60], "data_offsets": [0, 2**63]}
    ),
    "offsets beyond the end": lambda good: with_sum(
        {"solution": "{}", "sha256": ""}, a={"dtype": "F64", "shape": [2], "data_offsets": [0, 16]}
    ),
    "a type that is none": lambda good: with_sum(
        {"solution": "{}", "sha256": ""}, a={"dtype": "O8", "shape": [0], "data_offsets": [0, 0]}
    ),
    "words that are a list": lambda good: with_sum({"solution": "[1]", "sha256": EMPTY_SUM}),
    "cut short": lambda good: good[:-5],
    "longer": lambda good: good + b"\0",
    "a flipped byte": lambda good: good[:-9] + bytes([good[-9] ^ 1]) + good[-8:],
    "halved": lambda good: good[: len(good) // 2],
}


def record(name: str) -> dict[str, Any]:
    return {"record": name, "fields": {}}


DEEP = "@"
"""Stands for 100,000 lists in each other, which json does not write."""


OF_WORDS: dict[str, dict[str, Any]] = {
    "another schema": {"schema": 2},
    "a schema in words": {"schema": "1"},
    "no game": {"game": None},
    "a game that is not there": {"game": "os.mkdir"},
    "a list for a game": {"game": ["left-right"]},
    "a list for parameters": {"parameters": [1]},
    "a parameter that is none": {"parameters": {"path": "x"}},
    "words for a solver": {"solver": "os"},
    "settings that are none": {"settings": {"command": "true"}},
    "a number for a history": {"history": 3},
    "words for a history": {"history": ["ab"]},
    "no history": {"history": []},
    "a text for the tolerance": {"tol": "1"},
    "a list for the iterations": {"max_iterations": []},
    "a text for the exploitability": {"exploitability": "small"},
    "a state that is a number": {"state": 7},
    "a state of a function": {"state": record("np")},
    "a state of another class": {"state": record("Path")},
    "a state without an end": {"state": DEEP},
    "a state of no array": {"state": {"array": "nowhere"}},
}
OF_ARRAYS: dict[str, Callable[[Any], Any]] = {
    "no policy": lambda arrays: {k: v for k, v in arrays.items() if k != "pi"},
    "a policy of another shape": lambda arrays: arrays | {"pi": np.zeros((2, 2))},
    "a policy of whole numbers": lambda arrays: arrays | {"pi": arrays["pi"].astype(np.int64)},
    "a policy of NaN": lambda arrays: arrays | {"pi": arrays["pi"] * np.nan},
    "a policy of sums of 2": lambda arrays: arrays | {"pi": arrays["pi"] * 2},
    "a flow of one number": lambda arrays: arrays | {"mu": np.zeros(())},
}


def test_each_is_refused_in_one_line(tmp_path: Path, solution: Path) -> None:
    good = solution.read_bytes()
    words, arrays = read_sealed(solution, "solution", 1, 1 << 20)
    cases = [*OF_BYTES, *OF_WORDS, *OF_ARRAYS, "a link", "a pipe", "a folder", "no file"]
    folders = {case: tmp_path / f"s{i}" for i, case in enumerate(cases)}
    for case, folder in folders.items():
        folder.mkdir()
        path = folder / TENSORS
        if case in OF_BYTES:
            path.write_bytes(OF_BYTES[case](good))
        elif case in OF_WORDS:
            text = json.dumps(words | OF_WORDS[case]).replace(json.dumps(DEEP), '{"list":[' * 10**5 + "]}" * 10**5)
            write_sealed(path, "solution", text, arrays)
        elif case in OF_ARRAYS:
            write_sealed(path, "solution", json.dumps(words), OF_ARRAYS[case](arrays))
    shutil.copy(solution, tmp_path / "kept")
    (folders["a link"] / TENSORS).symlink_to(tmp_path / "kept")
    os.mkfifo(folders["a pipe"] / TENSORS)
    (folders["a folder"] / TENSORS).mkdir()
    told = told_by({case: ["solve", "--resume", folder.name] for case, folder in folders.items()}, tmp_path)
    check_refused(told, {case: folder.name for case, folder in folders.items()})


AGENTS = {
    "BCAgent": BCAgent({"state_dim": 2, "action_dim": 2, "hidden_dims": (4,)}, seed=1),
    "GAILAgent": GAILAgent({"state_dim": 2, "action_dim": 2, "hidden_dims": (4,)}, seed=1),
}


@pytest.mark.parametrize("kind", AGENTS)
def test_agents_with_a_sum_that_fits_and_words_that_do_not(kind: str, tmp_path: Path) -> None:
    AGENTS[kind].save(tmp_path)
    path = tmp_path / "agent.safetensors"
    words, arrays = read_sealed(path, "agent", 1, 1 << 24)
    wrong: list[Any] = [None, 7, "x", [], {"x": 1}, -1, 1e300, [[1]]]
    tried = 0
    for key in sorted(words.keys() - {"schema", "kind"}):
        for value in wrong:
            write_sealed(path, "agent", json.dumps(words | {key: value}), arrays)
            refused_or_read(kind, tmp_path)
            tried += 1
        write_sealed(path, "agent", json.dumps({k: v for k, v in words.items() if k != key}), arrays)
        with pytest.raises(StorageFailed, match=r"agent\.safetensors"):
            type(AGENTS[kind]).load(tmp_path)
    # a network's arrays are alike
    for name, array in list(arrays.items())[::6]:
        for other in (None, np.zeros(0), np.zeros((3, 3, 3)), np.zeros(array.shape, bool)):
            changed = {k: v for k, v in arrays.items() if k != name} | ({} if other is None else {name: other})
            write_sealed(path, "agent", json.dumps(words), changed)
            refused_or_read(kind, tmp_path)
            tried += 1
    assert tried >= 30


def refused_or_read(kind: str, folder: Path) -> None:
    with suppress(DamagedFile, UserError):
        type(AGENTS[kind]).load(folder)


def test_caps(tmp_path: Path) -> None:
    write_sealed(tmp_path / "x", "words", '{"schema": 1}', {})
    with pytest.raises(StorageFailed, match="more than the 10 that it may have"):
        read_sealed(tmp_path / "x", "words", 1, 10)
    (tmp_path / "y").write_bytes(safetensors.numpy.save({"a": np.zeros(1)}))
    with pytest.raises(DamagedFile, match=r"y is damaged, or none of ours: '__metadata__' is missing"):
        read_sealed(tmp_path / "y", "words", 1, 1000)
