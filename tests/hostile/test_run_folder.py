"""Run folders that somebody else made: each fault is told in one line, and nothing outside the folder is touched."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from mfmarl.runs.checkpoint import (
    CHECKPOINTS,
    MANIFEST,
    latest_checkpoint,
    read_checkpoint,
    write_checkpoint,
)  # fmt: skip
from mfmarl.runs.summed import summed
from tests.hostile.commands import check_refused, told_by
from tests.rewritten import rewrite_sum, words_of


def bytes_in(name: str, data: bytes) -> Callable[[Path], None]:
    def change(run: Path) -> None:
        (run / name).write_bytes(data)

    return change


def told(**changes: Any) -> Callable[[Path], None]:
    """run.json with other words."""

    def change(run: Path) -> None:
        words = words_of(run / "run.json") | changes
        (run / "run.json").write_bytes(summed({k: v for k, v in words.items() if v != "GONE"}))

    return change


def instead(name: str, put: Callable[[Path], object]) -> Callable[[Path], None]:
    """Something else under a file's name."""

    def change(run: Path) -> None:
        path = run / name
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        put(path)

    return change


def manifest(**changes: Any) -> Callable[[Path], None]:
    """The newest checkpoint's manifest with other words, and the SHA-256 that fits them."""

    def change(run: Path) -> None:
        path = max((run / CHECKPOINTS).iterdir()) / MANIFEST
        body = {k: v for k, v in json.loads(path.read_text()).items() if k != "sha256"} | changes
        path.write_bytes(summed(body))

    return change


def saved(edit: Callable[[dict[str, Any], dict[str, Any]], object]) -> Callable[[Path], None]:
    """The newest checkpoint with other contents, whole."""

    def change(run: Path) -> None:
        found = latest_checkpoint(run)
        edit(found.tensors, found.states)
        write_checkpoint(run, found.iteration, found.tensors, found.states, found.config_hash)

    return change


def with_policy(**changes: Any) -> Callable[[Path], None]:
    return saved(lambda tensors, states: states.update(policy=states["policy"] | changes))


def linked_metric(run: Path) -> None:
    path = run / "evaluation.h5"
    with h5py.File(path, "r+") as file:
        file["policies/outside"] = h5py.ExternalLink("/etc/passwd", "/")
    rewrite_sum(path)


