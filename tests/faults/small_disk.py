"""Commands on a disk that is too small, or read-only: a program of its own, which prints what happened as JSON.

    unshare -m python -m tests.faults.small_disk FOLDER FRACTIONS [CASE ...]

A tmpfs in a mount namespace of this process alone is the disk. Everything is imported once; each command is a fork.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mfmarl.cli import run_command

SIZE = 64 << 20
PAGE = 4096
FILLER = ".filler"
POLE = ["--env", "tests.mfmarl.imitation.walk:Walk-v0"]
EXPERT = ["--expert", "tests.mfmarl.imitation.walk:expert"]
QUICK = ["num_envs=2", "mfq.hidden=[8]", "mfq.replay_population_steps=128", "mfq.warmup_population_steps=32"]
OUTSIDE = "../outside"
"""What commands read lies on a disk that has room."""


@dataclass(frozen=True)
class Case:
    """A command, and what is given once there is room again."""

    given: list[str]
    resume: list[str]
    begun: str | None = None
    """The file with which --resume can go on; None where the same command goes on."""
    needs: tuple[str, ...] = ()
    """Folders that are copied onto the disk before."""


def _same(given: list[str], *needs: str) -> Case:
    return Case(given, given, None, needs)


CASES = {
    "train": Case(
        ["train", "--local", "--quiet", "--name", "x", "--num-agents", "6", "--seed", "3", "--num-episodes", "16",
         "--set", "checkpoint_every=2", *QUICK],
        ["train", "--local", "--quiet", "--resume", "runs/x"],
        "runs/x/run.json",
    ),
    "imitate": Case(
        ["imitate", "dagger", *POLE, *EXPERT, "--out", "x", "--quiet", "--evaluations", "2", "--interactions", "24",
         "--seed", "1", "--set", "hidden_dims=[8]", "updates=20"],
        ["imitate", "--resume", "x", "--quiet"],
        "x/imitation.json",
    ),
    "solve": Case(
        ["solve", "left-right", "--out", "x"],
        ["solve", "--resume", "x"],
        "x/solution.safetensors",
    ),
    "study run": _same(["study", "run", f"{OUTSIDE}/small.yaml"]),
    "audit": _same(["audit", "x", "--by", "exact"], "x"),
    "report": _same(["report", f"{OUTSIDE}/runs", "--out", "report"]),
    "demonstrate": _same(["demonstrate", *POLE, *EXPERT, "--episodes", "3", "--seed", "0", "--out", "x.npz"]),
    "export": _same(["export", f"{OUTSIDE}/x", "--out", "policy"]),
    "evaluate": _same(["evaluate", "x", "--episodes", "2"], "x"),
    "magail": _same(
        ["imitate", "magail-coordination", "--betas", "0", "--seeds", "1", "--epochs", "20", "--eval_episodes", "50",
         "--rollout_episodes", "20", "--outdir", "x", "--save"]
    ),
}  # fmt: skip


def hashes(folder: Path) -> dict[str, str]:
    """Every file below the folder -> the SHA-256 of its contents, but for locks and the filler."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in ("lock", FILLER)
    }


def torn(folder: Path) -> list[str]:
    """Files that a reader would find half written, and what is left of temporary ones."""
    found = [str(path.relative_to(folder)) for path in folder.rglob("*.tmp")]
    files = [path for path in folder.rglob("*") if path.is_file() and path.suffix in ENDINGS]
    half = [path for path in files if not path.read_bytes().endswith(ENDINGS[path.suffix])]
    return found + [str(path.relative_to(folder)) for path in half]


ENDINGS = {
    ".json": (b"}", b"}\n", b"]\n"),
    ".jsonl": (b"\n",),
    ".csv": (b"\n",),
    ".tex": (b"\n",),
    ".html": (b"</html>", b"</html>\n"),
    ".svg": (b"</svg>\n",),
    ".png": (b"IEND\xaeB`\x82",),
}


def forked(work: Callable[[], tuple[int, str]]) -> tuple[int, str]:
    """What `work` gives, done in a fork of this process."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reading)
            answer = work()
        except BaseException:
            answer = (-1, traceback.format_exc())
        with os.fdopen(writing, "w") as out:
            json.dump(answer, out)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as answered:
        text = answered.read()
    _, status = os.waitpid(child, 0)
    code, told = json.loads(text) if text else (-2, f"the process ended by status {status}")
    return code, told


def command(arguments: Sequence[str], folder: Path) -> tuple[int, str]:
    """A command's exit code and what it said, run in `folder` in a fork."""

    def work() -> tuple[int, str]:
        os.chdir(folder)
        told = io.StringIO()
        with contextlib.redirect_stderr(told), contextlib.redirect_stdout(io.StringIO()):
            code = run_command(arguments)
        return code, told.getvalue()

    return forked(work)


