"""Mistakes of `mfmarl imitate` and `demonstrate` are told before anything heavy is imported."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_mistakes_are_told_before_torch_comes(tmp_path: Path) -> None:
    wrong = [
        ["imitate", "bc", "--env", "CartPole-v1", "--demonstrations", "no.npz"],
        ["imitate", "bc", "--demonstrations", "no.npz", "--updates", "0"],
        ["imitate", "dagger", "--env", "CartPol-v1", "--expert", "cartpole"],
        ["imitate", "dagger", "--config", "no.yaml", "--expert", "cartpole"],
        ["demonstrate", "--env", "CartPol-v1", "--expert", "cartpole", "--out", "x.npz"],
        ["demonstrate", "--env", "CartPole-v1", "--expert", "cartpole", "--out", "x.npz", "--episodes", "0"],
        ["imitate", "--resume", "no"],
        ["report", "no"],
    ]
    code = (
        f"import sys\nfrom mfmarl.cli import run_command\nfor words in {wrong!r}:\n    assert run_command(words) == 2\n"
        "assert not {'torch', 'scipy', 'pandas', 'numba'} & set(sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("mfmarl: ") == done.stderr.count("\n") == len(wrong)
