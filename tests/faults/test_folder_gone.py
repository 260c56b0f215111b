"""A folder that is moved away while a command works in it: one line, code 4, and nothing is made in its place."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from mfmarl.cli import run_command
from mfmarl.imitation import run as imitating
from tests.faults.small_disk import CASES


@pytest.mark.parametrize("name", ["imitate", "solve"])
def test_it_is_told_and_not_made_anew(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(imitating, "SECONDS_BETWEEN_SAVES", 0.0)
    rename, moved = os.rename, tmp_path / "moved"

    def moving(*paths: Any, **options: Any) -> None:
        rename(*paths, **options)
        # the first file has its name: the rest finds no folder
        if not moved.exists():
            rename(tmp_path / "x", moved)

    monkeypatch.setattr(os, "rename", moving)
    monkeypatch.setattr(os, "replace", moving)
    code = run_command(CASES[name].given)
    told = [line for line in capsys.readouterr().err.splitlines() if line.startswith("mfmarl: ")]
    assert moved.is_dir()
    assert code == 4, told
    assert told == ["mfmarl: cannot write x: it is not there; was the folder moved or deleted meanwhile?"]
    assert [path.name for path in tmp_path.iterdir()] == ["moved"]
