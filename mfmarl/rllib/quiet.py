"""Starting Ray without its noise, and again where it is slow to come up."""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from mfmarl.errors import UserError


def start_ray(num_cpus: int | None = None, address: str | None = None, verbose: bool = False) -> None:
    """Start or join Ray once per process; three attempts, since `ray.init` gives up after 30 s under load.

    Args:
        num_cpus: of the Ray that is started where there is none to join.
        address: of the cluster to join; without it that of RAY_ADDRESS, as Ray's own tools do.

    Raises:
        UserError: for an address at which no cluster answers, and a token that is refused (which is told at once).
        ConnectionError: where Ray could not be started, with what was tried.
    """
    address = address or os.environ.get("RAY_ADDRESS")
    if address is not None:
        check_answers(address)
    take_token(address)
    if not verbose:
        os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
        os.environ.setdefault("RAY_DEDUP_LOGS", "0")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    import ray

    if ray.is_initialized():
        return
    if not verbose:
        hush()
    for attempt in range(3):
        try:
            with nullcontext() if verbose else _without_stderr():
                ray.init(
                    # "local" starts one even where another Ray of this machine runs
                    address=address or "local",
                    num_cpus=num_cpus if address is None else None,
                    include_dashboard=False if address is None else None,
                    log_to_driver=verbose,
                    logging_level="INFO" if verbose else "ERROR",
                    configure_logging=verbose,
                )
            return
        except Exception as error:
            # a node that is slow to start raises a bare Exception
            ray.shutdown()
            told = str(error).splitlines()[0] if str(error) else type(error).__name__
            if _refused(error):
                place = "Ray" if address is None else f"the Ray cluster at {address}"
                raise UserError(
                    f"{place} refuses this machine's token: {told}; put the cluster's into ~/.ray/auth_token "
                    "(mode 0600) or RAY_AUTH_TOKEN_PATH"
                ) from error
            if attempt == 2 and address is not None:
                raise UserError(f"no Ray cluster to join at {address} in three attempts: {told}; is it up?") from error
            if attempt == 2:
                raise ConnectionError(
                    f"Ray did not start in three attempts ({error}); is the machine overloaded?"
                ) from error
            time.sleep(2.0 * (attempt + 1))


def _refused(error: BaseException | None) -> bool:
    """Whether it was for a token that is missing or wrong, where another attempt is of no use."""
    while error is not None:
        # `ray.init` tells the error below in the text of another
        if "AuthenticationError" in f"{type(error).__name__} {error}":
            return True
        error = error.__cause__ or error.__context__
    return False


def hush() -> None:
    """Keep RLlib's notes on its own interfaces off the screen; enough where all runs in this process, without a Ray."""
    for name in ("ray", "ray.rllib", "ray.train", "ray.tune"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


def find_token() -> str | None:
    """Where this machine has a token for Ray clusters, in Ray's own order; None where it has none."""
    if os.environ.get("RAY_AUTH_TOKEN"):
        return "RAY_AUTH_TOKEN"
    if path := os.environ.get("RAY_AUTH_TOKEN_PATH"):
        return path
    own = Path.home() / ".ray" / "auth_token"
    return str(own) if own.exists() else None


def take_token(address: str | None) -> None:
    """Show this machine's token, where it has one, to the cluster that will be joined, here or by RAY_ADDRESS.

    Must precede the first import of Ray, which reads the mode of authentication once.
    """
    if (address or os.environ.get("RAY_ADDRESS")) and find_token() is not None:
        os.environ.setdefault("RAY_AUTH_MODE", "token")


def check_answers(address: str) -> None:
    """Refuse an address at which nothing listens; Ray itself would try for minutes.

    Raises:
        UserError: names the address, and what one looks like.
    """
    if address in ("auto", "local"):
        return
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit() or "/" in address:
        raise UserError(f"the Ray address is {address!r}; want auto, or HOST:PORT as `ray start --head` prints it")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()
    except (OSError, OverflowError) as error:
        raise UserError(f"nothing answers at the Ray address {address}: {error}") from None


@contextmanager
def _without_stderr() -> Iterator[None]:
    """Ray's C++ core announces its log level on the file descriptor itself; keep that off the user's screen."""
    saved, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(nowhere)
