"""Cells in processes of this machine: each does one after another, and a process that dies costs only its cell."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

from mfmarl.launch.work import Job, Outcome

ROOT = Path(__file__).resolve().parents[2]
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


class Pool(Protocol):
    """Where cells are done."""

    hint: str | None
    """What a person should know before cells are begun."""

    def has_room(self) -> bool:
        """Whether another job can be begun."""
        ...

    def begin(self, job: Job) -> None:
        """Begin a job."""
        ...

    def ended(self, timeout_s: float) -> Sequence[Outcome]:
        """What ended, after at most `timeout_s` of waiting."""
        ...

    def close(self) -> None:
        """End what still goes on; a cell goes on from its checkpoint another time."""
        ...


@dataclass
class _Worker:
    process: subprocess.Popen[bytes]
    job: Job | None = None


class LocalPool:
    """Up to `jobs` processes, with one thread each."""

    def __init__(self, jobs: int, *, verbose: bool = False) -> None:
        self.jobs, self.verbose = jobs, verbose
        self.hint: str | None = None
        self._workers: list[_Worker] = []

    def has_room(self) -> bool:
        """Whether a process is idle, or may be started."""
        return len(self._workers) < self.jobs or any(w.job is None for w in self._workers)

    def begin(self, job: Job) -> None:
        """Give the job to an idle process, else to a new one."""
        worker = next((w for w in self._workers if w.job is None), None)
        if worker is None:
            worker = _Worker(self._start())
            self._workers.append(worker)
        worker.job = job
        assert worker.process.stdin is not None
        try:
            worker.process.stdin.write((json.dumps(asdict(job)) + "\n").encode())
        except BrokenPipeError:
            # it died while idle; `ended` meets the end of its output
            return

    def ended(self, timeout_s: float) -> list[Outcome]:
        """What processes answered; one that died gives the failure of its cell."""
        busy = {w.process.stdout: w for w in self._workers if w.job is not None and w.process.stdout is not None}
        if not busy:
            time.sleep(timeout_s)
            return []
        found = []
        for stream in select.select(list(busy), [], [], timeout_s)[0]:
            worker = busy[stream]
            assert worker.job is not None
            line = stream.readline()
            if line.endswith(b"\n"):
                found.append(Outcome(**json.loads(line)))
                worker.job = None
            else:
                found.append(Outcome(worker.job.digest, "failed", _death(worker.process), again=True))
                self._end([worker])
        return found

    def close(self) -> None:
        """End all processes: those at work too."""
        self._end(list(self._workers))

    def _start(self) -> subprocess.Popen[bytes]:
        paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
        environment = os.environ | dict.fromkeys(THREADS, "1")
        environment["PYTHONPATH"] = os.pathsep.join(p for p in paths if p)
        return subprocess.Popen(
            [sys.executable, "-m", "mfmarl.launch.work"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=None if self.verbose else subprocess.DEVNULL,
            bufsize=0,
            env=environment,
            # ctrl-C is for the driver, which ends its processes
            start_new_session=True,
        )

    def _end(self, workers: Sequence[_Worker]) -> None:
        for worker in workers:
            assert worker.process.stdin is not None
            assert worker.process.stdout is not None
            # at the end of its input a process ends at once
            worker.process.stdin.close()
        for worker in workers:
            try:
                worker.process.wait(5)
            except subprocess.TimeoutExpired:
                worker.process.kill()
                worker.process.wait()
            assert worker.process.stdout is not None
            worker.process.stdout.close()
            self._workers.remove(worker)


def _death(process: subprocess.Popen[bytes]) -> str:
    """How a process died, in words."""
    try:
        code = process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        code = process.wait()
    if code >= 0:
        return f"its process ended with exit code {code}; --verbose shows its output"
    name = signal.Signals(-code).name
    memory = "; was there memory enough? resources.memory_gb says what a cell takes" if -code == signal.SIGKILL else ""
    return f"its process was killed by {name}{memory}"
