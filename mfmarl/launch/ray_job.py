"""A study as one Ray Job: its name says what it does, so that the same command begins, joins or goes on with it.

The submission id is NAME-<12 hex of the cells' hashes and the runs folder>, with -2, -3, ... for further attempts. A
job that runs is joined, one that failed or was stopped is followed by the next attempt, one that succeeded is done.
"""

from __future__ import annotations

import asyncio
import hashlib
import ipaddress
import json
import re
import shlex
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Protocol
from urllib.parse import urlsplit

from mfmarl.errors import TrainingFailed, UserError
from mfmarl.launch.staging import STUDY_FILE
from mfmarl.launch.study import Study

SILENCE_S = 60.0
"""After which a log that says nothing is opened anew: a connection may be gone without a word."""
PATIENCE_S = 600.0
"""For which a lost job server is asked again."""
STOPPED = 130
"""Exit code, as of a command that ctrl-C ended."""


class Unreachable(ConnectionError):
    """The job server does not answer now."""


@dataclass(frozen=True)
class JobView:
    """A job as the job server tells it."""

    name: str
    """Its submission id."""
    status: str
    """PENDING, RUNNING, STOPPED, SUCCEEDED or FAILED."""
    exit_code: int | None = None
    """Of its driver; negative for a signal."""
    message: str = ""

    @property
    def ended(self) -> bool:
        """Whether it will not change any more."""
        return self.status in ("STOPPED", "SUCCEEDED", "FAILED")


class Jobs(Protocol):
    """What is asked of a job server; each question raises Unreachable while it does not answer."""

    def jobs(self) -> Sequence[JobView]:
        """Every job it knows."""
        ...

    def job(self, name: str) -> JobView | None:
        """One job, None where it does not know it."""
        ...

    def log(self, name: str) -> AsyncIterator[str]:
        """The job's log from the beginning, in pieces as they come, until the job has ended."""
        ...


def job_key(study: Study, runs_dir: PurePath) -> str:
    """The id of a study's first attempt: of the same cells in the same folder, whatever the file is called."""
    told = json.dumps([sorted(cell.digest for cell in study.cells), str(runs_dir)])
    return f"{study.name}-{hashlib.sha256(told.encode()).hexdigest()[:12]}"


def attempt_name(key: str, attempt: int) -> str:
    """The submission id of an attempt, counted from 1."""
    return key if attempt == 1 else f"{key}-{attempt}"


def last_attempt(jobs: Sequence[JobView], key: str) -> tuple[int, JobView | None]:
    """The newest attempt at a study and its number, (0, None) where there is none."""
    pattern = re.compile(re.escape(key) + r"(?:-([0-9]+))?")
    found = [(int(match[1] or 1), job) for job in jobs if (match := pattern.fullmatch(job.name))]
    return max(found, key=lambda pair: pair[0], default=(0, None))


def entrypoint(runs_dir: PurePath, *, verbose: bool = False) -> str:
    """The shell command of the job; `exec`, so that how the driver ends is how the job ends."""
    command = ["python", "-m", "mfmarl", "study", "run", STUDY_FILE, "--address", "auto", "--runs-dir", str(runs_dir)]
    return "exec " + shlex.join([*command, *(["--verbose"] if verbose else [])])


def check_url(address: str) -> bool:
    """Whether a job server's address is on this machine.

    Raises:
        UserError: for what is no such address, with what one looks like.
    """
    try:
        url = urlsplit(address)
        host, port = url.hostname, url.port
    except ValueError:
        host = port = url = None
    plain = url is not None and url.path in ("", "/") and not (url.query or url.fragment or url.username)
    if url is None or url.scheme not in ("http", "https") or not host or port == 0 or not plain:
        raise UserError(
            f"--address {address}: want the address of the cluster's job server, http://HOST:8265 (its dashboard's, "
            "not the HOST:6379 of `ray start`)"
        )
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def follow(
    server: Jobs,
    name: str,
    *,
    write: Callable[[str], None],
    told: Callable[[str], None],
    patience_s: float = PATIENCE_S,
    rest_s: float = 2.0,
) -> JobView:
    """Write a job's log as it comes, until the job has ended; a lost connection is made again, and nothing said twice.

    Raises:
        Unreachable: where the server did not answer for `patience_s`.
        TrainingFailed: where it no longer knows the job.
    """
    shown = 0
    closed = False
    lost: float | None = None

    def found() -> None:
        nonlocal lost
        if lost is not None:
            told("connected again")
        lost = None

    async def read() -> None:
        nonlocal shown, closed
        closed, at = False, 0
        stream = server.log(name)
        while True:
            piece = asyncio.ensure_future(anext(stream, None))
            done, _ = await asyncio.wait({piece}, timeout=SILENCE_S)
            if not done:
                piece.cancel()
                return
            text = piece.result()
            found()
            if text is None:
                closed = True
                return
            write(text[max(0, shown - at) :])
            at += len(text)
            shown = max(shown, at)

    while True:
        cut: Unreachable | None = None
        try:
            asyncio.run(read())
        except Unreachable as error:
            cut = error
        try:
            job = server.job(name)
            if job is None:
                raise TrainingFailed(
                    f"the cluster knows no job {name} any more; was it started anew? the same command goes on there"
                )
            # the log of a node that is gone is not waited for
            if job.ended and (closed or cut):
                return job
        except Unreachable as error:
            cut = error
        now = time.monotonic()
        if cut is None:
            found()
        elif lost is None:
            lost = now
            told(f"{cut}; trying again, the job goes on")
        elif now - lost > patience_s:
            raise cut
        time.sleep(rest_s)


def exit_code(job: JobView) -> int:
    """The driver's where it had one, 130 for a job that was stopped, 3 for one that died."""
    if job.status == "SUCCEEDED":
        return 0
    if job.status == "STOPPED":
        return STOPPED
    return job.exit_code if job.exit_code is not None and 0 < job.exit_code < 126 else 3
