"""A cluster's job server, asked with time limits, and its refusals in one line each."""

from __future__ import annotations

import logging
import os
import queue
import threading
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import aclosing, contextmanager
from typing import Any

import aiohttp
from ray.exceptions import AuthenticationError
from ray.job_submission import JobSubmissionClient

from mfmarl.errors import TrainingFailed, UserError
from mfmarl.launch.ray_job import JobView, Unreachable
from mfmarl.launch.staging import Staged
from mfmarl.rllib.quiet import find_token

CONNECT_S = 25.0
"""For looking up the name, connecting and the first answer, together."""
CHATTY = (
    "ray._private.runtime_env.packaging",
    "ray.dashboard.modules.dashboard_sdk",
    "ray.dashboard.modules.job.sdk",
)
OVERRIDES = ("RAY_ADDRESS", "RAY_API_SERVER_ADDRESS")
"""Variables that Ray's client would take before the address it is given."""


class _Client(JobSubmissionClient):
    """Ray's own waits for ever."""

    def _do_request(self, method: str, endpoint: str, **options: Any) -> Any:
        return super()._do_request(method, endpoint, timeout=(10, 60), **options)


class JobServer:
    """Jobs of one cluster; the token must have been taken before (`quiet.take_token`).

    Raises:
        UserError: where nothing answers, or not a job server, or one that asks for another token.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        try:
            self._client: Any = _connected(address)
        except Unreachable as error:
            raise UserError(f"{error}; is the cluster up, and the address that of its dashboard?") from None

    def jobs(self) -> Sequence[JobView]:
        """Every job that was submitted."""
        with _asking(self.address):
            return [_view(details) for details in self._client.list_jobs() if details.submission_id is not None]

    def job(self, name: str) -> JobView | None:
        """One job, None where the server does not know it."""
        with _asking(self.address):
            try:
                return _view(self._client.get_job_info(name))
            except RuntimeError as error:
                if "status code 404" in str(error):
                    return None
                raise

    def begin(
        self, name: str, entrypoint: str, staged: Staged, variables: Mapping[str, str], metadata: Mapping[str, str]
    ) -> bool:
        """Send what goes along and begin the job; False where a job of that name was begun meanwhile.

        Args:
            variables: of the environment of its driver and tasks.
        """
        environment = {
            "working_dir": str(staged.work),
            "py_modules": [str(package) for package in staged.packages],
            "env_vars": dict(variables),
        }
        with _asking(self.address):
            try:
                self._client.submit_job(
                    entrypoint=entrypoint,
                    submission_id=name,
                    runtime_env=environment,
                    metadata=dict(metadata),
                    # the driver only waits: its place is a cell's
                    entrypoint_num_cpus=0,
                )
            except RuntimeError as error:
                if "already exists" in str(error):
                    return False
                raise
        return True

    def stop(self, name: str) -> None:
        """Ask for the job's end."""
        with _asking(self.address):
            self._client.stop_job(name)

    async def log(self, name: str) -> AsyncIterator[str]:
        """The job's log from the beginning, in pieces as they come."""
        with _asking(self.address):
            async with aclosing(self._client.tail_job_logs(name)) as pieces:
                async for piece in pieces:
                    yield piece


def _connected(address: str) -> _Client:
    """A client that has had an answer."""
    for name in CHATTY:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    answer: queue.SimpleQueue[_Client | Exception] = queue.SimpleQueue()

    def ask() -> None:
        try:
            with _asking(address):
                client = _Client(address)
                client.list_jobs()
            answer.put(client)
        except Exception as error:
            answer.put(error)

    kept = {name: os.environ.pop(name) for name in OVERRIDES if name in os.environ}
    try:
        threading.Thread(target=ask, daemon=True).start()
        found = answer.get(timeout=CONNECT_S)
    except queue.Empty:
        raise Unreachable(f"the job server {address} did not answer within {CONNECT_S:g} s") from None
    finally:
        os.environ.update(kept)
    if isinstance(found, TrainingFailed):
        raise UserError(f"{address} is no Ray job server: {found}")
    if isinstance(found, Exception):
        raise found
    return found


@contextmanager
def _asking(address: str) -> Iterator[None]:
    """What goes wrong with a question, in one line."""
    try:
        yield
    except AuthenticationError as error:
        token = find_token()
        if token is None:
            mend = "put the cluster's token into ~/.ray/auth_token (mode 0600) or RAY_AUTH_TOKEN_PATH"
        else:
            mend = f"the token is that of {token}; is it the cluster's?"
        raise UserError(f"the job server {address} refuses: {_first(error)}; {mend}") from None
    except (OSError, TimeoutError, aiohttp.ClientError) as error:
        raise Unreachable(f"the job server {address} does not answer: {_first(error)}") from None
    except RuntimeError as error:
        if "connection closed" in str(error):
            raise Unreachable(f"the job server {address} hung up") from None
        if "status code 5" in str(error):
            raise Unreachable(f"the job server {address} fails: {_first(error)}") from None
        raise TrainingFailed(f"the job server {address} failed: {_first(error)}") from None


def _first(error: Exception) -> str:
    """Its first sentence, Ray's go on with advice for other cases; and how a traceback in it ends."""
    lines = str(error).strip().splitlines()
    if not lines:
        return type(error).__name__
    ending = f" {lines[-1]}" if "Traceback" in lines[0] else ""
    return (lines[0].split(". ")[0].rstrip(".") + ending)[:300]


def _view(details: Any) -> JobView:
    return JobView(details.submission_id, details.status.value, details.driver_exit_code, details.message or "")
