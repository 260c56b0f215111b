"""What `evaluate` and `report` say on the terminal, over a short run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.report import caveats
from mfmarl.cli import run_command
from mfmarl.config import TrainConfig
from mfmarl.evaluate import return_table
from mfmarl.runs.schema import create_run
from mfmarl.runs.store import read_evaluation


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    small = ["--set", "num_envs=2", "env_options.horizon=4", "fragment_length=4", "mfq.hidden=[8]"]
    flags = ["--local", "--quiet", "--num-agents", "5", "--num-episodes", "2", "--seed", "1", "--name", "one"]
    assert run_command(["train", *flags, "--runs-dir", str(folder), *small]) == 0
    return folder / "one"


def test_evaluate_shows_returns_by_type_and_what_is_next(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ledger = tmp_path / "play.parquet"
    assert run_command(["evaluate", str(run), "--episodes", "3", "--ledger", str(ledger)]) == 0
    out, err = capsys.readouterr()
    # scripts read the path alone
    assert out == f"{run / 'evaluation.h5'}\n"
    lines = err.splitlines()
    assert lines[0].split() == ["mean", "return,", "$", "convenience", "supermarket", "discounter", "all"]
    assert [line.split()[0] for line in lines[1:5]] == ["trained", "base_stock", "constant", "random"]
    assert lines[5] == f"next: mfmarl report {run} [RUN ...] --out report"
    assert "\n".join(lines[:5]) == return_table(run / "evaluation.h5")

    evaluation = read_evaluation(run / "evaluation.h5")
    by_agent = evaluation.policies["trained"].metrics["return"].mean(0)
    shown = [float(x.replace(",", "")) for x in lines[1].split()[1:]]
    assert shown == pytest.approx([by_agent[:2].mean(), by_agent[2:4].mean(), by_agent[4], by_agent.mean()], abs=0.051)

    frame = pd.read_parquet(ledger)
    assert len(frame) == 3 * 4 * 5
    worth = frame["reward"].astype(float) * evaluation.discount ** (frame["period"] - 1)
    of_agents = worth.groupby(frame["agent"], observed=True).sum() / 3
    np.testing.assert_allclose(of_agents[evaluation.agent_names], by_agent, rtol=1e-6)


def test_report_says_on_the_terminal_what_it_cannot_say(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if not (run / "evaluation.h5").exists():
        assert run_command(["evaluate", str(run), "--episodes", "1"]) == 0
    capsys.readouterr()
    assert run_command(["report", str(run), "--out", str(tmp_path / "r")]) == 0
    out, err = capsys.readouterr()
    assert out == f"{tmp_path / 'r' / 'index.html'}\n"
    assert err == (
        "mfmarl: the report has no intervals and no tests, as there is only 1 seed of is "
        "(3 seeds of each method give them); and no comparison, as all runs are of method is\n"
    )


def test_caveats_count_the_seeds_of_each_method(tmp_path: Path) -> None:
    def made(method: str, seed: int) -> Path:
        return create_run(
            TrainConfig.model_validate({"seed": seed, "method": method}), tmp_path, name=f"{method}-{seed}",
            agent_types=[0, 0], type_names=["a"], agent_names=["x", "y"], device="cpu",
        )  # fmt: skip

    three = [made(method, seed) for method in ("is", "mf") for seed in (1, 2, 3)]
    assert caveats(three) == ""
    assert caveats(three[:5]) == (
        "the report has no intervals and no tests, as there are only 2 seeds of mf (3 seeds of each method give them)"
    )
    assert caveats(three[:3]) == "the report has no comparison, as all runs are of method is"


def test_games_without_goods_are_held_against_random_and_constant_actions(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--local", "--quiet", "--num-agents", "4", "--num-episodes", "2", "--seed", "1", "--name", "one"]
    game = ["--env", "games/prisoners-dilemma", "--runs-dir", str(tmp_path)]
    small = ["--set", "num_envs=2", "env_options.horizon=4", "fragment_length=4", "mfq.hidden=[8]"]
    assert run_command(["train", *game, *flags, *small, "mfq.discount=0.5"]) == 0
    run = tmp_path / "one"
    assert run_command(["evaluate", str(run), "--episodes", "3"]) == 0
    evaluation = read_evaluation(run / "evaluation.h5")
    assert set(evaluation.policies) == {"trained", "random", "constant"}
    assert evaluation.periods == 4
    for table in evaluation.policies.values():
        assert set(table.metrics) == {"return", "profit"}
    # if all do the same, cooperating earns most: 3 a period, 3 (1 + 1/2 + 1/4 + 1/8) discounted
    constant = evaluation.policies["constant"].metrics
    np.testing.assert_array_equal(constant["profit"], np.full((3, 4), 3.0))
    np.testing.assert_array_equal(constant["return"], np.full((3, 4), 5.625))
    assert evaluation.policies["random"].metrics["return"].std() > 0
    capsys.readouterr()
    assert run_command(["evaluate", str(run), "--ledger", str(tmp_path / "play.csv")]) == 2
    assert "games/prisoners-dilemma has no goods to keep a ledger of" in capsys.readouterr().err
