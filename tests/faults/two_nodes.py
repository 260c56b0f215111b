"""A real Ray cluster of two nodes on this machine, by `ray start` as the docs give it: token, own ports and folders."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

RAY = Path(sys.executable).with_name("ray")


def until(condition: Callable[[], bool], seconds: float, what: str) -> None:
    """Wait for a state, or fail and name it."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"after {seconds:g} s still not: {what}"
        time.sleep(0.05)


def free_ports(count: int) -> list[int]:
    """Ports that nothing listens on now."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def tree(pid: int) -> list[int]:
    """A process and all below it."""
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
    found = [pid]
    for each in found:
        found.extend(child for child, parent in parents.items() if parent == each)
    return found


def _signal(pids: Sequence[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


class Node:
    """One `ray start --block` and everything that it started."""

    def __init__(self, folder: Path, environment: dict[str, str], *arguments: str) -> None:
        # the paths of Unix sockets hold 107 characters
        self._temp = tempfile.mkdtemp(prefix="r", dir="/tmp")
        listen, metrics = free_ports(2)
        self._log = (folder / f"{Path(self._temp).name}.log").open("w")
        self.process = subprocess.Popen(
            [
                RAY, "start", "--block", "--node-ip-address=127.0.0.1", f"--temp-dir={self._temp}", "--num-cpus=1",
                "--object-store-memory=100000000", f"--dashboard-agent-listen-port={listen}", "--min-worker-port=0",
                f"--metrics-export-port={metrics}", "--max-worker-port=0", *arguments,
            ],
            env=environment, stdout=self._log, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def kill(self) -> None:
        """As when the machine loses power: every process of the node at once."""
        stopped: list[int] = []
        # until none is left that could start another
        while new := [pid for pid in tree(self.process.pid) if pid not in stopped]:
            _signal(new, signal.SIGSTOP)
            stopped += new
        _signal(stopped, signal.SIGKILL)
        self.process.wait()
        self._log.close()
        shutil.rmtree(self._temp, ignore_errors=True)


class TwoNodes:
    """A head with job server and token, and one worker node that can be killed."""

    def __init__(self, folder: Path) -> None:
        self.clients: list[subprocess.Popen[bytes]] = []
        self.token = folder / "token"
        self.token.touch(0o600)
        self.token.write_text(secrets.token_hex(32))
        (folder / "home").mkdir()
        self.gcs, dashboard, client = free_ports(3)
        self.dashboard, self.address = dashboard, f"http://127.0.0.1:{dashboard}"
        # a node does not find mfmarl where this process has it
        kept = {name: text for name, text in os.environ.items() if not name.startswith(("RAY_", "PYTHONPATH"))}
        self.environment = kept | {
            # no token of the user's own
            "HOME": str(folder / "home"),
            # `python` is that of Ray
            "PATH": f"{RAY.parent}{os.pathsep}{os.environ['PATH']}",
            "OMP_NUM_THREADS": "1",
            "RAY_USAGE_STATS_ENABLED": "0",
        }
        self.with_token = self.environment | {"RAY_AUTH_TOKEN_PATH": str(self.token)}
        started = self.with_token | {
            "RAY_AUTH_MODE": "token",
            # Ray's workers give way to all else, on a busy machine for minutes
            "RAY_worker_niceness": "0",
            # so that a dead node is known within seconds
            "RAY_health_check_period_ms": "500",
            "RAY_health_check_timeout_ms": "2000",
            "RAY_health_check_failure_threshold": "3",
        }
        self.head = Node(
            folder, started, "--head", f"--port={self.gcs}", "--dashboard-host=127.0.0.1",
            f"--dashboard-port={dashboard}", f"--ray-client-server-port={client}",
        )  # fmt: skip
        self.worker: Node | None = None
        try:
            until(self._listens, 120, "the head listens")
            self.worker = Node(folder, started, f"--address=127.0.0.1:{self.gcs}")
            until(self._serves, 120, "the job server answers")
            until(lambda: self.nodes() == 2, 120, "two nodes are alive")
        except BaseException:
            self.close()
            raise

    def get(self, path: str, *, token: bool = True) -> Any:
        """What the job server answers."""
        headers = {"Authorization": f"Bearer {self.token.read_text()}"} if token else {}
        with urllib.request.urlopen(urllib.request.Request(self.address + path, headers=headers), timeout=10) as answer:
            return json.load(answer)

    def _listens(self) -> bool:
        assert self.head.process.poll() is None, "the head did not start"
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.gcs), timeout=1):
            return True
        return False

    def _serves(self) -> bool:
        with suppress(OSError, urllib.error.URLError):
            return bool(self.get("/api/version"))
        return False

    def nodes(self) -> int:
        """How many are alive."""
        found = self.get("/nodes?view=summary")["data"]["summary"]
        return sum(node["raylet"].get("state") == "ALIVE" for node in found)

    def close(self) -> None:
        """End both, and what was started to talk to them."""
        _signal([each.pid for each in self.clients if each.poll() is None], signal.SIGKILL)
        for each in self.clients:
            each.wait()
        for node in (self.worker, self.head):
            if node is not None and node.process.poll() is None:
                node.kill()
