"""Seeds that nobody gave are drawn, shown and stored; looking on and further cells change nothing."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from mfmarl.cli import run_command
from tests.faults.kinds import run_contents
from tests.mfmarl.launch.conftest import SMALL, Driven, small_study, unfinish
from tests.rewritten import words_of

QUICK = ["num_envs=2", "mfq.hidden=[8]", "mfq.replay_population_steps=128", "mfq.warmup_population_steps=32"]
TRAIN = [
    "train",
    "--local",
    "--env",
    "games/coordination",
    "--num-agents",
    "4",
    "--num-episodes",
    "16",
    "--set",
    *QUICK,
]


def test_a_seed_that_is_not_given_is_drawn_shown_and_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    stored = []
    for name in ("a", "b"):
        assert run_command([*TRAIN, "--name", name]) == 0
        shown = re.findall(r"seed (\d+)", capsys.readouterr().err)
        stored.append(words_of(tmp_path / "runs" / name / "run.json")["config"]["seed"])
        assert {int(seed) for seed in shown} == {stored[-1]}
    assert stored[0] != stored[1]
    # what was shown is enough to have the same run again
    assert run_command([*TRAIN, "--name", "again", "--seed", str(stored[0])]) == 0
    assert run_contents(tmp_path / "runs" / "again") == run_contents(tmp_path / "runs" / "a")


def test_an_evaluation_half_way_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    whole, run = tmp_path / "runs" / "whole", tmp_path / "runs" / "looked-at"
    given = [*TRAIN, "fragment_length=4", "checkpoint_every=2", "--seed", "3", "--quiet"]
    assert run_command([*given, "--name", "whole"]) == 0
    shutil.copytree(whole, run)
    (run / "evaluation.h5").touch()
    unfinish(run)
    assert run_contents(whole)[0] > 2  # type: ignore[index]
    assert run_command(["evaluate", str(run), "--episodes", "2"]) == 0
    assert (run / "evaluation.h5").exists()
    assert run_command(["train", "--local", "--quiet", "--resume", str(run)]) == 0
    assert run_contents(run) == run_contents(whole)


def contents_of(folders: list[Path]) -> dict[Path, bytes]:
    return {path: path.read_bytes() for folder in folders for path in folder.rglob("*") if path.is_file()}


def test_a_further_method_leaves_all_other_cells_as_they_are(tmp_path: Path) -> None:
    study, folder = small_study(tmp_path, SMALL.replace("[mf, is]", "[mf]")), tmp_path / "small"
    assert Driven(study, folder).failed == {}
    cells = [folder / cell.digest for cell in study.cells]
    before = contents_of(cells)
    assert len(before) > 2 * 5
    more = small_study(tmp_path)
    driven = Driven(more, folder)
    assert driven.failed == {}
    assert driven.begun == [cell.digest for cell in more.cells if cell.config.method == "is"]
    assert contents_of(cells) == before
