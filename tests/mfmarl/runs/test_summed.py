"""JSON under a sum: every byte counts, and what comes out is what went in."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from mfmarl.errors import DamagedFile, StorageFailed
from mfmarl.runs.summed import read_summed, summed

WORDS = {
    "name": "Škoda \n",
    "numbers": [1e-7, 0.1 + 0.2, -0.0, 2**70, 1e300],
    "none": None,
    "inner": {"b": 1, "a": [{}]},
}


def test_what_went_in_comes_out(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(summed(WORDS | {"count": np.int64(3), "pair": (1, 2)}))
    assert read_summed(path, 10_000) == WORDS | {"count": 3, "pair": [1, 2]}
    assert json.loads(path.read_text())["numbers"] == WORDS["numbers"]
    assert summed(dict(reversed(WORDS.items()))) == summed(WORDS)


def test_every_changed_byte_and_every_cut_is_told(tmp_path: Path) -> None:
    path, data = tmp_path / "x.json", summed(WORDS)
    for at in range(len(data)):
        for spoilt in (*(data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :] for bit in range(8)), data[:at]):
            path.write_bytes(spoilt)
            with pytest.raises(DamagedFile, match=r"x\.json (is damaged|has no SHA-256)[^\n]*\(mend it\)"):
                read_summed(path, 10_000, "mend it")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[1]", "is damaged: it is no JSON object of ours"),
        ("{}", "has no SHA-256: it was edited, or is of an earlier version"),
        (json.dumps(json.loads(summed(WORDS))), "is damaged or was edited: its SHA-256 does not fit"),
        ('{"x": NaN, "sha256": ""}', "is damaged: it is no JSON object of ours"),
        ("[" * 9999, "is damaged: it is no JSON object of ours"),
    ],
)
def test_what_is_wrong_is_told(text: str, told: str, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(DamagedFile) as error:
        read_summed(tmp_path / "x.json", 20_000)
    assert f"x.json {told}" in str(error.value)


def test_of_more_bytes_it_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_bytes(summed(WORDS))
    with pytest.raises(StorageFailed, match="more than the 10 that it may have"):
        read_summed(tmp_path / "x.json", 10)
