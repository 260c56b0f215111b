"""Cells of a study as plain Ray tasks, one each.

Plain tasks and not Ray Tune, because a cell's folder is the truth about it: it says what is done, where it goes on, and
who works on it. Tune keeps a second truth, the experiment's state, which it pickles and restores by itself; and all
that is used of it here, a task again where a node has died, is some lines.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError

from mfmarl.launch.study_config import Resources
from mfmarl.launch.work import Job, Outcome, do_cell
from mfmarl.rllib.quiet import start_ray

MOST_AT_ONCE = 1000


class RayPool:
    """Cells on a Ray cluster; what a dead worker or node leaves is a failed attempt, which is made again elsewhere."""

    def __init__(self, resources: Resources, address: str | None = None, *, verbose: bool = False) -> None:
        start_ray(address=address, verbose=verbose)
        self._task = ray.remote(
            # the driver counts attempts, whatever ended them
            num_cpus=resources.cpus, memory=int(resources.memory_gb * 1e9), max_retries=0
        )(do_cell)  # fmt: skip
        self._resources = resources
        self._at_work: dict[Any, str] = {}
        self.hint = _too_small(resources)

    @property
    def places(self) -> int:
        """How many cells the cluster does at once now, at least one."""
        fits = (_fit(node["Resources"], self._resources) for node in ray.nodes() if node["Alive"])
        return max(1, sum(fits))

    def has_room(self) -> bool:
        """Whether more tasks may wait for a place; Ray begins them as resources allow."""
        return len(self._at_work) < MOST_AT_ONCE

    def begin(self, job: Job) -> None:
        """Hand the job to the cluster."""
        self._at_work[self._task.remote(job)] = job.digest

    def ended(self, timeout_s: float) -> Sequence[Outcome]:
        """What tasks returned; one whose worker died gives the failure of its cell."""
        if not self._at_work:
            time.sleep(timeout_s)
            return []
        ready, _ = ray.wait(list(self._at_work), num_returns=1, timeout=timeout_s)
        return [self._outcome(reference, self._at_work.pop(reference)) for reference in ready]

    def _outcome(self, reference: Any, digest: str) -> Outcome:
        try:
            found: Outcome = ray.get(reference)
        except RayTaskError as error:
            text = f"{error.cause or error}".splitlines()[0]
            return Outcome(digest, "failed", f"{text}; is mfmarl on every node? `submit` takes it along")
        except RayError as error:
            text = str(error).splitlines()[0] if str(error) else ""
            return Outcome(digest, "failed", f"its Ray worker died ({type(error).__name__}: {text[:300]})", again=True)
        return found

    def close(self) -> None:
        """End the tasks that still go on."""
        for reference in self._at_work:
            with suppress(RayError):
                ray.cancel(reference, force=True)
        self._at_work.clear()


def _fit(node: Mapping[str, float], resources: Resources) -> int:
    """Cells that a node takes at once."""
    return int(min(node.get("CPU", 0) // resources.cpus, node.get("memory", 0) // (resources.memory_gb * 1e9)))


def _too_small(resources: Resources) -> str | None:
    """Why no node can take a cell now, None where one can; a cluster that grows may get one that can."""
    alive = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    if any(_fit(node, resources) for node in alive):
        return None
    have = "; ".join(f"{n.get('CPU', 0):g} processors, {n.get('memory', 0) / 1e9:.1f} GB" for n in alive)
    return (
        f"note: no node has {resources.cpus} processors and {resources.memory_gb:g} GB for a cell (there are: {have}); "
        "cells wait for one. resources in the study file say what a cell takes"
    )
