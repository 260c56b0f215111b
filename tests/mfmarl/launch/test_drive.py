"""Doing a study: what is done is left alone, what is not is begun or gone on with, and failures are kept and told."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from mfmarl.cli import run_command
from mfmarl.launch.cell_state import State, notes_of, state_of
from mfmarl.launch.status import exit_code
from mfmarl.launch.study import Study
from mfmarl.launch.work import Job, do_cell, newest_whole
from mfmarl.runs.checkpoint import checkpoint_paths, latest_checkpoint
from mfmarl.runs.journal import read_journal
from mfmarl.runs.lock import hold
from mfmarl.runs.schema import COMPLETE, open_run
from mfmarl.runs.store import read_evaluation
from mfmarl.train import new_run
from tests.mfmarl.launch.conftest import SMALL, Driven, copied, small_study, unfinish


def states(study: Study, folder: Path) -> list[State]:
    return [state_of(folder, cell).state for cell in study.cells]


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Every file below, its bytes and when it was written."""
    files = [p for p in folder.rglob("*") if p.is_file()]
    return {str(p.relative_to(folder)): (p.read_bytes(), p.stat().st_mtime_ns) for p in files}


def test_every_cell_is_an_ordinary_run_that_was_trained_and_evaluated(finished: tuple[Study, Path]) -> None:
    study, folder = finished
    assert states(study, folder) == ["done"] * 4
    for cell in study.cells:
        info = open_run(folder / cell.digest)
        assert (info.config, info.config_hash, info.name) == (cell.config, cell.digest, cell.digest)
        played = read_evaluation(folder / cell.digest / "evaluation.h5")
        assert played.policies["trained"].metrics["return"].shape == (2, 4)
        assert read_journal(folder / cell.digest)[-1]["episodes"] >= 8
    assert {p.name for p in folder.iterdir()} == {cell.digest for cell in study.cells} | {".cells"}


def test_again_it_does_nothing_and_a_further_seed_is_all_it_does(finished: tuple[Study, Path], tmp_path: Path) -> None:
    study, folder = copied(finished, tmp_path)
    before = contents(folder)
    again = Driven(study, folder)
    assert (again.begun, again.failed) == ([], {})
    assert again.told == ["small: 4 of 4 cells are done, 0 to do or to go on with"]
    assert contents(folder) == before
    more = small_study(tmp_path, SMALL.replace("seed: [1, 2]", "seed: [1, 2, 3]"))
    driven = Driven(more, folder)
    new = [cell.digest for cell in more.cells if cell.config.seed == 3]
    assert driven.begun == new
    after = contents(folder)
    # byte for byte, not even written anew
    assert {name: after[name] for name in before} == before
    assert {name.split("/")[0] for name in after if name not in before} - {".cells"} == set(new)


def test_what_was_interrupted_goes_on_to_the_same_end(finished: tuple[Study, Path], tmp_path: Path) -> None:
    study, folder = copied(finished, tmp_path)
    first, second, third, _ = (folder / cell.digest for cell in study.cells)
    unfinish(first)
    # trained, but not evaluated
    (second / "evaluation.h5").unlink()
    # killed before its first checkpoint, with a file half built
    unfinish(third)
    shutil.rmtree(third / "checkpoints")
    (third / ".evaluation.h5.99.tmp").write_bytes(b"half")
    (folder / f".{third.name}.99.tmp").mkdir()
    assert states(study, folder) == ["resumable", "resumable", "resumable", "done"]
    driven = Driven(study, folder)
    assert driven.begun == [first.name, second.name, third.name]
    assert states(study, folder) == ["done"] * 4
    for cell in study.cells:
        mine, theirs = latest_checkpoint(folder / cell.digest), latest_checkpoint(finished[1] / cell.digest)
        assert mine.iteration == theirs.iteration
        for file, arrays in theirs.tensors.items():
            assert all(mine.tensors[file][name].tobytes() == a.tobytes() for name, a in arrays.items())
        iterations = [line["iteration"] for line in read_journal(folder / cell.digest)]
        assert iterations == list(range(1, mine.iteration + 1))
    assert not list(folder.rglob("*.tmp"))


def test_a_damaged_checkpoint_costs_only_its_iterations(finished: tuple[Study, Path], tmp_path: Path) -> None:
    study, folder = copied(finished, tmp_path)
    run = folder / study.cells[0].digest
    (run / COMPLETE).unlink()
    older, newest = checkpoint_paths(run)
    assert newest_whole(run) == run
    path = newest / "replay.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    assert newest_whole(run) == older
    Driven(study, folder)
    assert state_of(folder, study.cells[0]).state == "done"
    assert latest_checkpoint(run).iteration == int(newest.name.split("_")[1])


