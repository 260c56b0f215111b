"""Documented commands that are too dear for every run of the tests, small; every --help, and how long it takes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mfmarl.cli import COMMANDS
from tests.documented import ROOT, words
from tests.shrunk_commands import is_dear, run_small, runs_here
from tests.test_documented_commands import SCRIPTS

DEAR = [line for line in runs_here() if is_dear(line)]
BENCHMARKS = sorted({words(line)[1] for line in SCRIPTS if "benchmarks/" in line})
HELP_S = 0.5
"""Of processor time."""


@pytest.mark.parametrize("line", DEAR)
def test_dear_commands(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_small(line, tmp_path) == 0


@pytest.mark.parametrize("script", BENCHMARKS)
def test_help_of_benchmarks(script: str) -> None:
    subprocess.run([sys.executable, script, "--help"], cwd=ROOT, check=True, capture_output=True, timeout=300)


def test_every_help_takes_less_than_half_a_second(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    # as users have it: the first call compiles, and Python keeps what it compiled
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = str(tmp_path)
    took = {}
    for command in ["", *COMMANDS]:
        code = (
            "import atexit, sys, time\nfrom mfmarl.cli import run_command\n"
            "atexit.register(lambda: print(f'\\n{time.process_time()}'))\n"
            f"run_command({[*command.split(), '--help']!r})\n"
        )
        given = [sys.executable, "-c", code]
        shown = [subprocess.run(given, env=environment, cwd=ROOT, capture_output=True, text=True) for _ in range(5)]
        # other work on the machine makes it look worse, never better
        took[command] = min(float(done.stdout.rsplit(maxsplit=1)[-1]) for done in shown)
    record_property("commands", len(took))
    record_property("seconds of the slowest", round(max(took.values()), 3))
    assert max(took.values()) < HELP_S, took