@contextlib.contextmanager
def disk(folder: Path) -> Iterator[Path]:
    """A fresh tmpfs at `folder`/disk."""
    place = folder / "disk"
    place.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", place], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", place], check=True)


def read_only(place: Path, wanted: bool) -> None:
    """Make the disk refuse every writer, or take them again."""
    subprocess.run(["mount", "-o", f"remount,{'ro' if wanted else 'rw'}", place], check=True)


def fill(place: Path, free: int) -> None:
    """Leave `free` bytes, down to a whole page."""
    status = os.statvfs(place)
    with (place / FILLER).open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, status.f_bavail * status.f_bsize - free // PAGE * PAGE)


def used(place: Path) -> int:
    """Bytes on the disk."""
    status = os.statvfs(place)
    return (status.f_blocks - status.f_bavail) * status.f_bsize


def prepared(place: Path, case: Case, outside: Path) -> None:
    """What the command reads and writes beside."""
    for name in case.needs:
        shutil.copytree(outside / name, place / name)


def make_outside(outside: Path) -> None:
    """A trained run without an evaluation, three with one, and a study."""
    outside.mkdir()
    for seed in (4, 1, 2, 3):
        where = ["--runs-dir", ".", "--name", "x"] if seed == 4 else ["--runs-dir", "runs", "--name", f"s{seed}"]
        options = ["env_options.horizon=6", "env_options.jitter=0.0", *QUICK]
        given = ["train", "--local", "--quiet", "--num-agents", "6", "--method", "mf", "--num-episodes", "8"]
        must([*given, "--seed", str(seed), *where, "--set", *options], outside)
        if seed < 4:
            must(["evaluate", f"runs/s{seed}", "--episodes", "2"], outside)
    from tests.mfmarl.launch.conftest import SMALL

    (outside / "small.yaml").write_text(
        SMALL.replace("seed: [1, 2]", "seed: [1]").replace("method: [mf, is]", "method: [mf]")
    )


def must(arguments: Sequence[str], folder: Path) -> None:
    """A command that is to succeed, in this process: what it imports and compiles is there for the forks."""
    with contextlib.chdir(folder), contextlib.redirect_stdout(io.StringIO()):
        code = run_command(arguments)
    if code not in (0, 1):
        raise SystemExit(f"{' '.join(arguments)}: {code}")


def met(case: Case, folder: Path, fraction: float | None, room: int, whole: dict[str, str]) -> dict[str, object]:
    """What a command did on a full disk (`fraction` of the room it takes is left) or a read-only one (None)."""
    with disk(folder) as place:
        prepared(place, case, folder / "outside")
        before = hashes(place)
        if fraction is None:
            read_only(place, True)
        else:
            fill(place, int(fraction * room))
        code, told = command(case.given, place)
        after, half = hashes(place), torn(place)
        if fraction is None:
            read_only(place, False)
        (place / FILLER).unlink(missing_ok=True)
        goes_on = case.begun is not None and (place / case.begun).exists()
        again = command(case.resume if goes_on else case.given, place)
        ends = hashes(place)
    return {
        "fraction": fraction,
        "code": code,
        "told": told,
        "lost": [name for name in before if after.get(name) != before[name]],
        "half": half,
        "again": again,
        "other": sorted(name for name in {*whole, *ends} if whole.get(name) != ends.get(name)),
    }


def main() -> None:
    """Every case: the whole one, then each fault."""
    folder, fractions = Path(sys.argv[1]).absolute(), [float(text) for text in sys.argv[2].split(",")]
    _import_everything()
    make_outside(folder / "outside")
    found = {}
    for name in sys.argv[3:] or CASES:
        case = CASES[name]
        with disk(folder) as place:
            prepared(place, case, folder / "outside")
            empty = used(place)
            must(case.given, place)
            room, whole = used(place) - empty, hashes(place)
        faults: list[float | None] = [*fractions, None]
        found[name] = {"room": room, "met": [met(case, folder, fault, room, whole) for fault in faults]}
    print(json.dumps(found))


def _import_everything() -> None:
    import torch

    import mfmarl.launch.local_pool
    from mfmarl.imitation import run as imitating
    from mfmarl.registry import JOBS, load
    from tests.mfmarl.launch.conftest import HerePool

    for name in ("train", "evaluate", "audit", "export", "solve", "study", "study run", "study report"):
        load(JOBS, name)
    imitating.SECONDS_BETWEEN_SAVES = 0.0
    torch.set_num_threads(1)
    # cells are done in the fork itself
    mfmarl.launch.local_pool.LocalPool = lambda *_, **__: HerePool()  # type: ignore[assignment, misc]


if __name__ == "__main__":
    main()
