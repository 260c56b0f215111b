"""Signs of life of remote environment runners and learners, so that the driver tells long work from none.

A runner counts as at work while it takes further steps of the fragment it was asked for: each step of all its copies
may take `NO_STEP_S`, the fragment as long as it needs. Before a fragment's first step, when loops are compiled, using a
processor counts too, for `COMPILING_S` of processor time at most. Being restarted does not count, nor what a restarted
runner plays again: one that dies again and again at the same place gets no further.
A learner's fragment is an update, and its steps are gradient steps.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import ray
from ray.experimental.internal_kv import _internal_kv_get, _internal_kv_put

from mfmarl.errors import TrainingFailed

NO_STEP_S = 50.0
"""Without a step or fragment of any runner, training ends; with what Ray takes to notice, within 60 s."""
COMPILING_S = 300
BEAT_S = 2.0
SPACE = "mfmarl_pulse"

Reached = tuple[int, int]
"""(fragment, steps of it that are played)"""


def start_pulse(run: str, runner: int, reached: Callable[[], Reached]) -> None:
    """Tell from now on, in a thread of its own, how far the runner of the calling thread is.

    Args:
        run: name of the run, of this cluster's only once.
        reached: is asked every `BEAT_S`; must not wait for anything.
    """
    of_thread = getattr(time, "pthread_getcpuclockid", None)
    # macOS has none of a thread; there the whole process's stands in
    clock = of_thread(threading.get_ident()) if of_thread else time.CLOCK_PROCESS_CPUTIME_ID

    def beat() -> None:
        told = b""
        while ray.is_initialized():
            fragment, steps = reached()
            sign = f"{fragment} {steps} {int(time.clock_gettime(clock))}".encode()
            if sign != told:
                _internal_kv_put(_key(run, runner), sign, overwrite=True, namespace=SPACE)
                told = sign
            time.sleep(BEAT_S)

    threading.Thread(target=beat, daemon=True, name="pulse").start()


class Patience:
    """Waits for fragment number `fragment` as long as some runner gets further with it than any did before."""

    def __init__(self, run: str, fragment: int) -> None:
        self._run, self._fragment = run, fragment
        self._furthest: dict[int, Reached] = {}
        self.renew()

    def renew(self) -> None:
        """A fragment has come."""
        self._looked = time.monotonic()
        self._deadline = self._looked + NO_STEP_S

    def is_over(self, runners: Collection[int]) -> bool:
        """Whether none of `runners` got further for `NO_STEP_S`."""
        now = time.monotonic()
        if now - self._looked >= min(BEAT_S, NO_STEP_S / 4):
            self._looked = now
            for runner in runners:
                reached = self._sign(runner)
                if reached > self._furthest.setdefault(runner, reached):
                    self._furthest[runner] = reached
                    self._deadline = now + NO_STEP_S
        return now > self._deadline

    def _sign(self, runner: int) -> Reached:
        told = _internal_kv_get(_key(self._run, runner), namespace=SPACE)
        if not told:
            return (0, 0)
        fragment, steps, cpu_s = map(int, told.split())
        if fragment != self._fragment:
            return (0, 0)
        return (steps, 0) if steps else (0, min(cpu_s, COMPILING_S))


def end(group: Any, runners: Collection[int]) -> TrainingFailed:
    """Kill runners that got no further, since to stop RLlib's algorithm would wait for them; returns what to raise."""
    actors = group._worker_manager.actors()
    for runner in runners:
        ray.kill(actors[runner])
    return TrainingFailed(
        f"environment runners {sorted(runners)} are dead or hang: no step of theirs for {NO_STEP_S:.0f} s; the last "
        "checkpoint stands: `mfmarl train --resume` goes on from it, with --verbose for the workers' output"
    )


def watch_calls(group: Any, run: str) -> None:
    """Have RLlib's calls to all runners of `group` end where its runners got no further, by killing them.

    RLlib itself waits for ever, or after a timeout goes on in silence without those that are slow.
    """
    call = group.foreach_env_runner

    def watched(*args: Any, **kwargs: Any) -> Any:
        with _killing(group, run):
            return call(*args, **kwargs)

    group.foreach_env_runner = watched


@contextmanager
def _killing(group: Any, run: str) -> Iterator[None]:
    """Raises:
    TrainingFailed: where no runner took a step for `NO_STEP_S`.
    """
    actors = group._worker_manager.actors()
    with _watched(actors, Patience(run, 0), lambda: end(group, actors)):
        yield


@contextmanager
def learners_at_work(learners: Sequence[Any], run: str, update: int) -> Iterator[None]:
    """Ends remote learners of whom none takes a gradient step of update number `update`; RLlib would wait for ever.

    Raises:
        TrainingFailed: where none did for `NO_STEP_S`.
    """

    def killed() -> TrainingFailed:
        for learner in learners:
            ray.kill(learner)
        return TrainingFailed(
            f"the learners hang: no gradient step of theirs for {NO_STEP_S:.0f} s; the last checkpoint stands: "
            "`mfmarl train --resume` goes on from it, with --verbose for the workers' output"
        )

    numbers = [learner_number(rank) for rank in range(len(learners))]
    with _watched(numbers, Patience(run, update), killed):
        yield


def learner_number(rank: int) -> int:
    """Under which a learner tells how far it is: runners are numbered from 1."""
    return -1 - rank


@contextmanager
def _watched(actors: Collection[int], patience: Patience, killed: Callable[[], TrainingFailed]) -> Iterator[None]:
    over = threading.Event()
    hung: list[TrainingFailed] = []

    def watch() -> None:
        while not over.wait(min(1.0, NO_STEP_S / 4)):
            if patience.is_over(actors):
                hung.append(killed())
                return

    watcher = threading.Thread(target=watch, daemon=True, name="watch_calls")
    if actors:
        watcher.start()
    try:
        try:
            yield
        finally:
            over.set()
            if actors:
                watcher.join()
    except Exception as error:
        if hung:
            raise hung[0] from error
        raise
    if hung:
        raise hung[0]


def _key(run: str, runner: int) -> str:
    return f"{run}/{runner}"
