"""`mfmarl imitate magail-coordination`: files that agree, studies that go on, and one line for each mistake."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt

from analysis import magail_coordination
from analysis.figures import windows
from analysis.magail_coordination import figures_of, results_of, study_into
from analysis.magail_results import FIGURES, files_of, of_beta, read, spread
from mfmarl.cli import run_command
from mfmarl.errors import UserError
from mfmarl.imitation.magail import many_runs
from mfmarl.imitation.magail.coordination import study
from mfmarl.imitation.magail.coordination_settings import CoordinationSettings
from mfmarl.runs.sealed import read_sealed
from mfmarl.runs.summed import summed
from tests.rewritten import words_of

ROOT = Path(__file__).parents[2]
SMALL = ["--betas", "0", ".5", "--seeds", "1", "2", "3", "--epochs", "12", "--eval_episodes", "40"]


def command(*more: str) -> int:
    return run_command(["imitate", "magail-coordination", *SMALL, *more])


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study that was saved with all there is."""
    out = tmp_path_factory.mktemp("study")
    assert command("--outdir", str(out), "--tag", "small", "--save", "--no_show") == 0
    return out / "small"


def contents(folder: Path) -> dict[str, Any]:
    """All that a study left, but for its CPU seconds and its lock."""
    found: dict[str, Any] = {
        path.name: path.read_bytes() for path in folder.iterdir() if path.name not in ("lock", "results.json")
    }
    results = words_of(folder / "results.json")
    del results["cpu_seconds"]
    return found | {"results.json": results}


def test_files_agree(done: Path) -> None:
    assert {path.name for path in done.iterdir()} == {path.name for path in files_of(done, save=True)} | {"lock"}
    assert len(files_of(done, save=True)) == 4 + 2 * len(FIGURES)
    results = read(words_of(done / "results.json"), done)
    assert results.settings.seeds == (1, 2, 3)
    runs, history = pd.read_csv(done / "runs.csv"), pd.read_csv(done / "history.csv")
    assert len(runs) == len(results.runs) == 6
    assert len(history) == 2 * 6
    for row, one in zip(runs.to_dict("records"), results.runs, strict=True):
        assert row == vars(one)
    last = history[history["epoch"] == 12]
    for name in ("p_a_1", "p_a_2", "AA", "AB", "BA", "BB", "coordination_rate", "js_distance"):
        np.testing.assert_allclose(last[name], runs[name], rtol=0, atol=1e-12)
    np.testing.assert_allclose(history[["AA", "AB", "BA", "BB"]].sum(axis=1), 1)
    np.testing.assert_allclose(history["p_a_1"], history["AA"] + history["AB"])
    assert history["rollouts"].unique().tolist() == [2000, 2400]
    assert history["expert_samples"].unique().tolist() == [640, 768]
    assert results.betas == (of_beta(0.0, results.runs[:3]), of_beta(0.5, results.runs[3:]))
    for row in results.betas:
        mine = runs[runs["beta"] == row.beta]
        assert row.coordination_rate.mean == pytest.approx(mine["coordination_rate"].mean())
        assert row.js_distance.sd == pytest.approx(mine["js_distance"].std())
        assert sum(row.classes.values()) == row.seeds == 3
    words, arrays = read_sealed(done / "tables.safetensors", "study", 1, 1 << 20)
    assert words["settings"]["epochs"] == 12
    # records, runs, the state, actions
    assert arrays["policies.0"].shape == (2, 6, 1, 2)
    np.testing.assert_allclose(arrays["policies.1"][-1, :, 0, 0], runs["p_a_2"])
    assert results.theory.lowest_logit == arrays["logits.0"].min()


