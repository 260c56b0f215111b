"""The command `mfmarl submit`."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

from tyro.conf import FlagCreatePairsOff, Positional

from mfmarl.arguments import given
from mfmarl.errors import TrainingFailed, UserError
from mfmarl.registry import JOBS, load

if TYPE_CHECKING:
    from mfmarl.launch.ray_job import JobView
    from mfmarl.launch.study import Study

_Flag = Annotated[bool, FlagCreatePairsOff, given()]
STOP_S = 60.0


@dataclass(frozen=True)
class Submit:
    """Run a study on a cluster as one Ray Job, with this installation's code, and show its log.

    The same command again joins the job while it runs (ctrl-C only leaves it), goes on in a new job where the last one
    failed or was stopped, and says so where it is done. Nodes need Python, Ray and mfmarl's dependencies, not mfmarl.
    A remote address needs the cluster's token, in RAY_AUTH_TOKEN, RAY_AUTH_TOKEN_PATH or ~/.ray/auth_token.
    Exit codes are the job's: 0 all cells done, 2 bad input, 3 a cell failed or the job died, 4 storage failed, 130
    stopped or left.

    Examples:
      mfmarl submit configs/study/demo.yaml --address http://127.0.0.1:8265
      mfmarl submit study.yaml --address http://head:8265 --runs-dir /shared/runs
      mfmarl submit study.yaml --address http://head:8265 --runs-dir /shared/runs --no-wait
      mfmarl submit study.yaml --address http://head:8265 --runs-dir /shared/runs --stop
    """

    file: Annotated[Path, Positional, given("STUDY.yaml")]
    """The study, as for `mfmarl study`."""
    address: Annotated[str | None, given("http://HOST:8265")] = None
    """The cluster's job server: its dashboard's address."""
    runs_dir: Annotated[Path, given("DIR", "runs")] = Path("runs")
    """Where the study's folder is, DIR/NAME, on every node; absolute for a remote cluster."""
    no_wait: _Flag = False
    """Print the job's id and leave it."""
    stop: _Flag = False
    """Stop the study's job; cells go on from their checkpoints another time."""
    again: _Flag = False
    """Begin a new job though one succeeded; cells that are done are skipped."""
    insecure: _Flag = False
    """Send to a remote cluster without a token."""
    verbose: _Flag = False
    """Show workers' output, and where an error arose."""

    def run(self) -> int:
        """Begin or join the job, and return its exit code."""
        from mfmarl.launch.ray_job import check_url, job_key
        from mfmarl.rllib.quiet import take_token

        if self.address is None:
            raise UserError("submit: which cluster? give --address http://HOST:8265, its dashboard's address")
        if self.stop and (self.no_wait or self.again):
            raise UserError("--stop ends a job, --no-wait and --again begin one; leave one out")
        here = check_url(self.address)
        if not here and not self.runs_dir.is_absolute():
            raise UserError(
                f"--runs-dir {self.runs_dir}: {self.address} is another machine; want the absolute path of a folder "
                "that all its nodes see, e.g. --runs-dir /shared/runs"
            )
        if not here and not self.insecure:
            _check_token(self.address)
        study = load(JOBS, "study")(self.file)
        runs_dir = Path(os.path.abspath(self.runs_dir))
        if not self.stop:
            # every kind of cell meets its game before anything is sent
            load(JOBS, "study sizes")(study)
        take_token(self.address)
        server = load(JOBS, "job server")(self.address)
        key = job_key(study, runs_dir)
        return self._stop(server, key) if self.stop else self._submit(server, key, study, runs_dir)

    def _submit(self, server: Any, key: str, study: Study, runs_dir: Path) -> int:
        from mfmarl.launch.ray_job import attempt_name, last_attempt

        number, last = last_attempt(server.jobs(), key)
        if last is not None and last.status == "SUCCEEDED" and not self.again:
            _line(f"job {last.name} has done this study, in {runs_dir / study.name}; --again begins it anew")
            if self.no_wait:
                print(last.name)
            return 0
        if last is not None and not last.ended:
            name = last.name
            _line(f"job {name} runs already" + ("" if self.no_wait else "; its log so far and from now on:"))
        else:
            name = attempt_name(key, number + 1)
            mine = self._begin(server, name, study, runs_dir)
            _line(f"job {name} {'is begun' if mine else 'was begun by another command'} at {self.address}")
        if self.no_wait:
            print(name)
            return 0
        return self._follow(server, name)

    def _begin(self, server: Any, name: str, study: Study, runs_dir: Path) -> bool:
        from mfmarl.launch.local_pool import THREADS
        from mfmarl.launch.ray_job import entrypoint
        from mfmarl.launch.staging import stage

        variables = dict.fromkeys(THREADS, "1") | {"RAY_USAGE_STATS_ENABLED": "0", "RAY_DEDUP_LOGS": "0"}
        if not self.verbose:
            variables |= {"RAY_BACKEND_LOG_LEVEL": "fatal", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
        metadata = {"study": study.name, "runs_dir": str(runs_dir)}
        with TemporaryDirectory(prefix="mfmarl-") as folder:
            staged = stage(study, self.file, Path(folder))
            begun: bool = server.begin(name, entrypoint(runs_dir, verbose=self.verbose), staged, variables, metadata)
        return begun

    def _follow(self, server: Any, name: str) -> int:
        from mfmarl.launch.ray_job import STOPPED, exit_code, follow

        try:
            job = follow(server, name, write=_write, told=_line)
        except KeyboardInterrupt:
            _line(f"\nleft job {name}, which goes on; the same command joins it, with --stop ends it")
            return STOPPED
        code = exit_code(job)
        if code:
            _line(f"mfmarl: job {name} {_ending(job)}; the same command goes on with it")
        return code

    def _stop(self, server: Any, key: str) -> int:
        from mfmarl.launch.ray_job import last_attempt

        _, job = last_attempt(server.jobs(), key)
        if job is None or job.ended:
            raise UserError(f"no job of this study and runs folder runs at {self.address}")
        server.stop(job.name)
        deadline = time.monotonic() + STOP_S
        while (now := server.job(job.name)) is not None and not now.ended:
            if time.monotonic() > deadline:
                raise TrainingFailed(f"job {job.name} has not ended {STOP_S:g} s after it was asked to")
            time.sleep(0.5)
        _line(f"job {job.name} is stopped; the same command without --stop goes on")
        return 0


def _check_token(address: str) -> None:
    from mfmarl.rllib.quiet import find_token

    if find_token() is None:
        raise UserError(
            f"--address {address}: no token for another machine's cluster; put the cluster's into ~/.ray/auth_token "
            "(mode 0600) or RAY_AUTH_TOKEN_PATH, or say --insecure where it has none"
        )


def _ending(job: JobView) -> str:
    """How a job that did not succeed ended."""
    if job.status == "STOPPED":
        return "was stopped"
    if job.exit_code is None:
        return f"died: {' '.join(job.message.split())[:500]}"
    if job.exit_code < 0:
        return f"died: its driver was killed by signal {-job.exit_code}"
    if job.exit_code in (126, 127):
        return "found no python on the head node; start Ray there with its environment active"
    return f"failed with exit code {job.exit_code}"


def _write(text: str) -> None:
    print(_shown(text), end="", flush=True)


def _line(text: str) -> None:
    print(_shown(text), file=sys.stderr, flush=True)


def _shown(text: str) -> str:
    """Text of another machine, without what would steer this terminal."""
    return "".join(c if c.isprintable() or c in "\n\t" else "?" for c in text)
