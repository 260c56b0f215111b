"""Commands on files that somebody else made: what each tells, and whether it leaves the folder as it was."""

from __future__ import annotations

import io
import json
import os
import resource
import signal
import stat
import tempfile
import traceback
import zlib
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from mfmarl.cli import run_command

LOADED = ("mfmarl.trainer", "mfmarl.evaluate", "mfmarl.imitation", "envs.inventory.presets", "h5py")
"""What commands import: before the room is bounded, since libraries are no part of what a file takes."""
ROOM = 1 << 29
"""Bytes of address space beyond those that are taken already."""
SECONDS = 60
"""After which a command is taken to hang."""


@dataclass(frozen=True)
class Told:
    """What a command did."""

    code: int | None
    """None where it hung, or took the process with it."""
    err: str = ""
    escaped: str = ""
    """The traceback of what `run_command` let through."""
    changed: tuple[str, ...] = ()
    """Files that were made, changed or deleted."""


def told_by(commands: Mapping[str, Sequence[str]], folder: Path) -> dict[str, Told]:
    """Run commands in `folder`, one after another, in one child of bounded memory."""
    for module in LOADED:
        import_module(module)
    told = dict.fromkeys(commands, Told(None, "", "nothing was heard of it"))
    with tempfile.TemporaryFile() as heard:
        # what the child hands on is written when it is, and here is nothing left in a buffer
        child = os.fork()
        if child == 0:
            _all(commands, folder, heard.fileno())
        _, status = os.waitpid(child, 0)
        heard.seek(0)
        lines = [json.loads(line) for line in heard]
    for name, line in zip(commands, lines, strict=False):
        told[name] = Told(**line | {"changed": tuple(line["changed"])})
    if len(lines) < len(commands):
        ended = f"signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else f"exit code {status >> 8}"
        told[list(commands)[len(lines)]] = Told(None, "", f"the process ended by {ended}")
    return told


def _all(commands: Mapping[str, Sequence[str]], folder: Path, heard: int) -> None:
    try:
        os.chdir(folder)
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        most = pages * resource.getpagesize() + ROOM
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        for arguments in commands.values():
            signal.alarm(SECONDS)
            os.write(heard, json.dumps(_one(arguments, folder)).encode() + b"\n")
        os._exit(0)
    finally:
        os._exit(1)


def _one(arguments: Sequence[str], folder: Path) -> dict[str, object]:
    before, err, escaped, code = _there(folder), io.StringIO(), "", None
    with redirect_stdout(io.StringIO()), redirect_stderr(err):
        try:
            code = run_command(arguments)
        except BaseException:
            escaped = traceback.format_exc()
    after = _there(folder)
    changed = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    return {"code": code, "err": err.getvalue(), "escaped": escaped, "changed": changed}


def _there(folder: Path) -> dict[str, tuple[int, int, int]]:
    """Of everything below a folder what it is, its size, and a sum of what is in it, where that can be read."""
    found = {}
    for path in folder.rglob("*"):
        status = path.lstat()
        read = stat.S_ISREG(status.st_mode) and status.st_size < ROOM // 4
        held = path.read_bytes() if read else b""
        found[path.relative_to(folder).as_posix()] = (status.st_mode, status.st_size, zlib.crc32(held))
    return found


def check_refused(
    told: Mapping[str, Told], names: Mapping[str, str], may_change: Sequence[str] = (), may_say: tuple[str, ...] = ()
) -> None:
    """Each in one line that has its word of `names`, by exit code 2 or 4, and nothing made or changed.

    Args:
        may_say: how lines of progress begin.
    """
    found = []
    for case, one in told.items():
        name, lines = names[case], [line for line in one.err.splitlines() if not line.startswith(may_say)]
        changed = [path for path in one.changed if Path(path).name not in may_change]
        if one.escaped:
            found.append(f"{case}: {one.escaped.splitlines()[-1]}")
        elif one.code != 2 or len(lines) != 1 or not lines[0].startswith("mfmarl: "):
            found.append(f"{case}: code {one.code}, {one.err!r}")
        elif name not in lines[0] or "Traceback" in lines[0]:
            found.append(f"{case}: {name} is not in {lines[0]!r}")
        elif changed:
            found.append(f"{case}: changed {', '.join(changed)}")
    assert not found, "\n".join(found)
