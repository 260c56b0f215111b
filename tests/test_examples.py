"""examples/ run as they stand."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
DEAR = [pytest.param(name, marks=pytest.mark.soak) for name in ("imitation_tutorial", "magail_failures")]


def run(*arguments: str, script: str = "examples/real_demand.py") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(ROOT / script), *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def test_real_demand(tmp_path: Path) -> None:
    done = run()
    assert done.returncode == 0, done.stderr
    words = [line.split() for line in done.stdout.splitlines()]
    kinds = {first: second for first, second, *_ in words}
    # the three shops that sell ten times as much are the cluster of most demand
    assert [shop for shop, kind in kinds.items() if kind == "discounter"] == ["shop_6", "shop_7", "shop_8"]
    assert float(kinds["base_stock"]) > float(kinds["constant"]) > 0
    bad = tmp_path / "bad.csv"
    bad.write_text("agent,period,units\na,1,3\nb,1,-3\n")
    refused = run(str(bad))
    assert refused.returncode == 1
    assert refused.stderr.endswith(f"{bad}: row 3: units -3 is negative\n")


def test_equilibrium() -> None:
    done = run(script="examples/equilibrium.py")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    values = {line.split()[0]: float(line.split()[5]) for line in lines[:3]}
    assert values["random"] > values["base_stock"] > values["equilibrium"] >= 0
    among, low, high = (float(lines[3].split()[i]) for i in (6, 10, 12))
    assert 0.9 * among < low < high


def test_imitation() -> None:
    done = run(script="examples/imitation.py")
    assert done.returncode == 0, done.stderr
    rule, cloned, asked, best, recovered = (float(line.split()[-1]) for line in done.stdout.splitlines()[:5])
    assert rule == 500
    assert min(cloned, asked) > 200, "random actions return 22"
    assert best > 0.6
    assert recovered > 0.5, "and .015"


@pytest.mark.parametrize("name", ["imitation_in_mean_field_games", *DEAR])
def test_notebook(name: str) -> None:
    notebook = ROOT / "examples" / f"{name}.ipynb"
    before = notebook.read_bytes()
    done = run(str(notebook), script="scripts/run_notebook.py")
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("cells run\n")
    assert notebook.read_bytes() == before


def test_a_notebook_that_fails_says_which_cell(tmp_path: Path) -> None:
    cells = [{"cell_type": "code", "source": ["x = 1\n", "x + 1"]}, {"cell_type": "code", "source": ["1 / 0"]}]
    notebook = tmp_path / "one.ipynb"
    notebook.write_text(json.dumps({"cells": cells}))
    done = run(str(notebook), script="scripts/run_notebook.py")
    assert done.returncode == 1
    assert "ZeroDivisionError" in done.stderr
    assert "cell 2 of 2 failed" in done.stderr
    notebook.write_text(json.dumps({"cells": cells[:1]}))
    assert run(str(notebook), "--write", script="scripts/run_notebook.py").returncode == 0
    written = json.loads(notebook.read_text())["cells"][0]
    assert written["outputs"][0]["data"]["text/plain"] == ["2"]
