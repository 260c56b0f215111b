"""Commands of README.md, CONTRIBUTING.md, docs/ and every --help: all are read, and those on runs are run, small."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mfmarl.cli import parse
from tests.documented import ROOT, documented, words
from tests.shrunk_commands import FRAGMENTS, NAMES, ON_RAY, is_dear, reason, run_small, runs_here

OTHERS = ("mfmarl imitate", "mfmarl demonstrate", "mfmarl solve", "mfmarl audit bc", "mfmarl audit dagger")
OF_RUNS = [line for line in runs_here() if not line.startswith(OTHERS) and not is_dear(line)]
LINES = documented()
SCRIPTS = [line for line in LINES if re.search(r"python (benchmarks|examples|scripts)/", line)]


@pytest.mark.parametrize("line", [line for line in LINES if line.startswith("mfmarl ") and line not in FRAGMENTS])
def test_every_option_is_there(line: str) -> None:
    arguments = [NAMES.get(word, word) for word in words(line)[1:]]
    if "--help" in arguments:
        with pytest.raises(SystemExit, match="0"):
            parse(arguments)
    else:
        parse(arguments)


@pytest.mark.parametrize("line", SCRIPTS)
def test_every_script_and_its_options_are_there(line: str) -> None:
    _, script, *arguments = words(line)
    text = (ROOT / script).read_text()
    for word in arguments:
        if word.startswith("--"):
            name = re.sub("[-_]", "[-_]", word.removeprefix("--"))
            assert re.search(rf"\b{name}\b", text), f"{script} has no {word}"


def test_every_line_runs_or_says_why_not() -> None:
    for line in LINES:
        assert line.startswith("mfmarl ") or reason(line), f"{LINES[line]}: {line}"
    assert set(LINES) >= FRAGMENTS | {*ON_RAY}, "lines that no page has any more"


@pytest.mark.parametrize("line", OF_RUNS)
def test_commands_on_runs(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_small(line, tmp_path) == 0


@pytest.mark.ray
@pytest.mark.parametrize("line", [pytest.param(x, marks=pytest.mark.soak if "learners" in x else ()) for x in ON_RAY])
@pytest.mark.usefixtures("one_ray")
def test_commands_on_ray(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_small(line, tmp_path) == 0