def test_a_study_that_is_done_is_shown_and_not_made_again(
    done: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {path.name: path.stat().st_mtime_ns for path in done.iterdir() if path.name != "lock"}

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("it was trained again")

    monkeypatch.setattr(magail_coordination, "study", refuse)
    assert command("--outdir", str(done), "--save") == 0
    told = capsys.readouterr()
    assert "done before" in told.err
    assert "AA/BB/symmetric" in told.out
    assert {path.name: path.stat().st_mtime_ns for path in done.iterdir() if path.name != "lock"} == before


def test_what_is_missing_is_made_again(done: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    shutil.copytree(done, again)
    for name in ("tables.safetensors", "joint.svg", "runs.csv"):
        (again / name).unlink()
    assert command("--outdir", str(again), "--save") == 0
    assert contents(again) == contents(done)


def test_a_killed_study_goes_on_by_the_same_command(
    done: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def kill(settings: CoordinationSettings, **given: Any) -> Any:
        def told(text: str) -> None:
            if text.startswith("epoch 7 "):
                raise KeyboardInterrupt

        return study(settings, **given | {"told": told})

    monkeypatch.setattr(many_runs, "KEPT_EVERY_S", 0.0)
    with monkeypatch.context() as patch:
        patch.setattr(magail_coordination, "study", kill)
        assert command("--outdir", str(tmp_path)) == 130
    assert {path.name for path in tmp_path.iterdir()} == {"results.json", "training.safetensors", "lock"}
    begun = words_of(tmp_path / "results.json")
    assert begun["complete"] is False
    assert "with betas [0.0, 0.5], not [1.0]" in refused(capsys, "--outdir", str(tmp_path), "--betas", "1")
    assert command("--outdir", str(tmp_path)) == 0
    assert "where it was begun" in capsys.readouterr().err
    whole = contents(done)
    assert contents(tmp_path) == {path.name: whole[path.name] for path in files_of(tmp_path, save=False)}


def refused(capsys: pytest.CaptureFixture[str], *more: str) -> str:
    """What is told in one line."""
    capsys.readouterr()
    assert command(*more) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1, told
    return told


def test_another_study_and_other_files_are_left_alone(done: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = refused(capsys, "--outdir", str(done.parent), "--tag", "small", "--epochs", "13")
    assert "with epochs 12, not 13; choose another folder by --outdir or --tag" in told
    other = done.parent / "other"
    shutil.copytree(done, other)
    results = words_of(other / "results.json")
    for change, words in (
        ({"study": "magail-zero-sum"}, "holds a study magail-zero-sum"),
        ({"theory": {}}, "is damaged: theory.independent_limit: Field required"),
        ({"schema": 2}, "is no results of a study of schema 1; move it away"),
    ):
        (other / "results.json").write_bytes(summed(results | change))
        assert words in refused(capsys, "--outdir", str(other))
    (other / "results.json").write_bytes(summed(results)[:-9])
    assert "is damaged" in refused(capsys, "--outdir", str(other))
    assert "is a file; want a folder" in refused(capsys, "--outdir", str(other / "results.json"))


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--expert_type", "bimodl"], "--expert-type: got \"bimodl\"; want 'mixed', 'bimodal'"),
        (["--expert_type", "bimodl"], "did you mean 'bimodal'?"),
        (["--betas", "0", "x"], "--betas: got 'x'; want a number"),
        (["--betas", "0", "1", "0"], "--betas: got"),
        (["--betas", "0", "1", "0"], "0 stands twice"),
        (["--betas", "2000"], "want at most 1000"),
        (["--seeds", "1", "1"], "1 stands twice"),
        (["--seeds", "1.5"], "--seeds: got '1.5'; want a whole number of at least 0"),
        (["--epochs", "0"], "--epochs: got '0'; want a whole number of at least 1"),
        (["--epochs", "9999999"], "--epochs: got 9999999; want at most 1000000"),
        (["--rollout_episodes", "-3"], "--rollout"),
        (["--eval_episodes", "many"], "--eval-episodes: got 'many'"),
        (["--lr_policy", "0"], "--lr-policy: got 0.0; want more than 0"),
        (["--lr_disc", "11"], "--lr-disc: got 11.0; want at most 10"),
        (["--reward_style", "wgan"], "--reward-style: got \"wgan\"; want 'non_saturating'"),
        (["--batch_size", "0"], "--batch-size: got '0'"),
        (["--collect_every", "0"], "--collect-every: got '0'"),
        (
            ["--epochs", "1000000", "--collect_every", "1"],
            "6 runs of 1,000,000 records make",
        ),
        (["--tag", "../up"], "--tag: got '../up'; want a name"),
        (["--tag", ""], "--tag: got ''; want a name"),
        (["--show", "--no_show"], "--show opens windows, --no-show does not; leave one out"),
        (["--show"], "--show: there is no screen"),
        (["--beta", "0"], "did you mean '--betas'"),
    ],
)
def test_one_line_for_each_mistake(
    flags: list[str],
    words: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    assert words in refused(capsys, "--outdir", str(tmp_path / "out"), *flags)
    assert not (tmp_path / "out").exists()


def test_a_mistake_is_told_before_torch_comes(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom mfmarl.cli import run_command\n"
        "code = run_command(['imitate', 'magail-coordination', '--betas', '-1e0', '--outdir', sys.argv[1]])\n"
        "print(code, 'torch' in sys.modules, 'matplotlib' in sys.modules)"
    )
    environment = {key: value for key, value in os.environ.items() if key != "DISPLAY"} | {"PYTHONPATH": str(ROOT)}
    told = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "x")], capture_output=True, text=True, env=environment, check=True
    )
    assert told.stdout.split() == ["2", "False", "False"], told.stderr


