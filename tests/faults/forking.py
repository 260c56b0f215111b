"""A process that has imported all that commands need, and forks one at a time: `python -m tests.faults.forking`.

It reads a command a line (JSON), and answers how it ended a line. What it begins has nothing to import, which takes
seconds, so that hundreds can be killed.
"""

from __future__ import annotations

import ctypes
import faulthandler
import importlib
import json
import os
import select
import signal
import sys
import time
import traceback
from pathlib import Path
from random import Random
from typing import Any

IMPORTED = (
    "analysis.equilibrium.audit",
    "analysis.solution",
    "mfmarl.deviator",
    "mfmarl.evaluate",
    "mfmarl.imitation.run",
    "mfmarl.launch.drive",
    "mfmarl.solve",
    "mfmarl.trainer",
    # what an optimiser imports when it is made
    "torch._dynamo",
)
LONGEST_S = 180.0
"""No command of the tests takes as long; one that does hangs, tells where, and is killed."""
HUNG = 75
PR_SET_PDEATHSIG = 1


def child(asked: dict[str, Any]) -> int:
    """What the forked process does: the command, in its folder, with what it says in a file."""
    from mfmarl.cli import run_command

    os.chdir(asked["folder"])
    said = os.open(asked["said"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for number in (1, 2):
        os.dup2(said, number)
    faulthandler.dump_traceback_later(LONGEST_S - 10)
    for place, value in asked["set"].items():
        module, name = place.split(":")
        setattr(importlib.import_module(module), name, value)
    return run_command(asked["arguments"])


def workers(pid: int) -> list[int]:
    """The processes that a process has begun."""
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(word) for word in text.split()]


def begin(asked: dict[str, Any]) -> int:
    """Fork, and return the child's number."""
    pid = os.fork()
    if pid:
        return pid
    code = 70
    try:
        # it goes with its parent
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        code = child(asked)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def attend(asked: dict[str, Any]) -> dict[str, Any]:
    """Run a command to its end, or to the SIGKILL that comes after `kill_after` seconds; `HUNG` where it has none.

    With `kill_workers` it is one of its workers, so many times, each after uniform(0, `kill_after`).
    """
    began, killed, drawn = time.monotonic(), 0, Random(asked["seed"])
    wanted, due = asked["kill_workers"], asked["kill_after"]
    pid = begin(asked)
    ended, hung = os.pidfd_open(pid), False
    while not hung:
        left = max(0.0, began + LONGEST_S - time.monotonic())
        wait = left if due is None else min(left, drawn.uniform(0, due) if wanted else due)
        if select.select([ended], [], [], wait)[0]:
            break
        hung = wait == left
        victims = workers(pid) if wanted and not hung else [pid]
        if victims:
            os.kill(drawn.choice(victims), signal.SIGKILL)
            killed += 1
        if killed >= max(wanted, 1):
            due = None
    os.close(ended)
    _, status = os.waitpid(pid, 0)
    code = HUNG if hung else os.waitstatus_to_exitcode(status)
    return {"code": code, "killed": killed, "seconds": time.monotonic() - began}


def main() -> None:
    """Commands in, endings out."""
    answers = os.dup(1)
    os.dup2(2, 1)
    for name in IMPORTED:
        importlib.import_module(name)
    for line in sys.stdin:
        os.write(answers, (json.dumps(attend(json.loads(line))) + "\n").encode())


if __name__ == "__main__":
    main()
