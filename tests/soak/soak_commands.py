"""Documented commands that are too dear for every run of the tests, small, and --help of every documented script."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.documented import ROOT, words
from tests.shrunk_commands import is_dear, run_small, runs_here
from tests.test_documented_commands import SCRIPTS

DEAR = [line for line in runs_here() if is_dear(line)]
BENCHMARKS = sorted({words(line)[1] for line in SCRIPTS if "benchmarks/" in line})


@pytest.mark.parametrize("line", DEAR)
def test_dear_commands(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_small(line, tmp_path) == 0


@pytest.mark.parametrize("script", BENCHMARKS)
def test_help_of_benchmarks(script: str) -> None:
    subprocess.run([sys.executable, script, "--help"], cwd=ROOT, check=True, capture_output=True, timeout=300)
