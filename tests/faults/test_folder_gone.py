"""A folder that is moved away while a command works in it: one line, code 4, and nothing is made in its place."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest

from analysis.equilibrium import audit_learned
from mfmarl.cli import run_command
from mfmarl.imitation import run as imitating
from mfmarl.launch import local_pool
from tests.faults.small_disk import CASES
from tests.hostile.conftest import small_run
from tests.hostile.places import AUDIT, small_deviators
from tests.mfmarl.launch.conftest import SMALL, HerePool

GONE = "it is not there; was the folder moved or deleted meanwhile?"


GIVEN = {name: CASES[name].given for name in ("imitate", "solve", "study run")} | {"audit": [*AUDIT, "x"]}


@pytest.mark.parametrize(
    ("name", "folder", "said"),
    [
        ("imitate", "x", "cannot write x"),
        ("solve", "x", "cannot write x"),
        ("audit", "x", r"cannot write x/audit/deviators/\S+"),
        ("study run", "runs/small", "cannot write runs/small"),
    ],
)
def test_it_is_told_and_not_made_anew(
    name: str,
    folder: str,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    work, moved = tmp_path / "work", tmp_path / "moved"
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "small.yaml").write_text(SMALL)
    work.mkdir()
    if name == "audit":
        small_run(work).rename(work / "x")
    monkeypatch.chdir(work)
    monkeypatch.setattr(imitating, "SECONDS_BETWEEN_SAVES", 0.0)
    monkeypatch.setattr(local_pool, "LocalPool", lambda *_, **__: HerePool())
    monkeypatch.setattr(audit_learned, "training", small_deviators)
    rename = os.rename

    def moving(*paths: Any, **options: Any) -> None:
        rename(*paths, **options)
        # the first file has its name: the rest finds no folder
        if not moved.exists():
            rename(work / folder, moved)

    monkeypatch.setattr(os, "rename", moving)
    monkeypatch.setattr(os, "replace", moving)
    capsys.readouterr()
    code = run_command(GIVEN[name])
    told = [line for line in capsys.readouterr().err.splitlines() if line.startswith("mfmarl: ")]
    assert moved.is_dir()
    assert code == 4, told
    assert len(told) == 1
    assert re.fullmatch(f"mfmarl: {said}: {re.escape(GONE)}", told[0]), told
    assert not (work / folder).exists()
