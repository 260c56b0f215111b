"""The command `mfmarl submit`."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

from tyro.conf import FlagCreatePairsOff, Positional

from mfmarl.arguments import GivenPath, GivenText, given, line, printable
from mfmarl.errors import TrainingFailed, UserError
from mfmarl.registry import JOBS, load

if TYPE_CHECKING:
    from mfmarl.launch.ray_job import JobView
    from mfmarl.launch.study import Study

_Flag = Annotated[bool, FlagCreatePairsOff, given()]
STOP_S = 60.0
EXAMPLE = "configs/study/demo.yaml"


@dataclass(frozen=True)
class Submit:
    """Run a study on a cluster: as one Ray Job, whose log is shown, or as what Kubernetes, Slurm or `ray up` take.

    --address sends it with this installation's code to a cluster's job server. The same command again joins the job
    while it runs (ctrl-C only leaves it), goes on in a new job where the last one failed or was stopped, and says so
    where it is done. Nodes need Python, Ray and mfmarl's dependencies, not mfmarl. A remote address needs the cluster's
    token, in RAY_AUTH_TOKEN, RAY_AUTH_TOKEN_PATH or ~/.ray/auth_token; http:// sends it in the clear, an ssh tunnel
    (ssh -N -L 8265:127.0.0.1:8265 HEAD) or https:// does not. Exit codes are the job's: 0 all cells done, 2
    bad input, 3 a cell failed or the job died, 4 storage failed, 130 stopped or left.

    --kuberay, --slurm and --ray-up make the RayJob, batch script or cluster file from the study and a cluster file
    (configs/cluster/ has one of each kind), check it and print it, and nothing else happens: --out keeps it, --place
    hands it over (kubectl apply, sbatch; of ray up it says which commands to give).

    Examples:
      mfmarl submit configs/study/demo.yaml --address http://127.0.0.1:8265
      mfmarl submit study.yaml --address http://127.0.0.1:8265 --runs-dir /shared/runs
      mfmarl submit study.yaml --address http://127.0.0.1:8265 --runs-dir /shared/runs --no-wait
      mfmarl submit study.yaml --address http://127.0.0.1:8265 --runs-dir /shared/runs --stop
      mfmarl submit configs/study/demo.yaml --slurm configs/cluster/slurm.yaml
      mfmarl submit configs/study/demo.yaml --kuberay configs/cluster/kuberay.yaml --place
      mfmarl submit configs/study/demo.yaml --ray-up configs/cluster/ray_up_aws.yaml --out up.yaml
      mfmarl submit --check study.sbatch
    """

    file: Annotated[GivenPath, Positional, given("STUDY.yaml")] = None
    """The study, as for `mfmarl study`."""
    address: Annotated[GivenText, given("http://HOST:8265")] = None
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
    kuberay: Annotated[GivenPath, given("CLUSTER.yaml")] = None
    """Make a RayJob for Kubernetes."""
    slurm: Annotated[GivenPath, given("CLUSTER.yaml")] = None
    """Make a Slurm batch script."""
    ray_up: Annotated[GivenPath, given("CLUSTER.yaml")] = None
    """Make a cluster file of `ray up`."""
    out: Annotated[GivenPath, given("FILE", "printed")] = None
    """Write what is made there."""
    place: _Flag = False
    """Hand what is made to the cluster too."""
    check: Annotated[GivenPath, given("FILE")] = None
    """Check one that you changed."""
    verbose: _Flag = False
    """Show workers' output, and where an error arose."""

    def run(self) -> int:
        """Begin or join the job and return its exit code; or make, check, write or place a manifest."""
        from mfmarl.launch.manifest import check_manifest, make_manifest

        ways = {"kuberay": self.kuberay, "slurm": self.slurm, "ray-up": self.ray_up}
        chosen = [(kind, path) for kind, path in ways.items() if path is not None]
        if self.check is not None:
            if chosen or self.file or self.address or self.out or self.place:
                raise UserError("--check FILE checks a file and makes none; leave the rest out")
            return check_manifest(self.check)
        if self.file is None:
            raise UserError(f"submit: which study? e.g. mfmarl submit {EXAMPLE} --address http://127.0.0.1:8265")
        if len(chosen) + (self.address is not None) != 1:
            got = " and ".join([*(f"--{kind}" for kind, _ in chosen), *(["--address"] if self.address else [])])
            raise UserError(
                f"submit: {got + ' are given; want' if got else 'where to? want'} one of --address http://HOST:8265 (a "
                "cluster's dashboard), --kuberay, --slurm or --ray-up with a file as in configs/cluster/"
            )
        if not chosen:
            if self.out is not None or self.place:
                raise UserError("--out and --place are of --kuberay, --slurm and --ray-up; leave them out")
            return self._as_job(self.file, str(self.address))
        if self.stop or self.no_wait or self.again or self.insecure:
            raise UserError("--stop, --no-wait, --again and --insecure are of --address; leave them out")
        if self.runs_dir != Path("runs"):
            raise UserError("--runs-dir is of --address; here the cluster file has runs_dir")
        [(kind, cluster)] = chosen
        return make_manifest(kind, self.file, cluster, self.out, self.place)

    def _as_job(self, file: Path, address: str) -> int:
        from mfmarl.launch.cluster_access import check_access
        from mfmarl.launch.ray_job import check_url, job_key
        from mfmarl.rllib.quiet import take_token

        if self.stop and (self.no_wait or self.again):
            raise UserError("--stop ends a job, --no-wait and --again begin one; leave one out")
        here = check_url(address)
        if not here and not self.runs_dir.is_absolute():
            raise UserError(
                f"--runs-dir {self.runs_dir}: {address} is another machine; want the absolute path of a folder "
                "that all its nodes see, e.g. --runs-dir /shared/runs"
            )
        check_access(address, insecure=self.insecure, told=line)
        study = load(JOBS, "study")(file)
        runs_dir = Path(os.path.abspath(self.runs_dir))
        if not self.stop:
            # every kind of cell meets its game before anything is sent
            load(JOBS, "study sizes")(study)
        if not here:
            _warn_of_the_clear(address)
        take_token(address)
        server = load(JOBS, "job server")(address)
        key = job_key(study, runs_dir)
        return self._stop(server, key) if self.stop else self._submit(server, key, study, file, runs_dir)

    def _submit(self, server: Any, key: str, study: Study, file: Path, runs_dir: Path) -> int:
        from mfmarl.launch.ray_job import attempt_name, last_attempt

        number, last = last_attempt(server.jobs(), key)
        if last is not None and last.status == "SUCCEEDED" and not self.again:
            line(f"job {last.name} has done this study, in {runs_dir / study.name}; --again begins it anew")
            if self.no_wait:
                print(last.name)
            return 0
        if last is not None and not last.ended:
            name = last.name
            line(f"job {name} runs already" + ("" if self.no_wait else "; its log so far and from now on:"))
        else:
            name = attempt_name(key, number + 1)
            mine = self._begin(server, name, study, file, runs_dir)
            line(f"job {name} {'is begun' if mine else 'was begun by another command'} at {self.address}")
        if self.no_wait:
            print(name)
            return 0
        return self._follow(server, name)

    def _begin(self, server: Any, name: str, study: Study, file: Path, runs_dir: Path) -> bool:
        from mfmarl.launch.local_pool import THREADS
        from mfmarl.launch.ray_job import entrypoint
        from mfmarl.launch.staging import stage

        variables = dict.fromkeys(THREADS, "1") | {"RAY_USAGE_STATS_ENABLED": "0", "RAY_DEDUP_LOGS": "0"}
        if not self.verbose:
            variables |= {"RAY_BACKEND_LOG_LEVEL": "fatal", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
        metadata = {"study": study.name, "runs_dir": str(runs_dir)}
        with TemporaryDirectory(prefix="mfmarl-") as folder:
            staged = stage(study, file, Path(folder))
            begun: bool = server.begin(name, entrypoint(runs_dir, verbose=self.verbose), staged, variables, metadata)
        return begun

    def _follow(self, server: Any, name: str) -> int:
        from mfmarl.launch.ray_job import STOPPED, exit_code, follow

        try:
            job = follow(server, name, write=_write, told=line)
        except KeyboardInterrupt:
            line(f"\nleft job {name}, which goes on; the same command joins it, with --stop ends it")
            return STOPPED
        code = exit_code(job)
        if code:
            line(f"mfmarl: job {name} {_ending(job)}; the same command goes on with it")
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
        line(f"job {job.name} is stopped; the same command without --stop goes on")
        return 0


def _warn_of_the_clear(address: str) -> None:
    from mfmarl.rllib.quiet import find_token

    url = urlsplit(address)
    if url.scheme == "http" and find_token() is not None:
        port = url.port or 80
        line(
            f"warning: {address} takes the token in the clear; better https, or an ssh tunnel: "
            f"ssh -N -L {port}:127.0.0.1:{port} {url.hostname}, and --address http://127.0.0.1:{port}"
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
    print(printable(text), end="", flush=True)
