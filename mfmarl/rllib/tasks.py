"""Independent pieces of work on Ray, one task each; a piece whose worker dies is named, and the others are finished."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import ray
from ray.exceptions import RayError, RayTaskError

from mfmarl.errors import TrainingFailed
from mfmarl.rllib.quiet import start_ray

T = TypeVar("T")


def run_pieces(
    work: Mapping[str, Callable[[], T]],
    *,
    address: str | None = None,
    verbose: bool = False,
    told: Callable[[str], None] = lambda doing: None,
) -> dict[str, T]:
    """What each piece returns, one processor a piece; all are finished before a failure is told.

    Args:
        work: name of the piece -> what computes it, in a worker of its own.
        address: of the Ray cluster; without it that of RAY_ADDRESS, or a Ray of this machine.
        told: is called with how many are done.

    Raises:
        TrainingFailed: names the pieces whose workers died.
        Exception: what a piece itself raised, of the first such piece.
    """
    start_ray(address=address, verbose=verbose)
    task = ray.remote(num_cpus=1, max_retries=0)(_run)
    waiting = {name: task.remote(piece) for name, piece in work.items()}
    found: dict[str, T] = {}
    died: dict[str, str] = {}
    raised: list[Exception] = []
    for name, reference in waiting.items():
        try:
            found[name] = ray.get(reference)
        except RayTaskError as error:
            cause = error.cause
            raised.append(cause if isinstance(cause, Exception) else error)
        except RayError as error:
            died[name] = type(error).__name__
        told(f"{len(found)} of {len(work)} done: {', '.join(found)}")
    if raised:
        raise raised[0]
    if died:
        which = ", ".join(f"{name} ({why})" for name, why in died.items())
        raise TrainingFailed(
            f"the workers of {which} died; the other {len(found)} pieces are done and stand: the same call goes on "
            "from their checkpoints, with verbose for the workers' output"
        )
    return found


def _run(piece: Callable[[], Any]) -> Any:
    return piece()