def test_a_failing_cell_is_told_and_kept_and_the_others_are_done(small: Study, tmp_path: Path) -> None:
    folder = tmp_path / "small"
    bad, flaky = small.cells[0], small.cells[1]
    # bad input, which no further attempt mends
    (folder / bad.digest).mkdir(parents=True)
    (folder / bad.digest / "note.txt").write_text("not a run")
    # a disk that does not take a checkpoint: tried again
    new_run(flaky.config, folder, flaky.digest)
    (folder / flaky.digest / "checkpoints").write_text("a file stands here")
    driven = Driven(small, folder)
    assert driven.begun == [*(cell.digest for cell in small.cells), flaky.digest]
    assert set(driven.failed) == {bad.digest, flaky.digest}
    assert f"{bad.digest} exists already" in driven.failed[bad.digest]
    assert states(small, folder) == ["failed", "failed", "done", "done"]
    told = [line for line in driven.told if "failed (" in line]
    assert ", will be tried again: " in told[1]
    assert told[1].startswith(f"{flaky.digest} failed (seed 1, method is)")
    assert ", will be tried again: " not in told[0] + told[2]
    shown = [state_of(folder, cell) for cell in small.cells]
    assert shown[0].detail == driven.failed[bad.digest]
    assert exit_code(shown) == 3
    # mended, the same call does what is left, and forgets the errors
    shutil.rmtree(folder / bad.digest)
    (folder / flaky.digest / "checkpoints").unlink()
    driven = Driven(small, folder)
    assert (driven.begun, driven.failed) == ([bad.digest, flaky.digest], {})
    assert states(small, folder) == ["done"] * 4


def test_a_cell_that_another_process_works_on_is_left_to_it(small: Study, tmp_path: Path) -> None:
    folder, cell = tmp_path / "small", small.cells[0]
    job = Job(str(folder), cell.digest, cell.config.model_dump(mode="json"), 2)
    notes = notes_of(folder, cell.digest)
    notes.mkdir(parents=True)
    with hold(notes):
        assert state_of(folder, cell).state == "running"
        assert f"process {os.getpid()}" in state_of(folder, cell).detail
        assert do_cell(job).kind == "busy"
        assert not (folder / cell.digest).exists()
    run = new_run(cell.config, folder, cell.digest)
    with hold(run):
        # as by a `mfmarl train --resume` of the user's own
        outcome = do_cell(job)
        assert outcome.kind == "busy"
        assert f"{run} is in use: process {os.getpid()}" in outcome.error
        assert state_of(folder, cell).state == "running"
    assert do_cell(job).kind == "done"


def test_a_folder_that_holds_another_run_is_refused(small: Study, tmp_path: Path) -> None:
    folder, (first, second, *_) = tmp_path / "small", small.cells
    new_run(second.config, folder, first.digest)
    outcome = do_cell(Job(str(folder), first.digest, first.config.model_dump(mode="json"), 2))
    assert (outcome.kind, outcome.again) == ("failed", False)
    assert f"is a run of configuration {second.digest}; move it elsewhere" in outcome.error
    other = do_cell(Job(str(folder), first.digest, second.config.model_dump(mode="json"), 2))
    assert "is another version of mfmarl installed?" in other.error
    shown = state_of(folder, first)
    assert shown.state == "failed"
    (folder / first.digest / "run.json").write_text("{")
    assert "run.json is damaged" in state_of(folder, first).detail


def test_status_says_how_far_it_is_by_its_exit_code(
    finished: tuple[Study, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study, folder = copied(finished, tmp_path)
    path = tmp_path / "small.yaml"
    path.write_text(SMALL)
    command = ["study", "status", str(path), "--runs-dir", str(tmp_path)]
    assert run_command(command) == 0
    assert capsys.readouterr().out == "small: 4 cells: 4 done\n"
    run = folder / study.cells[1].digest
    unfinish(run)
    shutil.rmtree(folder / study.cells[2].digest)
    assert run_command(command) == 1
    out = capsys.readouterr().out
    assert out.startswith("small: 4 cells: 2 done, 1 resumable, 1 to do\n")
    (line,) = (line for line in out.splitlines() if line.startswith(run.name))
    assert line.split()[1:4] == ["1", "is", str(read_journal(run)[-1]["iteration"])]
    assert run_command([*command, "--cells"]) == 1
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()[2:]] == [c.digest for c in study.cells]
    (folder / study.cells[2].digest).mkdir()
    (folder / study.cells[2].digest / "x").touch()
    Driven(study, folder)
    assert run_command(command) == 3
    assert "exists already" in capsys.readouterr().out
