"""A run that is interrupted saves what it has; one that goes on says what is lost."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mfmarl.cli import run_command
from mfmarl.runs.checkpoint import latest_checkpoint
from mfmarl.runs.interrupt import ctrl_c
from mfmarl.runs.journal import JOURNAL, read_journal
from mfmarl.trainer import LocalTrainer
from tests.faults.kinds import GAME, run_contents

SMALL = ["mfq.hidden=[8]", "mfq.replay_population_steps=64", "mfq.warmup_population_steps=8", "num_envs=2",
         "fragment_length=4", "env_options.horizon=4", "checkpoint_every=50"]  # fmt: skip


def begin(name: str) -> list[str]:
    return ["train", "--local", "--name", name, *GAME, "--num-episodes", "24", "--set", *SMALL]


def interrupted_at(iteration: int, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Begin a run, and press Ctrl-C within an iteration."""
    iterate = LocalTrainer.iterate

    def pressing(trainer: LocalTrainer) -> dict[str, float]:
        if trainer.progress()["iteration"] == iteration - 1:
            signal.raise_signal(signal.SIGINT)
        return iterate(trainer)

    with monkeypatch.context() as patched:
        patched.setattr(LocalTrainer, "iterate", pressing)
        assert run_command(begin(name)) == 130


def test_ctrl_c_saves_and_it_goes_on_bit_for_bit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_command(begin("undisturbed")) == 0
    before = signal.getsignal(signal.SIGINT)
    interrupted_at(5, "x", monkeypatch)
    assert signal.getsignal(signal.SIGINT) is before
    assert "x: saved after 5 iterations; next: mfmarl train --resume runs/x\n" in capsys.readouterr().err
    assert latest_checkpoint(Path("runs/x")).iteration == len(read_journal(Path("runs/x"))) == 5
    assert run_command(["train", "--local", "--resume", "runs/x"]) == 0
    assert "note:" not in capsys.readouterr().err
    assert run_contents(Path("runs/x")) == run_contents(Path("runs/undisturbed"))


def test_in_the_last_iteration_it_is_too_late(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run ends as it would have."""
    monkeypatch.chdir(tmp_path)
    iterate = LocalTrainer.iterate

    def pressing(trainer: LocalTrainer) -> dict[str, float]:
        if trainer.progress()["iteration"] == 11:
            signal.raise_signal(signal.SIGINT)
        return iterate(trainer)

    monkeypatch.setattr(LocalTrainer, "iterate", pressing)
    assert run_command(begin("x")) == 0


def test_what_is_lost_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    interrupted_at(7, "x", monkeypatch)
    journal = Path("runs/x") / JOURNAL
    lines = journal.read_text().splitlines(keepends=True)
    journal.write_text("".join(lines[:2] + lines[3:5]))
    interrupted_at(3, "none", monkeypatch)
    (checkpoint,) = Path("runs/none/checkpoints").iterdir()
    for path in (*checkpoint.iterdir(), checkpoint):
        path.rmdir() if path.is_dir() else path.unlink()
    capsys.readouterr()
    assert run_command(["train", "--local", "--resume", "runs/x"]) == 0
    assert f"note: {journal} has lost its lines of 3 of 7 iterations\n" in capsys.readouterr().err
    assert run_command(["train", "--local", "--resume", "runs/none"]) == 0
    assert "note: runs/none has no checkpoint yet; it starts again\n" in capsys.readouterr().err
    assert len(read_journal(Path("runs/none"))) == 12


def test_who_ignores_it_goes_on_ignoring_it() -> None:
    """As a shell has it of what runs in the background."""
    code = (
        "import signal; from mfmarl.runs.interrupt import ctrl_c\n"
        "signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "with ctrl_c() as pressed:\n"
        "    signal.raise_signal(signal.SIGINT); assert not pressed()\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_pressed_again_it_is_at_once() -> None:
    with ctrl_c() as pressed:
        signal.raise_signal(signal.SIGINT)
        assert pressed()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
