"""The report from real run folders: two methods x three seeds of a short run, made once for all tests."""

from __future__ import annotations

import csv
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest

from analysis.load import BadRun, load_study
from analysis.report import write_report
from mfmarl.config import TrainConfig
from mfmarl.evaluate import evaluate
from mfmarl.train import train


def make_run(folder: Path, method: str, seed: int, **changes: object) -> Path:
    small = {
        "num_agents": 9,
        "num_envs": 4,
        "num_episodes": 12,
        "seed": seed,
        "method": method,
        "mfq": {"warmup_population_steps": 52, "hidden": [8]},
    }
    config = TrainConfig.model_validate(small | changes)
    run = train(config, folder, name=f"{method}-{seed}", backend="local")
    evaluate(run, episodes=3)
    return run


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("runs")
    return [make_run(folder, method, seed) for method in ("is", "mf") for seed in (1, 2, 3)]


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


def test_page_is_self_contained_with_every_figure_and_its_csv(runs: list[Path], tmp_path: Path) -> None:
    page = write_report(runs, tmp_path / "report")
    parsed = read(page)
    assert parsed.tags.count("svg") == 5
    assert len(parsed.ids) == len(set(parsed.ids))
    assert {link for link in parsed.links if "//" in link} == set()
    files = {link for link in parsed.links if link.endswith(".csv")}
    assert files == {path.name for path in page.parent.glob("*.csv")}
    for name in files:
        rows = list(csv.reader((page.parent / name).open()))
        assert len(rows) > 1, name
    for anchor in (link[1:] for link in parsed.links if link.startswith("#")):
        assert anchor in parsed.ids
    text = page.read_text()
    for word in ("base stock", "constant", "random", "paired t", "n = 3"):
        assert word in text


def test_numbers_are_those_of_the_evaluation(runs: list[Path], tmp_path: Path) -> None:
    from mfmarl.runs.store import read_evaluation

    page = write_report(runs, tmp_path / "report")
    rows = list(csv.DictReader((page.parent / "profit.csv").open()))
    row = next(r for r in rows if r["metric"] == "profit" and r["policy"] == "is" and r["type"] == "all agents")
    means = [read_evaluation(r / "evaluation.h5").policies["trained"].metrics["profit"].mean() for r in runs[:3]]
    assert float(row["estimate"]) == pytest.approx(sum(means) / 3, rel=1e-6)
    assert (row["n"], row["interval"]) == ("3", "t")


def test_one_method_or_two_seeds_say_why_there_is_no_comparison(runs: list[Path], tmp_path: Path) -> None:
    one = write_report(runs[:3], tmp_path / "one").read_text()
    assert "No paired comparison" in one
    few = write_report([*runs[:2], *runs[3:5]], tmp_path / "few").read_text()
    assert "no interval: 2 of at least 3 seeds" in few


def test_names_are_escaped(runs: list[Path], tmp_path: Path) -> None:
    import json

    run = tmp_path / "evil"
    shutil.copytree(runs[0], run)
    told = json.loads((run / "run.json").read_text())
    told["name"] = "<script>alert(1)</script>"
    (run / "run.json").write_text(json.dumps(told))
    text = write_report([run, *runs[1:]], tmp_path / "report").read_text()
    assert "<script>" not in text
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


@pytest.mark.skipif(shutil.which("chromium") is None, reason="no chromium on this machine")
def test_opens_in_chromium_without_console_errors(runs: list[Path], tmp_path: Path) -> None:
    page = write_report(runs, tmp_path / "report")
    flags = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    flags += "--disable-component-update --disable-sync --enable-logging=stderr --dump-dom"
    command = ["chromium", *flags.split(), f"--user-data-dir={tmp_path / 'profile'}", page.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert "CONSOLE" not in done.stderr
    assert done.stdout.count("<svg") == 5
