"""evaluation.h5: what went in comes out, missing is said, and hostile files are refused."""

from __future__ import annotations

import dataclasses
import itertools
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from mfmarl.errors import StorageFailed
from mfmarl.runs.store import EVALUATION, Evaluation, PolicyTable, read_evaluation, write_evaluation
from tests.rewritten import rewrite_sum


def evaluation() -> Evaluation:
    rng = np.random.default_rng(0)
    turns = rng.random((4, 3))
    turns[1, 2] = np.nan
    trained = PolicyTable({"return": rng.normal(size=(4, 3)), "turns": turns}, {"turns": "no stock was held"})
    reference = PolicyTable({"return": rng.normal(size=(2, 3)), "turns": rng.random((2, 3))})
    return Evaluation(
        run="one",
        method="is",
        algorithm="mfq",
        env="inventory/market-easy",
        split="test",
        seed=2**62,
        discount=0.99,
        periods=52,
        agent_types=np.array([0, 0, 1]),
        agent_names=["a", "b", "c é"],
        type_names=["small", "large"],
        policies={"trained": trained, "random": reference},
    )


def test_what_went_in_comes_out(run: Path) -> None:
    path = write_evaluation(run, evaluation())
    assert path == run / EVALUATION
    got, want = read_evaluation(path), evaluation()
    for field in dataclasses.fields(Evaluation):
        if field.name not in ("agent_types", "policies"):
            assert getattr(got, field.name) == getattr(want, field.name)
    np.testing.assert_array_equal(got.agent_types, want.agent_types)
    assert set(got.policies) == {"trained", "random"}
    for policy, table in want.policies.items():
        assert got.policies[policy].why == table.why
        for name, values in table.metrics.items():
            np.testing.assert_array_equal(got.policies[policy].metrics[name], values)
    assert sorted(p.name for p in run.iterdir()) == ["evaluation.h5", "run.json"]


def test_the_layout_of_the_file(run: Path) -> None:
    with h5py.File(write_evaluation(run, evaluation())) as file:
        assert dict(file.attrs) == {
            "schema": 1, "run": "one", "method": "is", "algorithm": "mfq", "env": "inventory/market-easy",
            "split": "test", "seed": 2**62, "discount": 0.99, "num_agents": 3, "periods": 52,
        }  # fmt: skip
        assert file["policies/trained"].attrs["episodes"] == 4
        assert file["policies/random"].attrs["episodes"] == 2
        assert file["policies/trained/turns"].attrs["why"] == "no stock was held"
        assert file["policies/trained/return"].dtype == np.float64
        assert file["agents/name"].asstr()[:].tolist() == ["a", "b", "c é"]


@pytest.mark.parametrize(
    ("metrics", "part"),
    [
        ({"return": np.full((2, 3), np.nan)}, "NaN entries and no reason"),
        ({"return": np.full((2, 3), np.inf)}, "infinite"),
        ({"return": np.zeros((2, 4))}, r"must all be \[episodes, 3\]"),
        ({"return": np.zeros((2, 3)), "profit": np.zeros((1, 3))}, "must all be"),
        ({"return": np.zeros((0, 3))}, "must all be"),
        ({"return": np.zeros(3)}, "must all be"),
        ({}, "must all be"),
    ],
)
def test_what_is_not_whole_is_not_written(run: Path, metrics: dict[str, Any], part: str) -> None:
    before = write_evaluation(run, evaluation()).read_bytes()
    with pytest.raises(ValueError, match=part):
        write_evaluation(run, dataclasses.replace(evaluation(), policies={"trained": PolicyTable(metrics)}))
    assert (run / EVALUATION).read_bytes() == before