@pytest.mark.parametrize(
    "given",
    [
        {"betas": (1000.0,), "seeds": (1,), "epochs": 1, "reward_style": "gail", "expert_type": "mixed"},
        {"betas": (0.0, 3.0), "seeds": tuple(range(16)), "expert_type": "all_AA", "policy_init_uniform": True},
    ],
)
@pytest.mark.filterwarnings("error")
def test_figures_of_few_and_many_runs(given: dict[str, Any], tmp_path: Path) -> None:
    settings = CoordinationSettings.model_validate({"epochs": 3, "collect_every": 1, "eval_episodes": 5, **given})
    results = study_into(tmp_path, settings)
    for name in FIGURES:
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    assert len(results.runs) == len(settings.betas) * len(settings.seeds)


def test_what_the_figures_show() -> None:
    found = study(CoordinationSettings(epochs=2, eval_episodes=1, betas=tuple(map(float, range(8))), seeds=(1, 2)))
    results = results_of(found)
    figures = figures_of(found, results)
    assert tuple(figures) == FIGURES
    for figure in figures.values():
        # what bounds the logit stands under each
        told = " ".join(figure.get_supxlabel().split())
        assert "logits not bounded (lowest met -0.02) after 2 Adam steps of 0.01" in told
    distance, rate = figures["distance"].axes
    assert distance.lines[0].get_ydata()[0] == pytest.approx(0.5579230, abs=1e-7)
    drawn = np.concatenate([line.get_ydata() for line in rate.lines[1:]])
    assert sorted(drawn) == sorted(one.coordination_rate for one in found.outcomes)
    assert sum(bar.get_height() for bar in figures["classes"].axes[0].patches) == 16
    assert sum(axis.get_visible() for axis in figures["training"].axes) == 8
    assert sum(len(axis.lines) for axis in figures["training"].axes) == 2 * 16


def test_windows(done: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("DISPLAY", ":99")
    with mpl.rc_context({"backend": "agg"}):
        told = refused(capsys, "--outdir", str(done), "--save", "--show")
    assert "--show: matplotlib's backend agg opens no windows" in told
    shown: list[str] = []
    monkeypatch.setattr(windows, "check_screen", lambda: None)
    monkeypatch.setattr(plt, "show", lambda: shown.extend(plt.get_figlabels()))
    assert command("--outdir", str(done), "--save", "--show") == 0
    plt.close("all")
    assert tuple(shown) == FIGURES


def test_spread_over_seeds() -> None:
    one = spread([0.4], 1.0)
    assert (one.mean, one.sd, one.low, one.method) == (0.4, None, None, None)
    three = spread([0.9, 1.0, 0.95], 1.0)
    # t of two degrees of freedom, cut at what a rate can be
    assert three.low == pytest.approx(0.95 - 4.3026527 * 0.05 / 3**0.5)
    assert (three.high, three.sd, three.method) == (1.0, pytest.approx(0.05), "t")


def test_a_folder_in_use_is_refused(tmp_path: Path) -> None:
    from mfmarl.runs.lock import hold

    with hold(tmp_path), pytest.raises(UserError, match="is in use"):
        study_into(tmp_path, CoordinationSettings(epochs=1))
