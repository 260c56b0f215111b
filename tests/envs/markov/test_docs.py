"""The page and the example run as they stand, and say what is so."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from envs.markov import read_game, zero_sum

ROOT = Path(__file__).resolve().parents[3]
TEXT = (ROOT / "docs" / "markov_games.md").read_text(encoding="utf-8")


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "examples" / "markov_games.py"), *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def test_python_of_the_page() -> None:
    names: dict[str, Any] = {}
    exec("\n".join(re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)), names)
    assert names["report"].exploitability == pytest.approx((0, 8.1))
    assert names["report"].nash_conv == pytest.approx((0, 16.2))
    assert len(names["found"].lengths) == 200
    np.testing.assert_allclose(names["game"].best_response_values(names["uniform"]), 0, atol=1e-12)


def test_yaml_of_the_page(tmp_path: Path) -> None:
    path = tmp_path / "game.yaml"
    path.write_text(re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)[0])
    np.testing.assert_array_equal(read_game(path).transitions, zero_sum().transitions)
    done = run(str(path))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("chase: uniform play is worth 0.0000 (played ")
    path.write_text("reward: 1")
    refused = run(str(path))
    assert refused.returncode == 1
    assert refused.stderr.startswith(f"{path}: unknown key 'reward': did you mean 'rewards'? known are actions, ")


def test_the_example() -> None:
    done = run()
    assert done.returncode == 0, done.stderr
    found = [line.split()[-1] for line in done.stdout.splitlines() if line.startswith("clone")]
    assert found == ["0.0000", "8.1000", "0.0000"]
    assert "0 to 8.1 (exact)" in done.stdout
    assert done.stdout.splitlines()[-1] == "bimodal expert: 0.25 from independent play, CCE gap -0.50"
