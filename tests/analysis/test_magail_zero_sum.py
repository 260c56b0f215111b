"""`mfmarl imitate magail-zero-sum`: files agree, a killed study goes on, one line for each mistake."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load_file

from analysis.magail_zero_sum import study_into
from analysis.magail_zero_sum_table import files_of
from mfmarl.cli import run_command
from mfmarl.imitation.magail import many_runs
from mfmarl.imitation.magail.study_folder import CHECKPOINT
from mfmarl.imitation.magail.zero_sum_settings import ZeroSumSettings
from tests.rewritten import words_of

SMALL = ["--epochs", "20", "--rollout_episodes", "10", "--batch_size", "16", "--seeds", "1", "2", "3"]


def command(folder: Path, *more: str) -> int:
    return run_command(["imitate", "magail-zero-sum", "--outdir", str(folder), *more])


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("zero-sum")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("DISPLAY", raising=False)
        assert command(folder, "--tag", "a", "--save", *SMALL) == 0
    return folder / "a"


def test_files_agree(done: Path) -> None:
    assert {path.name for path in files_of(done, True)} == {path.name for path in done.iterdir()} - {"lock"}
    words = words_of(done / "results.json")
    assert words["complete"] is True
    assert words["settings"]["seeds"] == [1, 2, 3]
    curves, history = (pd.read_csv(done / f"{name}.csv") for name in ("curves", "history"))
    # two records of MAGAIL; ten sizes of three clones
    assert len(curves) == 2 * 3 + 3 * 10 * 3
    assert curves[curves["method"] == "MAGAIL"]["samples"].tolist() == [160] * 3 + [320] * 3
    assert history["epoch"].tolist() == [10] * 3 + [20] * 3
    last = words["magail"]
    np.testing.assert_allclose(history["exploitability"][3:], [run["exploitability"] for run in last])
    mean = next(row for row in words["means"] if row["method"] == "MAGAIL")
    assert mean["exploitability"]["mean"] == pytest.approx(history["exploitability"][3:].mean())
    assert mean["exploitability"]["low"] < mean["exploitability"]["mean"] < mean["exploitability"]["high"]
    gaps = curves[["gap_1", "gap_2"]]
    np.testing.assert_allclose(curves["exploitability"], gaps.max(axis=1), atol=1e-12)
    np.testing.assert_allclose(curves["nash_conv"], gaps.sum(axis=1), atol=1e-12)
    np.testing.assert_allclose(history["nash_conv"], 8.1 * (
        (history["s1_p0"] - history["s1_p1"]).abs() + (history["s1_q0"] - history["s1_q1"]).abs()
    ))  # fmt: skip
    expert, *_ = words["identifiability"]
    assert expert["greatest_exploitability"] == pytest.approx(8.1)
    assert expert["least_exploitability"] == pytest.approx(0)
    arrays = load_file(done / "tables.safetensors")
    np.testing.assert_allclose(arrays["policies.0"][-1, :, 1, 0], history["s1_p0"][3:])
    for name in ("exploitability", "choices_s1", "occupancy"):
        assert (done / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        assert "<svg" in (done / f"{name}.svg").read_text()


def test_a_finished_study_is_shown_and_not_done_again(
    done: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("analysis.magail_zero_sum.study_into", None)
    assert command(done.parent, "--tag", "a", "--save", *SMALL) == 0
    said = capsys.readouterr()
    assert "done before" in said.err
    assert "0 to 8.1" in said.out
    assert command(done.parent, "--tag", "a", *SMALL, "--beta", "1") == 2
    assert "holds this study with beta 0.0, not 1.0; choose another folder" in capsys.readouterr().err


@pytest.mark.parametrize("where", ["training", "figures"])
def test_a_killed_study_goes_on_to_the_same_files(
    where: str, done: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # as SVG too in one case: drawing takes longer than training
    save = where == "training"
    settings = ZeroSumSettings(epochs=20, rollout_episodes=10, batch_size=16, seeds=(1, 2, 3))

    def killing(text: str) -> None:
        if text.startswith("epoch 13 "):
            raise KeyboardInterrupt

    def undrawn(found: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(many_runs, "KEPT_EVERY_S", 0.0)
        if where == "figures":
            patch.setattr("analysis.magail_zero_sum.figures_of", undrawn)
        told = killing if where == "training" else None
        with pytest.raises(KeyboardInterrupt):
            study_into(tmp_path, settings, save=save, told=told)
    assert (tmp_path / CHECKPOINT).exists()
    assert words_of(tmp_path / "results.json")["complete"] is False
    lines: list[str] = []
    study_into(tmp_path, settings, save=save, told=lines.append)
    assert lines[:1] == (["epoch 13 of 20"] if where == "training" else [])
    assert not (tmp_path / CHECKPOINT).exists()
    for path in files_of(done, save):
        if path.name != "results.json":
            assert path.read_bytes() == (tmp_path / path.name).read_bytes(), path.name


def test_one_seed_and_one_record(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    few = ["--epochs", "3", "--rollout_episodes", "2", "--seeds", "7", "--expert_total", "1", "--expert_action", "0"]
    assert command(tmp_path, *few, "--no_show", "--discriminator", "decentralised", "--policy_init_uniform") == 0
    said = capsys.readouterr().out
    assert "16.200" in said
    assert "which the occupancy never visits" in said
    words = words_of(tmp_path / "results.json")
    assert words["means"][0]["exploitability"]["low"] is None


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--expert_action", "3"], "--expert-action: got 3; want at most 2"),
        (["--expert_total", "0"], "--expert-total: got 0"),
        (["--seeds", "1", "1"], "--seeds: got [1, 1]; want each once"),
        (["--bc_seeds", "x"], "--bc-seeds: got 'x'"),
        (["--epochs", "0"], "--epochs: got 0"),
        (["--gamma", "1"], "--gamma: got 1.0"),
        (["--gamma", "0"], "--gamma: got 0.0"),
        (["--gamma", ".999", "--rollout_episodes", "100000"], "--gamma: got 0.999; want at most 50,000,000 steps"),
        (["--beta", "-1"], "--beta: got -1.0"),
        (["--beta", "nan"], "--beta: got 'nan'"),
        (["--lr_policy", "0"], "--lr-policy: got 0.0"),
        (["--reward_style", "wgan"], '--reward-style: got "wgan"'),
        (["--discriminator", "sinle"], '--discriminator: got "sinle"'),
        (["--tag", "../x"], "--tag: got '../x'"),
        (["--show", "--no_show"], "leave one out"),
        (["--epoch", "1"], "unknown option"),
    ],
)
def test_mistakes_are_told_in_one_line(
    flags: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(tmp_path / "out", *flags) == 2
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_no_screen_is_told_before_training(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    assert command(tmp_path / "out", "--show") == 2
    assert "there is no screen" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
