"""The pages of a small study in headless Chromium: no error, filters that hide, names that stay names."""

from __future__ import annotations

import html
import re
import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest

from analysis.figures.forest import Row, forest
from analysis.figures.style import Look, svg
from analysis.report.parts import Cell, Section, Table, side_by_side
from analysis.report.render import Page, policy_filter, write_page
from mfmarl.cli import run_command
from tests.analysis.small_runs import make_run

EVIL = "<img src=x onerror=alert(1)>&\"'"
chromium = pytest.mark.skipif(shutil.which("chromium") is None, reason="no chromium on this machine")


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "a<b>&c"
    for agents in (9, 12):
        for method in ("is", "mf", "fresh"):
            for seed in (1, 2, 3):
                make_run(folder, method, seed, f"{method}-{agents}-{seed}", num_agents=agents)
    return folder


@pytest.fixture(scope="module")
def out(study: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    assert run_command(["report", str(study), "--out", str(folder)]) == 0
    return folder


def opened(url: str, profile: Path, *flags: str) -> tuple[str, list[str]]:
    """The page's elements after its script ran, and what it wrote to the console."""
    told = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    told += "--disable-component-update --disable-sync --enable-logging=stderr --v=0 --dump-dom"
    command = ["chromium", *told.split(), *flags, f"--user-data-dir={profile}", url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


def test_study_has_a_page_over_its_games_and_one_of_each(out: Path) -> None:
    text = (out / "index.html").read_text()
    assert "<h1>a&lt;b&gt;&amp;c: 3 methods on 2 games</h1>" in text
    assert "<b>&c" not in text
    for game in ("market-easy-n9", "market-easy-n12"):
        assert f'href="{game}/index.html"' in text
        assert 'href="../index.html"' in (out / game / "index.html").read_text()
    for name in re.findall(r'href="([^"#:]+)"', text):
        assert (out / name).is_file(), name
    tests = pd.read_csv(out / "tests.csv")
    assert set(zip(tests["agents"], tests["method"], strict=True)) == {(n, m) for n in (9, 12) for m in ("is", "fresh")}
    assert "Holm's correction is over all 4 comparisons over 2 games" in html.unescape(text)
    games = pd.read_csv(out / "games.csv")
    assert set(games["n"]) == {3}
    main_table = (out / "tables" / "games.tex").read_text()
    assert main_table.count(r"\\") == 3
    assert "market-easy, N = 9" in main_table


def test_against_another_method_or_an_unknown_one(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(["report", str(study), "--out", str(tmp_path), "--against", "fresh"]) == 0
    assert set(pd.read_csv(tmp_path / "tests.csv")["against"]) == {"fresh"}
    progress = [line for line in capsys.readouterr().err.splitlines() if "no interval" not in line]
    assert progress[0] == "mfmarl: 18 runs on 2 games"
    assert progress[2] == f"mfmarl: page 2 of 2: {tmp_path / 'market-easy-n12' / 'index.html'}"
    assert run_command(["report", str(study), "--out", str(tmp_path), "--against", "frehs"]) == 2
    told = capsys.readouterr().err
    assert "--against frehs: no run is of that method; there are 'fresh', 'is', 'mf'; did you mean 'fresh'?" in told


def test_everything_is_there_for_the_keyboard_and_without_script(out: Path) -> None:
    for page in (out / "index.html", out / "market-easy-n9" / "index.html"):
        text = page.read_text()
        assert text.index('class="skip" href="#answer"') < text.index("<h1>")
        sections = re.findall(r'<section id="([^"]+)"', text)
        assert re.findall(r'<li><a href="#([^"]+)"', text) == sections
        # a box that scrolls can be reached and has a name
        boxes = re.findall(r'<div class="scroll[^>]*>', text)
        assert len(boxes) >= 4
        assert all('tabindex="0"' in box and 'aria-label="' in box for box in boxes)
        # without its script nothing is hidden but the filters
        assert re.findall(r"<[^>]* hidden>", text) == ['<div class="filters" hidden>']
        assert 'class="off"' not in text


@chromium
def test_pages_open_without_console_errors(out: Path, tmp_path: Path) -> None:
    for page, figures, tables in ((out / "index.html", 4, 3), (out / "market-easy-n9" / "index.html", 8, 8)):
        dom, console = opened(page.as_uri(), tmp_path / "profile")
        assert console == []
        assert dom.count("<figure") >= figures
        assert dom.count("<table") >= tables
        assert '<div class="filters">' in dom  # the script ran
        assert 'class="off"' not in dom
    broken = out / "broken.html"
    page_text = (out / "index.html").read_text()
    broken.write_text(page_text.replace("</main>", "</main><script>throw new Error('control')</script>"))
    # the page's policy refuses a script that is not its own, and says so
    assert any("Content Security Policy" in line for line in opened(broken.as_uri(), tmp_path / "profile")[1])
    broken.write_text("<script>throw new Error('control')</script>")
    assert any("control" in line for line in opened(broken.as_uri(), tmp_path / "profile")[1])


@chromium
def test_a_view_in_the_address_hides_rows_columns_and_lines(out: Path, tmp_path: Path) -> None:
    address = (out / "market-easy-n9" / "index.html").as_uri() + "#hide:method=is;type=discounter"
    dom, console = opened(address, tmp_path / "profile")
    assert console == []
    parts = re.findall(r"<(\w+)([^>]*\bdata-(?:method|type)=[^>]*)>", dom[dom.index("<main") :])
    hidden = [(tag, told) for tag, told in parts if re.search(r'class="[^"]*\boff\b', told)]
    assert {tag for tag, _ in hidden} >= {"tr", "td", "th", "g", "li", "div"}
    for tag, told in parts:
        mine = 'data-method="is"' in told or 'data-type="discounter"' in told
        assert mine == ((tag, told) in hidden), (tag, told)
    assert "2 hidden" in dom
    study_page, _ = opened((out / "index.html").as_uri() + "#hide:agents=9", tmp_path / "profile")
    assert len(re.findall(r'<tr[^>]*data-agents="9"[^>]*class="off"', study_page)) == 3


@chromium
def test_page_is_no_wider_than_a_phone(out: Path, tmp_path: Path) -> None:
    told = "<script>parent.postMessage(innerWidth + ' holds ' + document.documentElement.scrollWidth, '*')</script>"
    for page in (out / "index.html", out / "market-easy-n9" / "index.html"):
        text = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page.read_text())
        page.with_name("phone.html").write_text(text.replace("</body>", f"{told}</body>"))
        # a frame is as narrow as it is told to be, a window is not
        frame = page.with_name("frame.html")
        frame.write_text(
            "<script>addEventListener('message', (e) => document.title = e.data)</script>"
            '<iframe src="phone.html" style="width:375px;height:800px;border:0"></iframe>'
        )
        dom, _ = opened(frame.as_uri(), tmp_path / "profile", "--virtual-time-budget=20000", "--hide-scrollbars")
        assert "<title>375 holds 375</title>" in dom


def test_names_are_escaped_wherever_they_stand(tmp_path: Path) -> None:
    drawn = forest([Row(EVIL, 1.0, 0.5, 1.5, EVIL)], {EVIL: Look("#000000", "solid", "o")}, EVIL, EVIL)
    text = svg(drawn, "x")
    assert "<img" not in text
    assert 'data-method="&lt;img src=x onerror=alert(1)&gt;&amp;&quot;' in text
    table = Table(EVIL, ["", EVIL], [[Cell(EVIL), Cell(EVIL, EVIL)]], row_keys=[{"method": EVIL}])
    figure = side_by_side([(drawn, {"type": EVIL})], "figure", EVIL, EVIL, legend=[EVIL])
    section = Section("evil", EVIL, [EVIL], [figure], [table], [EVIL], [EVIL])
    page = write_page(Page(EVIL, EVIL, [EVIL], [section], [policy_filter([EVIL, "is"])]), {}, tmp_path)
    text = page.read_text()
    assert "<img" not in text
    assert text.count("&lt;img") > 15
    assert "onerror" not in re.sub(r'"[^"]*"', "", re.sub(r">[^<]*<", "><", text))
    if shutil.which("chromium"):
        dom, console = opened(page.as_uri(), tmp_path / "profile")
        assert "<img" not in dom
        assert console == []
