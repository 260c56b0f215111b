"""Documented commands that imitate, demonstrate and solve are run, small."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.shrunk_commands import is_dear, run_small, runs_here
from tests.test_documented_commands import OF_RUNS

OTHERS = [line for line in runs_here() if line not in OF_RUNS and not is_dear(line)]


@pytest.mark.parametrize("line", OTHERS)
def test_commands(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "minari"))
    assert run_small(line, tmp_path) == 0
