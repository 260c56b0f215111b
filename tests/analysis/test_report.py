"""The report from real run folders: two methods x three seeds of a short run, made once for all tests."""

from __future__ import annotations

import csv
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.figures.style import palette
from analysis.figures.weights import diagnosed, weights
from analysis.load import BadRun, load_study
from analysis.report import caveats, write_report
from analysis.report.comparison import Comparison
from analysis.report.drift import drift_section
from tests.analysis.small_runs import make_run
from tests.rewritten import rewrite


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("runs")
    return [make_run(folder, method, seed) for method in ("is", "mf") for seed in (1, 2, 3)]


@pytest.fixture(scope="module")
def page(runs: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report(runs, tmp_path_factory.mktemp("report"))


class Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name == "id" and value:
                self.ids.append(value)
            if name in ("src", "href", "xlink:href") and value:
                self.links.append(value)


def read(page: Path) -> Page:
    parser = Page()
    parser.feed(page.read_text())
    return parser


def test_page_is_self_contained_with_every_figure_and_its_csv(page: Path) -> None:
    parsed = read(page)
    text = page.read_text()
    assert text.count("<figure") == 8
    # a panel for each of three metrics or axes, for all agents and three types, and so on; the rest are legends
    assert parsed.tags.count("svg") - text.count('class="swatch"') == 4 + 3 + 1 + 3 + 3 + 4 + 2 + 1
    assert len(parsed.ids) == len(set(parsed.ids))
    assert {link for link in parsed.links if "//" in link} == set()
    files = {link for link in parsed.links if link.endswith(".csv")}
    assert files == {path.name for path in page.parent.glob("*.csv")}
    for name in files:
        rows = list(csv.reader((page.parent / name).open()))
        assert len(rows) > 1, name
    latex = {link for link in parsed.links if link.endswith(".tex")}
    assert latex == {f"tables/{path.name}" for path in (page.parent / "tables").iterdir()}
    for anchor in (link[1:] for link in parsed.links if link.startswith("#")):
        assert anchor in parsed.ids
    for word in ("base stock", "constant", "random", "paired t", "n = 3"):
        assert word in text


def test_numbers_are_those_of_the_evaluation(runs: list[Path], page: Path) -> None:
    from mfmarl.runs.store import read_evaluation

    rows = list(csv.DictReader((page.parent / "profit.csv").open()))
    row = next(r for r in rows if r["metric"] == "profit" and r["policy"] == "is" and r["type"] == "all agents")
    means = [read_evaluation(r / "evaluation.h5").policies["trained"].metrics["profit"].mean() for r in runs[:3]]
    assert float(row["estimate"]) == pytest.approx(sum(means) / 3, rel=1e-6)
    assert (row["n"], row["interval"]) == ("3", "t")


def test_diagnostics_are_those_of_the_journal_and_only_of_methods_with_weights(runs: list[Path], page: Path) -> None:
    study = load_study(runs)
    lines = study.journal[study.journal["method"] == "is"]
    table = pd.read_csv(page.parent / "weight_summary.csv").set_index(["method", "diagnostic"])
    assert set(table.index.get_level_values("method")) == {"is"}
    for name in ("ess", "k_hat", "weight_mean", "weight_max", "drift_tv", "temper"):
        row = table.loc[("is", name)]
        assert row["median"] == pytest.approx(lines[name].median())
        last = [one[name].dropna().iloc[-1] for _, one in lines.groupby("seed")]
        assert row["last"] == pytest.approx(np.mean(last))
    assert table.loc[("is", "temper"), "beyond"] == pytest.approx((lines["temper"].dropna() < 1).mean())
    every = pd.read_csv(page.parent / "weights.csv")
    assert set(every["method"]) == {"is"}
    assert len(every) == lines["ess"].notna().sum()
    files: dict[str, pd.DataFrame] = {}
    section = drift_section(Comparison(load_study(runs[3:]), "mf"), files)
    assert (len(section.figures), len(section.tables), list(files)) == (1, 0, ["drift.csv"])


def journal_of(**columns: list[float]) -> pd.DataFrame:
    told = {"ess": [1.0, 0.5, 0.2], "weight_mean": [1.0, 0.9, 0.8], "weight_max": [1.0, 4.0, 20.0]}
    told |= {"drift_tv": [0.1, 0.2, 0.3]} | columns
    return pd.DataFrame({"method": "is", "seed": 1, "iteration": [4, 5, 6]} | told)


def test_the_figure_of_weights_draws_what_there_is() -> None:
    plain = journal_of()
    assert diagnosed(plain) == ["ess", "weight_max", "drift_tv"]
    full = journal_of(k_hat=[np.nan, 0.4, 0.9], temper=[1.0, 1.0, 0.3])
    assert diagnosed(full) == ["ess", "k_hat", "weight_max", "drift_tv", "temper"]
    # an exponent of 1 throughout tempered nothing
    assert "temper" not in diagnosed(journal_of(temper=[1.0, 1.0, 1.0]))
    axes = weights(full, "#0072B2").axes
    assert [a.get_visible() for a in axes] == [True] * 5 + [False]
    assert [a.get_yscale() for a in axes[:5]] == ["linear", "linear", "log", "linear", "linear"]
    assert list(axes[0].lines[0].get_ydata()) == [1.0, 0.5, 0.2]
    assert 0.7 in [float(np.asarray(line.get_ydata())[0]) for line in axes[1].lines]


def test_colours_of_methods_differ() -> None:
    names = ["is", "mf", *(f"method {i}" for i in range(12)), "random"]
    found = palette(names)
    assert len({found[name] for name in names}) == len(names)


def test_one_method_or_two_seeds_say_why_there_is_no_comparison(runs: list[Path], tmp_path: Path) -> None:
    one = write_report(runs[:3], tmp_path / "one").read_text()
    assert "No paired comparison" in one
    few = write_report([*runs[:2], *runs[3:5]], tmp_path / "few").read_text()
    assert "Nothing is tested: no method has 3 seeds in common with MF." in few
    assert "<small>2 seeds</small>" in few


def test_estimators_are_groups_of_their_own(runs: list[Path], tmp_path: Path) -> None:
    marginal = make_run(tmp_path, "is", 1, importance={"estimator": "marginal"})
    clipped = make_run(tmp_path / "clipped", "is", 1, importance={"clip": 5.0})
    study = load_study([*runs, marginal])
    assert study.methods == ["is", "is marginal", "mf"]
    assert set(study.journal["method"]) == set(study.methods) <= set(study.agents["policy"])
    assert len(study.scores("profit", "is")) == 3
    assert len(study.scores("profit", "is marginal")) == 1
    assert load_study([runs[0], clipped, marginal]).methods == ["is", "is clip=5.0", "is marginal"]
    told = caveats([runs[0], clipped])
    assert "only 1 seed each of is and is clip=5.0 (3 seeds" in told


def test_a_second_report_leaves_nothing_of_the_first(runs: list[Path], tmp_path: Path) -> None:
    write_report(runs, tmp_path)
    (tmp_path / "mine.csv").write_text("not the report's")
    assert (tmp_path / "tests.csv").exists()
    write_report(runs[:3], tmp_path)
    assert not (tmp_path / "tests.csv").exists()
    assert (tmp_path / "mine.csv").exists()
    assert (tmp_path / "profit.csv").exists()


def test_names_are_escaped(runs: list[Path], tmp_path: Path) -> None:

    run = tmp_path / "evil"
    shutil.copytree(runs[0], run)
    rewrite(run / "run.json", {"name": "<script>alert(1)</script>"})
    text = write_report([run, runs[3]], tmp_path / "report").read_text()
    assert "<script>alert" not in text
    assert "&lt;script&gt;" in text


def test_what_cannot_be_compared_is_refused_by_name(runs: list[Path], tmp_path: Path) -> None:
    with pytest.raises(BadRun, match=r"2 runs of method is have seed 1"):
        load_study([runs[0], runs[0]])
    bare = tmp_path / "bare"
    shutil.copytree(runs[0], bare)
    (bare / "evaluation.h5").unlink()
    with pytest.raises(BadRun, match=rf"run `mfmarl evaluate {re.escape(str(bare))}` first"):
        load_study([bare])
    other = make_run(tmp_path, "is", 4, env="inventory/market-decoupled")
    with pytest.raises(BadRun, match="one report compares runs of one environment"):
        load_study([runs[0], other])
