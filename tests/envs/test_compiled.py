"""Compiled loops: with and without a place on disk for their code."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from envs import compiled as compiling

ROOT = Path(__file__).resolve().parents[2]


def test_without_a_place_for_its_code_a_loop_is_compiled_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiling, "_cache_folder", lambda package: None)

    @compiling.compiled
    def double(x: float) -> float:
        return 2 * x

    assert double(3.0) == 6.0


def test_code_is_kept_by_what_all_sources_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "package"
    package.mkdir()
    formula = package / "formulas.py"
    (package / "__init__.py").write_text("")
    module = ModuleType("package")
    module.__file__ = str(package / "__init__.py")
    monkeypatch.setitem(sys.modules, "package", module)
    folders = []
    for text in ("a = 1", "a = 2"):
        formula.write_text(text)
        compiling._cache_folder.cache_clear()
        folders.append(compiling._cache_folder("package"))
    compiling._cache_folder.cache_clear()
    assert None not in folders
    assert len(set(folders)) == 2


def test_the_same_sources_elsewhere_have_the_same_code(tmp_path: Path) -> None:
    """As when a Ray job unpacks them."""
    script = "from pkg.sub.loops import double; print(double(1.5), sum(double.stats.cache_hits.values()))"
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache"), "PYTHONPATH": str(ROOT)}
    hits = []
    for place in ("one", "two"):
        folder = tmp_path / place / "pkg" / "sub"
        folder.mkdir(parents=True)
        for package in (folder, folder.parent):
            (package / "__init__.py").write_text("")
        (folder / "loops.py").write_text(
            "from envs.compiled import compiled\n\n\n@compiled\ndef double(x: float) -> float:\n    return 2 * x\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", script], cwd=tmp_path / place, env=environment, capture_output=True, text=True,
            check=True,
        )  # fmt: skip
        hits.append(done.stdout.split())
    assert hits == [["3.0", "0"], ["3.0", "1"]]


MADE = """
from envs.compiled import compiled, inlined
from pkg.inner import once, twice


def made(inner, times):
    through = inlined(inner)

    @compiled
    def loop(x: float) -> float:
        return times * through(x)

    return loop


for inner, times in ((once, 3), (twice, 3), (once, 4), (twice, 5)):
    loop = made(inner, times)
    print(loop(1.0), sum(loop.stats.cache_hits.values()), end=" ")
foreign = made(eval("lambda x: -x", {"__name__": "elsewhere"}), 3)
print(foreign(1.0), sum(foreign.stats.cache_hits.values()))
"""


def test_loops_are_told_apart_by_what_they_close_over(tmp_path: Path) -> None:
    """numba by itself would never find them again; a function of no package, whose sources nobody watches, is not."""
    package = tmp_path / "pkg"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "inner.py").write_text("def once(x):\n    return x\n\n\ndef twice(x):\n    return 2 * x\n")
    (package / "loops.py").write_text(MADE)
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache"), "PYTHONPATH": f"{ROOT}:{tmp_path}"}
    told = []
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", "import pkg.loops"], cwd=tmp_path, env=environment, capture_output=True, text=True,
            check=True,
        )  # fmt: skip
        told.append(done.stdout.split())
    assert [row[0::2] for row in told] == [["3.0", "6.0", "4.0", "10.0", "-3.0"]] * 2
    assert told[0][1::2] == ["0"] * 5
    assert told[1][1::2] == ["1", "1", "1", "1", "0"]


def test_division_by_zero_is_numpys() -> None:
    @compiling.compiled
    def ratio(a: float, b: float) -> float:
        return a / b

    assert ratio(1.0, 0.0) == np.inf
