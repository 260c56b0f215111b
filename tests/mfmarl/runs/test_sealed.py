"""Sealed files: what is written comes back, and equal content is equal bytes whatever process wrote it."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from mfmarl.errors import DamagedFile
from mfmarl.runs.sealed import Arrays, read_sealed, write_sealed

TEXT = json.dumps({"schema": 1, "name": "Zoë"})


def arrays() -> Arrays:
    return {"b": np.arange(3.0), "a": np.array([[True], [False]]), "c": np.array(7, np.uint8)}


def test_what_is_written_comes_back(tmp_path: Path) -> None:
    write_sealed(tmp_path / "x", "words", TEXT, arrays())
    words, found = read_sealed(tmp_path / "x", "words", 1, 10_000)
    assert words == {"schema": 1, "name": "Zoë"}
    assert sorted(found) == ["a", "b", "c"]
    for name, array in arrays().items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].dtype == array.dtype
    data = (tmp_path / "x").read_bytes()
    assert int.from_bytes(data[:8], "little") % 8 == 0
    np.testing.assert_array_equal(safetensors.numpy.load(data)["b"], arrays()["b"])


def test_equal_content_is_equal_bytes(tmp_path: Path) -> None:
    for i in range(20):
        write_sealed(tmp_path / str(i), "words", TEXT, arrays())
    # of two keys in random order all are alike once in half a million
    assert len({path.read_bytes() for path in tmp_path.iterdir()}) == 1


def test_equal_agents_are_equal_files_in_two_processes(tmp_path: Path) -> None:
    code = """
import sys
from pathlib import Path
from mfmarl.imitation import BCAgent, GAILAgent
for kind in (BCAgent, GAILAgent):
    agent = kind({"state_dim": 2, "action_dim": 2, "hidden_dims": (4,)}, seed=3)
    for i in range(5):
        agent.save(Path(sys.argv[1]) / kind.__name__ / str(i))
"""
    for seed in ("1", "2"):
        environment = os.environ | {"PYTHONHASHSEED": seed}
        subprocess.run([sys.executable, "-c", code, str(tmp_path / seed)], check=True, env=environment)
    for kind in ("BCAgent", "GAILAgent"):
        for name in ("agent.safetensors", "agent.json"):
            found = [path.read_bytes() for path in tmp_path.glob(f"*/{kind}/*/{name}")]
            assert len(found) == 10
            assert len(set(found)) == 1


@pytest.mark.parametrize("order", [("words", "sha256"), ("sha256", "words")])
def test_files_of_before_are_read_in_either_order(tmp_path: Path, order: tuple[str, str]) -> None:
    array = np.arange(2.0)
    sha = hashlib.sha256(TEXT.encode() + b"a float64 (2,)" + array.tobytes()).hexdigest()
    metadata = {"words": TEXT, "sha256": sha}
    header = json.dumps(
        {
            "__metadata__": {key: metadata[key] for key in order},
            "a": {"dtype": "F64", "shape": [2], "data_offsets": [0, 16]},
        }
    ).encode()
    data = len(header).to_bytes(8, "little") + header + array.tobytes()
    (tmp_path / "x").write_bytes(data)
    np.testing.assert_array_equal(read_sealed(tmp_path / "x", "words", 1, 10_000)[1]["a"], array)
    (tmp_path / "x").write_bytes(data[:-1] + b"\1")
    with pytest.raises(DamagedFile, match="its SHA-256 does not fit"):
        read_sealed(tmp_path / "x", "words", 1, 10_000)