DEEP = b"[" * 100_000
EVALUATE, RESUME, REPORT, LS = ("evaluate",), ("train", "--local", "--resume"), ("report",), ("ls",)
HOSTILE: dict[str, tuple[tuple[str, ...], Callable[[Path], None], str]] = {
    "run.json empty": (EVALUATE, bytes_in("run.json", b""), "run.json"),
    "run.json of 100,000 brackets": (EVALUATE, bytes_in("run.json", DEEP), "run.json"),
    "run.json a list": (EVALUATE, bytes_in("run.json", b"[1]"), "run.json"),
    "run.json not UTF-8": (EVALUATE, bytes_in("run.json", b'{"name": "\xff"}'), "run.json"),
    "run.json of NUL bytes": (EVALUATE, bytes_in("run.json", b"\0" * 999), "run.json"),
    "run.json a pipe": (EVALUATE, instead("run.json", os.mkfifo), "run.json"),
    "run.json a link": (EVALUATE, instead("run.json", lambda path: path.symlink_to("/etc/passwd")), "run.json"),
    "run.json a folder": (EVALUATE, instead("run.json", Path.mkdir), "run.json"),
    "run.json of other code": (EVALUATE, told(config={"env": "os:system"}), "run.json"),
    "run.json with a key more": (EVALUATE, told(run_this="mkdir ran"), "run.json"),
    "run.json of 2**60 agents": (EVALUATE, told(num_agents=2**60), "run.json"),
    "run.json of another schema": (EVALUATE, told(schema=99), "run.json"),
    "run.json of another hash": (EVALUATE, told(config_hash="0" * 12), "run.json"),
    "run.json without names": (EVALUATE, told(agent_names="GONE"), "run.json"),
    "manifest empty": (EVALUATE, lambda run: manifest_bytes(run, b""), MANIFEST),
    "manifest of 100,000 brackets": (EVALUATE, lambda run: manifest_bytes(run, DEEP), MANIFEST),
    "manifest a number": (EVALUATE, lambda run: manifest_bytes(run, b"1"), MANIFEST),
    "manifest that goes up": (EVALUATE, manifest(files={"../../run.json": {"size": 1, "sha256": ""}}), MANIFEST),
    "manifest of a list": (EVALUATE, manifest(files=["policy.json"]), MANIFEST),
    "manifest of no files": (EVALUATE, manifest(files=None), MANIFEST),
    "manifest of numbers": (EVALUATE, manifest(files={"policy.json": 3}), MANIFEST),
    "manifest of an odd size": (EVALUATE, manifest(files={"policy.json": {"size": "x", "sha256": ""}}), MANIFEST),
    "manifest of another iteration": (EVALUATE, manifest(iteration="4"), MANIFEST),
    "manifest without a hash": (RESUME, manifest(config_hash=None), "good"),
    "no policy": (EVALUATE, saved(lambda tensors, states: tensors.pop("policy")), "good"),
    "no words of the policy": (EVALUATE, saved(lambda tensors, states: states.pop("policy")), "good"),
    "a policy that is a list": (EVALUATE, saved(lambda tensors, states: states.update(policy=[1])), "good"),
    "a policy of 10**9 units": (EVALUATE, with_policy(hidden=[10**9]), "good"),
    "a policy of 10**9 layers": (EVALUATE, with_policy(hidden=[1] * 10**5), "good"),
    "a policy of 2**60 observations": (EVALUATE, with_policy(observations=2**60), "good"),
    "a policy of no types": (EVALUATE, with_policy(types=[]), "good"),
    "a policy of another law": (EVALUATE, with_policy(law="os.system"), "good"),
    "tensors of another shape": (
        EVALUATE, saved(lambda tensors, states: tensors["policy"].update(
            {name: np.zeros((3, 3)) for name in tensors["policy"]})), "good"),
    "no state of the learner": (RESUME, saved(lambda tensors, states: states.pop("learner")), "good"),
    "a learner that is a number": (RESUME, saved(lambda tensors, states: states.update(learner=3)), "good"),
    "no replay": (RESUME, saved(lambda tensors, states: tensors.pop("replay")), "good"),
    "no environment": (RESUME, saved(lambda tensors, states: tensors.update(runner_0={})), "good"),
    "journal of bytes": (RESUME, bytes_in("journal.jsonl", bytes(range(256)) * 9 + b"\n"), "journal.jsonl"),
    "journal of 100,000 brackets": (RESUME, bytes_in("journal.jsonl", DEEP + b"\n"), "journal.jsonl"),
    "journal without times": (RESUME, bytes_in("journal.jsonl", b'{"iteration": 1}\n'), "journal.jsonl"),
    "journal of odd times": (RESUME, bytes_in("journal.jsonl", b'{"iteration": 1, "time_s": []}\n'), "journal.jsonl"),
    "journal a pipe": (RESUME, instead("journal.jsonl", os.mkfifo), "journal.jsonl"),
    "journal a link to nowhere": (
        RESUME, instead("journal.jsonl", lambda path: path.symlink_to("../outside/new")), "journal.jsonl"),
    "lock a link": (RESUME, instead("lock", lambda path: path.symlink_to("../outside/kept")), "lock"),
    "lock a link to nowhere": (RESUME, instead("lock", lambda path: path.symlink_to("../outside/new")), "lock"),
    "lock a pipe": (RESUME, instead("lock", os.mkfifo), "lock"),
    "checkpoints a link": (
        RESUME, instead(CHECKPOINTS, lambda path: path.symlink_to("../outside", target_is_directory=True)), "checkp"),
    "evaluation of text": (REPORT, bytes_in("evaluation.h5", b"text"), "evaluation.h5"),
    "evaluation of a link": (REPORT, linked_metric, "evaluation.h5"),
    "evaluation of another sum": (
        REPORT, lambda run: os.truncate(run / "evaluation.h5", os.stat(run / "evaluation.h5").st_size - 1), "SHA-256"),
    "evaluation a pipe": (REPORT, instead("evaluation.h5", os.mkfifo), "evaluation.h5"),
}  # fmt: skip


def manifest_bytes(run: Path, data: bytes) -> None:
    (max((run / CHECKPOINTS).iterdir()) / MANIFEST).write_bytes(data)


def test_each_is_refused_in_one_line(good: Path, tmp_path: Path) -> None:
    commands = {}
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "kept").write_text("mine")
    (tmp_path / "outside" / "kept.tmp").mkdir()
    for i, (case, (command, change, _)) in enumerate(HOSTILE.items()):
        run = tmp_path / f"good-{i}"
        shutil.copytree(good, run)
        if command == RESUME:
            (run / "complete.json").unlink()
            (run / "evaluation.h5").unlink()
        change(run)
        commands[case] = [*command, run.name]
    told = told_by(commands, tmp_path)
    # a command that goes on takes the run's lock, whose file stays
    check_refused(told, {case: name for case, (*_, name) in HOSTILE.items()}, may_change=("lock",))


def test_looking_neither_waits_nor_fails(good: Path, tmp_path: Path) -> None:
    for i, (_, change, _) in enumerate(HOSTILE.values()):
        shutil.copytree(good, tmp_path / f"good-{i}")
        change(tmp_path / f"good-{i}")
    found = told_by({"ls": ["ls", "."]}, tmp_path)["ls"]
    assert (found.code, found.err, found.escaped, found.changed) == (0, "", "", ())


def test_names_of_another_terminal_are_shown_as_text(good: Path, tmp_path: Path) -> None:
    run = tmp_path / "good\x1b[31m"
    shutil.copytree(good, run)
    (run / "run.json").write_text("[")
    found = told_by({"evaluate": ["evaluate", run.name]}, tmp_path)["evaluate"]
    assert "\x1b" not in found.err
    assert found.code in (2, 4)


def test_the_good_one_is_read(good: Path) -> None:
    assert read_checkpoint(max((good / CHECKPOINTS).iterdir())) is not None