def test_failing_to_write_leaves_the_old_file(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = write_evaluation(run, evaluation()).read_bytes()

    def fail(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(StorageFailed, match="the disk is full"):
        write_evaluation(run, evaluation())
    assert (run / EVALUATION).read_bytes() == before
    assert sorted(p.name for p in run.iterdir()) == ["evaluation.h5", "run.json"]


def outside_link(file: Any) -> None:
    del file["policies/trained/return"]
    file["policies/trained/return"] = h5py.ExternalLink("/etc/passwd", "/x")


def soft_link(file: Any) -> None:
    file["policies/trained/more"] = h5py.SoftLink("/policies/random/return")


def outside_group(file: Any) -> None:
    del file["policies"]
    file["policies"] = h5py.ExternalLink("other.h5", "/policies")


def outside_storage(file: Any) -> None:
    del file["policies/trained/return"]
    file["policies/trained"].create_dataset("return", (4, 3), "f8", external=[("/etc/passwd", 0, 96)])


def virtual(file: Any) -> None:
    layout = h5py.VirtualLayout((4, 3), "f8")
    layout[:] = h5py.VirtualSource("/etc/passwd", "x", (4, 3))
    del file["policies/trained/return"]
    file["policies/trained"].create_virtual_dataset("return", layout)


def references(file: Any) -> None:
    del file["policies/trained/return"]
    file["policies/trained"].create_dataset("return", (4, 3), h5py.ref_dtype)


def ragged(file: Any) -> None:
    del file["policies/trained/return"]
    file["policies/trained"].create_dataset("return", (4, 3), h5py.vlen_dtype(np.float64))


def texts(file: Any) -> None:
    del file["policies/trained/return"]
    file["policies/trained"]["return"] = np.full((4, 3), b"x")


def huge(file: Any) -> None:
    del file["policies/trained/return"]
    file["policies/trained"].create_dataset("return", (2**40, 3), "f8", chunks=(1024, 3), compression="gzip")


def other_shape(file: Any) -> None:
    del file["policies/trained/return"]
    file["policies/trained"]["return"] = np.zeros((4, 2))


def infinite(file: Any) -> None:
    file["policies/trained/return"][0, 0] = np.inf


def unexplained(file: Any) -> None:
    del file["policies/trained/turns"].attrs["why"]


def nested(file: Any) -> None:
    file["policies/trained"].create_group("deeper")


def no_policies(file: Any) -> None:
    del file["policies"]


def no_names(file: Any) -> None:
    del file["agents/name"]


def schema_2(file: Any) -> None:
    file.attrs["schema"] = 2


def schema_gone(file: Any) -> None:
    del file.attrs["schema"]


def seed_as_text(file: Any) -> None:
    file.attrs["seed"] = "7"


def other_count(file: Any) -> None:
    file.attrs["num_agents"] = 4


HOSTILE = (
    outside_link, soft_link, outside_group, outside_storage, virtual, references, ragged, texts, huge, other_shape,
    infinite, unexplained, nested, no_policies, no_names, schema_2, schema_gone, seed_as_text, other_count,
)  # fmt: skip


@pytest.mark.parametrize("change", HOSTILE, ids=lambda f: f.__name__)
def test_hostile_files_are_refused(run: Path, change: Callable[[Any], None]) -> None:
    path = write_evaluation(run, evaluation())
    with h5py.File(path, "r+") as file:
        change(file)
    with pytest.raises(StorageFailed, match="SHA-256"):
        read_evaluation(path)
    rewrite_sum(path)
    with pytest.raises(StorageFailed, match=EVALUATION) as error:
        read_evaluation(path)
    assert "SHA-256" not in str(error.value)
    assert "\n" not in str(error.value)


def test_damaged_files_are_refused(run: Path) -> None:
    path = write_evaluation(run, evaluation())
    data = path.read_bytes()
    for at in range(len(data)):
        path.write_bytes(data[:at] + bytes([data[at] ^ 1 << at % 8]) + data[at + 1 :])
        with pytest.raises(StorageFailed, match=rf"{EVALUATION} is damaged: its SHA-256 does not fit \(delete"):
            read_evaluation(path)
    for damaged in (b"", data[:100], data[: len(data) // 2], b"\x89HDF\r\n\x1a\n" + b"\xff" * 200, b"text"):
        path.write_bytes(damaged)
        with pytest.raises(StorageFailed, match=EVALUATION):
            read_evaluation(path)
    path.unlink()
    with pytest.raises(StorageFailed, match="missing"):
        read_evaluation(path)
    (run / "real.h5").write_bytes(data)
    path.symlink_to(run / "real.h5")
    with pytest.raises(StorageFailed, match="not a regular file"):
        read_evaluation(path)


def overwrite_for_ever(run: Path, told: int) -> None:
    """Evaluations of seeds 1, 2, 3, ..., a byte to `told` when one is whole."""
    for seed in itertools.count(1):
        write_evaluation(run, dataclasses.replace(evaluation(), seed=seed))
        os.write(told, b".")


def test_a_writer_killed_at_any_instant_leaves_a_whole_file(run: Path) -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        reading, writing = os.pipe()
        pid = os.fork()
        if not pid:
            try:
                overwrite_for_ever(run, writing)
            finally:
                os._exit(1)
        os.close(writing)
        with os.fdopen(reading, "rb") as told:
            assert told.read(1) == b"."
            time.sleep(float(rng.uniform(0, 0.05)))
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            whole = 1 + len(told.read())
        # the last had taken its place and was not told of, at most
        assert read_evaluation(run / EVALUATION).seed - whole in (0, 1)
