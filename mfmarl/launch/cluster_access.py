"""Who is asked for a token: joining or using another machine's cluster needs one, unless the user says otherwise."""

from __future__ import annotations

import ipaddress
import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path

from mfmarl.errors import UserError


def check_access(address: str | None, *, insecure: bool, told: Callable[[str], None]) -> None:
    """Refuse another machine's Ray cluster where there is no token for it; warn of a token that others can read.

    Args:
        address: of a job server (http://HOST:8265) or cluster (HOST:6379, auto); without it that of RAY_ADDRESS.
        insecure: go there without a token, and be told so.
        told: gets the warnings, a line each.

    Raises:
        UserError: says where tokens are looked for.
    """
    from mfmarl.rllib.quiet import find_token

    given = f"--address {address}"
    if not address:
        address = os.environ.get("RAY_ADDRESS")
        given = f"RAY_ADDRESS={address}"
    if not address:
        return
    token = find_token()
    if token is not None:
        _warn_of_readers(token, told)
    elif not of_this_machine(address):
        if not insecure:
            raise UserError(
                f"{given}: no token for another machine's cluster; put the cluster's into ~/.ray/auth_token "
                "(mode 0600) or RAY_AUTH_TOKEN_PATH, or say --insecure where it has none"
            )
        told(f"warning: {address} is used without a token; whoever reaches it can run commands there as its user")


def of_this_machine(address: str) -> bool:
    """Whether an address is a loopback, or of one of this machine's interfaces; of names only localhost is."""
    if address in ("auto", "local"):
        return True
    place = address.split("://", 1)[-1].rstrip("/")
    host = place.rpartition(":")[0] if place.rpartition(":")[2].isdigit() and not place.endswith("]") else place
    host = host.strip("[]")
    if host == "localhost":
        return True
    try:
        number = ipaddress.ip_address(host)
    except ValueError:
        return False
    return number.is_loopback or (not number.is_unspecified and _has(host, number.version))


def _has(host: str, version: int) -> bool:
    """Only an address of one's own can be bound."""
    try:
        with socket.socket(socket.AF_INET6 if version == 6 else socket.AF_INET, socket.SOCK_DGRAM) as one:
            one.bind((host, 0))
    except OSError:
        return False
    return True


def _warn_of_readers(token: str, told: Callable[[str], None]) -> None:
    if token == "RAY_AUTH_TOKEN":
        return
    path = Path(token)
    try:
        mode = path.stat().st_mode
    except OSError:
        return
    # Kubernetes mounts its secrets read-only, and readable to all in the pod
    if mode & (stat.S_IRWXG | stat.S_IRWXO) and os.access(path, os.W_OK):
        told(f"warning: others can read the cluster's token in {path} (mode {mode & 0o777:04o}); chmod 600 {path}")
