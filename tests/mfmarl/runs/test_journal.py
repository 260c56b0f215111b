"""The journal: one line per iteration, a torn last line dropped, damage before it named."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mfmarl.errors import StorageFailed
from mfmarl.runs.journal import JOURNAL, Journal, last_line, read_journal, truncate_after

ROOT = Path(__file__).resolve().parents[3]


def line(iteration: int, **metrics: Any) -> dict[str, Any]:
    counts = {"env_steps": 16 * iteration, "agent_steps": 1600 * iteration, "gradient_steps": iteration, "episodes": 0}
    return {"iteration": iteration, "time_s": 0.5 * iteration, **counts, "metrics": metrics}


def fill(run: Path, iterations: int) -> None:
    with Journal(run) as journal:
        for i in range(1, iterations + 1):
            journal.append(line(i, loss=1 / i))


def test_lines_come_back(run: Path) -> None:
    assert read_journal(run) == []
    assert last_line(run) is None
    fill(run, 3)
    assert read_journal(run) == [line(i, loss=1 / i) for i in (1, 2, 3)]
    assert last_line(run) == line(3, loss=1 / 3)


def test_missing_numbers_are_null_and_numpy_numbers_plain(run: Path) -> None:
    with Journal(run) as journal:
        journal.append(line(1, loss=float("nan"), ess=np.float32(0.5), q_mean=np.float64("inf"), n=np.int64(3)))
    assert read_journal(run)[0]["metrics"] == {"loss": None, "ess": 0.5, "q_mean": None, "n": 3}


@pytest.mark.parametrize("torn", [b"{", b'{"iteration":4', b'{"iteration":4,"metrics":{}}', b"\x00\x00\x00", b"\xff"])
def test_a_torn_last_line_is_dropped_and_written_over(run: Path, torn: bytes) -> None:
    fill(run, 3)
    with (run / JOURNAL).open("ab") as file:
        file.write(torn)
    assert [x["iteration"] for x in read_journal(run)] == [1, 2, 3]
    assert last_line(run) == line(3, loss=1 / 3)
    with Journal(run) as journal:
        assert journal.last_iteration == 3
        journal.append(line(4))
    assert [x["iteration"] for x in read_journal(run)] == [1, 2, 3, 4]


@pytest.mark.parametrize("damage", [b"{\n", b"[1]\n", b'{"iteration":"2"}\n', b"\xff\n", b"[" * 100_000 + b"\n"])
def test_damage_before_the_end_is_named(run: Path, damage: bytes) -> None:
    fill(run, 3)
    lines = (run / JOURNAL).read_bytes().splitlines(keepends=True)
    (run / JOURNAL).write_bytes(lines[0] + damage + lines[2])
    with pytest.raises(StorageFailed, match=r"journal\.jsonl line 2 is damaged"):
        read_journal(run)
    with pytest.raises(StorageFailed, match="line 2"):
        Journal(run)


def test_a_line_without_end_is_refused(run: Path) -> None:
    (run / JOURNAL).write_bytes(b"x" * 3_000_000)
    with pytest.raises(StorageFailed, match="longer than"):
        read_journal(run)


def test_truncating_after_a_checkpoints_iteration(run: Path) -> None:
    truncate_after(run, 3)
    fill(run, 5)
    truncate_after(run, 9)
    assert len(read_journal(run)) == 5
    truncate_after(run, 3)
    assert [x["iteration"] for x in read_journal(run)] == [1, 2, 3]
    truncate_after(run, 0)
    assert read_journal(run) == []


def test_iterations_must_follow(run: Path) -> None:
    fill(run, 3)
    with Journal(run) as journal:
        for iteration in (3, 0, "4", None):
            with pytest.raises(ValueError, match="does not follow 3"):
                journal.append({"iteration": iteration})


def test_a_vanished_or_exchanged_journal(run: Path) -> None:
    with Journal(run) as journal:
        journal.append(line(1))
        (run / JOURNAL).rename(run / "old")
        with pytest.raises(StorageFailed, match="not there"):
            journal.append(line(2))
        (run / JOURNAL).write_text("")
        with pytest.raises(StorageFailed, match="another file"):
            journal.append(line(2))


@contextmanager
def file_size_limit(limit: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_a_full_disk_leaves_no_half_line(run: Path) -> None:
    with Journal(run) as journal:
        journal.append(line(1))
        size = os.path.getsize(run / JOURNAL)
        with file_size_limit(size + 20), pytest.raises(StorageFailed, match="cannot write"):
            journal.append(line(2))
        assert os.path.getsize(run / JOURNAL) == size
        journal.append(line(2))
    assert [x["iteration"] for x in read_journal(run)] == [1, 2]


def test_a_killed_writer_loses_no_whole_line(run: Path) -> None:
    code = (
        "from pathlib import Path\nfrom mfmarl.runs.journal import Journal\n"
        f"journal = Journal(Path({str(run)!r}))\n"
        "i = journal.last_iteration\n"
        "while True:\n"
        "    i += 1; journal.append({'iteration': i, 'metrics': {'x': 'y' * 2000}}); print(i, flush=True)\n"
    )
    known = 0
    for _ in range(5):
        with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            for _ in range(50):
                known = int(child.stdout.readline())
            child.kill()
        iterations = [x["iteration"] for x in read_journal(run)]
        assert iterations == list(range(1, len(iterations) + 1))
        assert len(iterations) >= known
        truncate_after(run, known)
    assert json.loads((run / JOURNAL).read_text().splitlines()[-1])["iteration"] == known == 250


def test_a_pipe_in_place_of_the_journal_does_not_wait(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / JOURNAL)
    for read in (last_line, read_journal, lambda run: truncate_after(run, 3)):
        with pytest.raises(StorageFailed, match="is not a regular file"):
            read(tmp_path)
