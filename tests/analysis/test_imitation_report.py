"""The report on imitations, of folders whose numbers are made by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.imitations import imitations_in, load_imitations
from analysis.load import BadRun
from analysis.report.imitation.curves import curve_table
from analysis.report.imitation.page import write_imitations
from analysis.statistics import interval, paired_difference
from mfmarl.cli import run_command
from mfmarl.errors import DamagedFile, UserError
from mfmarl.runs.summed import summed
from tests.analysis.small_imitations import make_imitation

SEEDS = range(4)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("imitations")
    noise = np.random.default_rng(0).normal(scale=5.0, size=(4, 4))
    for s in SEEDS:
        make_imitation(folder, "bc", s, level=300 + noise[0, s])
        make_imitation(folder, "bc", s, episodes=50, level=460 + noise[1, s])
        make_imitation(folder, "dagger", s, level=480 + noise[2, s])
        make_imitation(folder, "gail", s, level=440 + noise[3, s])
        make_imitation(folder, "gail", s, level=350, expert="random")
    make_imitation(folder, "bc", 9, complete=False)
    return folder


@pytest.fixture(scope="module")
def page(folders: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    (found,) = write_imitations(imitations_in([folders]), tmp_path_factory.mktemp("report"))
    return found


def test_every_figure_has_its_csv(page: Path) -> None:
    text = page.read_text()
    assert text.count("<figure") == 5
    assert "1 imitation not complete, left out" in text
    assert "//" not in "".join(part.split('"')[0] for part in text.split('href="')[1:])
    for path in page.parent.glob("*.csv"):
        assert f'href="{path.name}"' in text, path.name
        assert len(pd.read_csv(path)), path.name
    for word in ("BC 10 episodes", "Survival probe", "Horizon leak", "Holm", "expert queries", "CPU time"):
        assert word in text


def test_intervals_and_tests_are_those_of_the_runs(folders: Path, page: Path) -> None:
    found, left_out = load_imitations(imitations_in([folders]))
    study = found["CartPole-v1"]
    assert [path.name[:7] for path in left_out] == ["bc-10-s"]
    assert study.methods == ["bc 10 episodes", "bc 50 episodes", "dagger", "gail"]
    assert len(study.probes) == 4
    scores = {method: study.scores("return_mode", method).to_numpy() for method in study.methods}
    row = pd.read_csv(page.parent / "metrics.csv").set_index(["metric", "policy"]).loc[("return_mode", "dagger")]
    wanted = interval(scores["dagger"])
    assert (row["estimate"], row["low"], row["high"]) == pytest.approx((wanted.estimate, wanted.low, wanted.high))
    tests = pd.read_csv(page.parent / "tests_mode.csv").set_index("method")
    p = {name: paired_difference(scores[name], scores["bc 10 episodes"]).p_value for name in study.methods[1:]}
    assert tests["p"].to_dict() == pytest.approx(p)
    assert tests["p_holm"].min() == pytest.approx(3 * min(p.values()))


def test_caveats_reach_the_top(page: Path) -> None:
    text = page.read_text()
    assert "GAIL shown random play comes more than half of the way to the expert" in text
    # its last round says .25
    assert "lengths of episodes alone tell the policy" not in text
    probe = pd.read_csv(page.parent / "probe.csv").set_index("metric")
    assert probe.loc["return_mode", "estimate"] == pytest.approx(350 + 1.5)


def test_curves_against_what_moves_and_what_stands_still(folders: Path) -> None:
    study = load_imitations(imitations_in([folders]))[0]["CartPole-v1"]
    mode = study.curves[study.curves["acting"] == "mode"]
    by_name = curve_table(mode.assign(method=mode["name"]), "demonstrations")
    cloned = by_name[by_name["method"] == "bc"]
    assert cloned["x"].to_list() == [5_000, 25_000]
    assert cloned["mean"].to_list() == pytest.approx(
        [study.scores("return_mode", f"bc {n} episodes").mean() for n in (10, 50)]
    )
    asked = curve_table(mode, "queries").set_index("method")
    assert asked.loc["gail", "x"] == 0
    assert asked.loc["dagger", "x"].max() == 5_000
    # two fifths of the way at two fifths of the queries, on a grid of sixty
    half = asked.loc["dagger"].set_index("x")["mean"]
    assert np.interp(2_000, half.index, half) == pytest.approx(0.4 * half.iloc[-1], rel=0.02)


def test_two_environments_have_a_page_each(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for env in ("CartPole-v1", "no/Such-v0"):
        for method in ("bc", "dagger"):
            make_imitation(tmp_path / "in", method, 0, env=env)
    assert run_command(["report", str(tmp_path / "in"), "--out", str(tmp_path / "out")]) == 0
    assert capfd.readouterr().out.split() == [
        str(tmp_path / "out" / name / "index.html") for name in ("", "CartPole-v1", "no-Such-v0")
    ]
    index = (tmp_path / "out" / "index.html").read_text()
    for name in ("CartPole-v1", "no-Such-v0"):
        assert f'href="{name}/index.html"' in index
    assert "no/Such-v0: DAgger returns most by its likeliest actions, 480 (expert 500)." in index
    table = pd.read_csv(tmp_path / "out" / "returns.csv").set_index(["env", "metric", "policy"])
    assert table.loc[("CartPole-v1", "return_sampled", "bc"), "estimate"] == 290
    text = (tmp_path / "out" / "no-Such-v0" / "index.html").read_text()
    assert 'href="../index.html"' in text
    assert "no interval:" not in text
    # what cannot be made here has no random play, and one seed no interval
    assert "random" not in text.split("What returns do not say")[0]
    assert "fewer than 3 seeds" in text


def test_intervals_end_where_returns_and_shares_do(tmp_path: Path) -> None:
    for seed, level in enumerate((498.0, 490.0, 470.0)):
        metrics = {"return_mode": level, "return_sampled": level, "success": 1 - seed / 10, "mmd": 0.01 * seed}
        told = {name: {"mean": x, "low": None, "high": None} for name, x in metrics.items()}
        for env in ("CartPole-v1", "no/Such-v0"):
            make_imitation(tmp_path / "in", "bc", seed, env=env, level=level, metrics=told)
    write_imitations(imitations_in([tmp_path / "in"]), tmp_path / "out")
    rows = {}
    for env in ("CartPole-v1", "no-Such-v0"):
        table = pd.read_csv(tmp_path / "out" / env / "metrics.csv").set_index("metric")
        rows[env] = table[["low", "high"]]
        assert rows[env].loc["success", "high"] == 1
        assert rows[env].loc["mmd", "low"] == 0
        curves = pd.read_csv(tmp_path / "out" / env / "learning_curves.csv")
        assert (curves["high"].max() > 500) == (env == "no-Such-v0")
    wanted = interval([498.0, 490.0, 470.0])
    assert wanted.high > 500
    assert rows["CartPole-v1"].loc["return_mode"].to_list() == pytest.approx([wanted.low, 500])
    assert rows["no-Such-v0"].loc["return_mode"].to_list() == pytest.approx([wanted.low, wanted.high])


def test_a_panel_for_each_count_that_varies(tmp_path: Path) -> None:
    for seed in SEEDS:
        make_imitation(tmp_path / "bc", "bc", seed)
        make_imitation(tmp_path / "both", "bc", seed)
        make_imitation(tmp_path / "both", "dagger", seed)
    for name in ("bc", "both"):
        (path,) = write_imitations(imitations_in([tmp_path / name]), tmp_path / "out" / name)
        section = path.read_text().split('<section id="learning"')[1].split("</section>")[0]
        assert section.count('class="legend"') == 1
        assert set(pd.read_csv(path.parent / "learning_curves.csv")["along"]) == (
            {"updates"} if name == "bc" else {"demonstrations", "interactions", "queries", "updates"}
        )


def test_what_is_equal_on_every_seed_is_said_so(tmp_path: Path) -> None:
    for seed in SEEDS:
        make_imitation(tmp_path, "bc", seed, level=300.0)
        make_imitation(tmp_path, "dagger", seed, level=300.0)
        make_imitation(tmp_path, "airl", seed, level=200.0)
    (path,) = write_imitations(imitations_in([tmp_path]), tmp_path / "out")
    answer = path.read_text().split('id="answer"')[1].split("</div>")[0]
    assert "By return of likeliest actions: DAgger returns just what BC does on all 4 seeds in common." in answer
    assert "AIRL differs from BC by -100 on all 4 seeds in common, without any spread that could be tested." in answer
    assert "can be told" not in answer


def test_runs_that_did_not_converge_are_told_of(tmp_path: Path) -> None:
    for seed, converged in enumerate((True, False, False)):
        make_imitation(tmp_path, "maxent_irl", seed, convergence={"converged": converged, "slope": 1.0})
    (path,) = write_imitations(imitations_in([tmp_path]), tmp_path / "out")
    assert "<p>MaxEnt IRL: 2 of 3 runs did not converge.</p>" in path.read_text()


def test_other_budgets_are_other_methods(tmp_path: Path) -> None:
    for updates in (300, 2000):
        make_imitation(tmp_path, "bc", 1, planned={"interactions": 0, "updates": updates})
    found = load_imitations(imitations_in([tmp_path]))[0]["CartPole-v1"]
    assert sorted(found.names) == ["bc updates=2000", "bc updates=300"]


def test_what_is_wrong_is_told(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    one, two = (make_imitation(tmp_path, "bc", 1) for _ in range(2))
    with pytest.raises(BadRun, match=f"{one} and {two} are both bc with seed 1"):
        load_imitations([one, two])
    with pytest.raises(UserError, match="--against gial: no run is of that method"):
        write_imitations([one], tmp_path / "out", "gial")
    unfinished = make_imitation(tmp_path / "x", "bc", 2, complete=False)
    with pytest.raises(UserError, match="no imitation of 1 is complete"):
        load_imitations([unfinished])
    (one / "evaluations.csv").write_text("acting,return\nmode,1\n")
    with pytest.raises(DamagedFile, match=r"evaluations.csv: no column 'demonstrations'"):
        load_imitations([one])
    (two / "imitation.json").write_bytes(summed({"schema": 1, "method": "bc"}))
    assert run_command(["report", str(two)]) == 2
    assert "imitation.json: env is missing" in capfd.readouterr().err
    (two / "imitation.json").unlink()
    assert run_command(["report", str(two)]) == 2
    assert "holds neither a run (run.json) nor an imitation (imitation.json)" in capfd.readouterr().err
