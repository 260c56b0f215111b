"""Every kind of page: names that would be elements, scripts, templates or formulas are words, and where an interval
stands, so do n and how it was found."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import analysis.load
import analysis.report.study_page
from analysis.equilibrium.audit_file import Absent, Deviation, Line, TypeLeftOut, write_audit
from analysis.equilibrium.distances import TwoSample
from analysis.equilibrium.gaps import Estimate, Gaps, TypeGap
from analysis.imitations import imitations_in
from analysis.report import write_study
from analysis.report.imitation.page import folders_of, write_imitations
from mfmarl.runs.folders import evaluated_runs
from mfmarl.runs.schema import RunInfo
from tests.analysis.pages import read_page
from tests.analysis.small_imitations import make_imitation
from tests.analysis.test_equilibria_report import HIGH, LOW, audit, finite
from tests.analysis.test_report_page import chromium, opened
from tests.analysis.written_runs import write_run

EVIL = '<img src=x onerror=alert(1)>"\'&amp;</script></svg>{{7*7}}$x$ id="a" d="1.2345" url(#b) ${1} [[2]]'
FLAT = EVIL.replace("/", "")
"""For names of which the part after a slash is shown, or where none may be."""
REPORT = Path(analysis.report.study_page.__file__).parent
SCRIPT, STYLE = ((REPORT / name).read_text().strip() for name in ("page.js", "page.css"))
DRAWN = "*{stroke-linejoin: round; stroke-linecap: butt}"
PAGE = (
    "html head meta link title style body a header p h1 nav ul li div details summary span fieldset legend label input "
    "button main section h2 figure figcaption table caption thead tbody tr th td small script"
)
FIGURE = "svg metadata rdf:rdf cc:work dc:type dc:date dc:format defs style g path text use rect clippath"
ELEMENTS = {*PAGE.split(), *FIGURE.split()}
LEAST = {"study": 20, "game": 100, "imitations": 15, "environment": 55}
"""Kind of page -> how often it shows an evil name, at least."""
INTERVALS = {"study": 4, "game": 17, "imitations": 2, "environment": 13}
"""Kind of page -> its figures and tables with intervals."""
WAYS = r"\b(t|BCa|bootstrap|Newcombe|normal|constant)\b"


def audited(run: Path, name: str = EVIL, **more: Any) -> None:
    """An audit that says `name` wherever it has words."""
    gap = Estimate(2.0, 1.0, 3.0, 64)
    kinds = tuple(TypeGap(one, 0.5, gap, gap, gap) for one in (name, "large"))
    ways = tuple(Gaps("unilateral gap", by, kinds, (name,)) for by in ("learned", "exact", "bound"))
    test = TwoSample(0.5, 0.1, 0.1, 0.6)
    told = audit(
        LOW, label=name, run=name, env=f"inventory/{name}", subject=name,
        gaps=(*ways, Gaps("type deviation", "learned", kinds, (name,))),
        left_out=(TypeLeftOut(name, name, 1.0, 2.0, 3.0, 4.0),), lines=(Line(name, 90.0, 0.0),),
        absent=(Absent("bound", name),), finite=finite(-300.0, name), split=name,
        deviations=(Deviation(name, "unilateral gap", "fresh", (1.0, 2.0, 4.0), (2.0, 3.0, 5.0), None, test),),
    )  # fmt: skip
    (run / "audit").mkdir()
    write_audit(run, replace(told, **more))


def study_of(folder: Path) -> dict[str, list[Path]]:
    """Two games; of the first one run of each method is audited."""
    for game, seeds in (("", (1, 2, 3)), ("other", (1,))):
        for method, level in (("is", 10.0), ("mf", 8.0)):
            for seed in seeds:
                profit = level + seed * (2 if method == "is" else 1)
                names = {"types": (EVIL, "large"), "policies": ("base_stock", "random", FLAT), "why": EVIL}
                write_run(folder, method, seed, profit=profit, env=f"inventory/{game}{FLAT}", **names)
    games = evaluated_runs([folder]).by_game
    first = max(games.values(), key=len)
    audited(first[0])
    audited(first[3], mean_actions=HIGH, checkpoint=2)
    return games


class _here:  # in place of processes, which would not see what is patched
    def __init__(self, *_: object, **__: object) -> None:
        self.map = map

    def __enter__(self) -> _here:
        return self

    def __exit__(self, *_: object) -> None:
        pass


def imitations_of(folder: Path) -> list[Path]:
    """Of two environments, by methods, with settings and with metrics of evil names."""
    for env, seeds in ((EVIL, range(3)), (f"other{EVIL}", range(1))):
        for seed in seeds:
            make_imitation(folder, "bc", seed, env=env)
            make_imitation(folder, "bc", seed, env=env, config={EVIL: EVIL}, level=350.0)
            make_imitation(folder, FLAT, seed, env=env, convergence={"converged": False}, level=400.0)
            if env != EVIL:
                continue
            metrics = {name: {"mean": 9.0 + seed} for name in ("return_mode", "return_sampled", EVIL)}
            make_imitation(folder, "gail", seed, env=env, metrics=metrics)
            make_imitation(folder, f"{FLAT} 2", seed, env=env, expert="random")
    return imitations_in([folder])


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Path]]:
    """Kind of page -> one on which all that comes from files has an evil name."""
    folder, real, info = tmp_path_factory.mktemp("pages"), analysis.load.labels, analysis.load.open_run
    draw = analysis.report.study_page.write_game

    def told(run: Path) -> RunInfo:
        return info(run).model_copy(
            update={"name": EVIL, "device": EVIL, "versions": {EVIL: EVIL}, "config_hash": EVIL}
        )

    def named(configs: Any) -> list[str]:
        # as a setting would have it that tells runs apart
        return [f"{one} {EVIL}" if one == "is" else one for one in real(configs)]

    def first(compared: Any, found: Any, runs: list[Path], out: Path, parent: str) -> Path:
        return draw(compared, found, runs, out, parent) if len(runs) > 2 else out

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(analysis.report.study_page, "ProcessPoolExecutor", _here)
        # of the second game, which is like the first, there are numbers alone
        patched.setattr(analysis.report.study_page, "write_game", first)
        patched.setattr(analysis.load, "open_run", told)
        for where in (analysis.load, analysis.report.study_page):
            patched.setattr(where, "labels", named)
        study = write_study(study_of(folder / "runs"), folder / "study", EVIL)
        index, environment, *_ = write_imitations(imitations_of(folder / "imitations"), folder / "imitated")
        game = next(page for page in folder.glob("study/*/index.html") if "Equilibrium audit" in page.read_text())
        yield {"study": study, "game": game, "imitations": index, "environment": environment}


@pytest.mark.parametrize("kind", ["study", "game", "imitations", "environment"])
def test_names_are_words_on_every_kind_of_page(pages: dict[str, Path], kind: str) -> None:
    page = read_page(pages[kind])
    assert {tag for tag, _ in page.elements} - ELEMENTS == set()
    # the page's own script, and the styles of page and figures
    script, *styles = sorted(page.code, key=lambda code: code.strip() != SCRIPT)
    assert script.strip() == SCRIPT
    assert {one.strip() for one in styles} <= {STYLE, DRAWN}
    # each name whole, nothing of it read as a reference, a template or an id
    whole = page.shown.count(EVIL) + page.shown.count(FLAT)
    assert (page.shown.count("<img"), whole >= LEAST[kind]) == (whole, True)
    for tag, own in page.elements:
        for name, value in own.items():
            assert not name.startswith("on"), (tag, name)
            if name in ("href", "src", "xlink:href", "action"):
                assert re.fullmatch(r"data:,|#[\w-]+|(\.\./|[\w.+-]+/)?[\w.-]+\.(html|csv|tex)", value), (tag, value)
            elif "<img" in value:
                assert name in ("data-method", "data-type", "data-env", "value", "aria-label"), (tag, name)
                assert value.count("<img") == value.count(EVIL) + value.count(FLAT), (tag, name, value)


@pytest.mark.parametrize("kind", ["study", "game", "imitations", "environment"])
def test_where_an_interval_stands_so_do_n_and_how_it_was_found(pages: dict[str, Path], kind: str) -> None:
    untold, told = [], 0
    for caption in read_page(pages[kind]).captions:
        table = pd.read_csv(pages[kind].parent / caption.csv) if caption.csv else pd.DataFrame()
        has = bool((table["low"] < table["high"]).any()) if "low" in table else False
        if has or "95 %" in caption.text:
            told += 1
            if not (re.search(r"n = [\d]", caption.text) and re.search(WAYS, caption.text)):
                untold.append(caption.text)
    assert (untold, told) == ([], INTERVALS[kind])


@chromium
def test_a_browser_reads_them_so(pages: dict[str, Path], tmp_path: Path) -> None:
    dom, console = opened(pages["game"].as_uri(), tmp_path / "profile")
    assert console == []
    assert "<img" not in dom
    assert "&lt;img" in dom


def test_environments_have_folders_of_their_own_inside_of_the_reports() -> None:
    envs = ["..", ".", "", "/", "tables", "index.html", "a/b", "a-b", "A b", "../../etc", "x" * 300, "CartPole-v1"]
    named = folders_of(envs)
    assert list(named) == envs
    assert len({name.casefold() for name in named.values()}) == len(envs)
    assert not {"tables", "index.html", "returns.csv"} & set(named.values())
    assert all(re.fullmatch(r"[A-Za-z0-9_+-][A-Za-z0-9._+-]{0,63}", name) for name in named.values())
    assert (named["a/b"], named["a-b"], named["CartPole-v1"]) == ("a-b", "a-b-2", "CartPole-v1")
