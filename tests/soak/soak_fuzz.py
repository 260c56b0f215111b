"""Four readers fuzzed for a bounded time each: no traceback, no hang, no more than 2 GB."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.hostile.conftest import small_run
from tests.hostile.readers import READERS, good_files

SECONDS = int(os.environ.get("MFMARL_FUZZ_SECONDS", "60"))
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_run(tmp_path_factory.mktemp("runs"))


@pytest.mark.parametrize("name", READERS)
def test_a_reader_ends_with_a_result_or_a_line(
    name: str, run: Path, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    folder, corpus, left = tmp_path / "folder", tmp_path / "corpus", tmp_path / "left"
    for each in (folder, corpus, left):
        each.mkdir()
    for i, data in enumerate(good_files(name, folder, run)):
        (corpus / str(i)).write_bytes(data)
    options = [f"-max_total_time={SECONDS}", "-timeout=10", "-rss_limit_mb=2048", "-max_len=65536",
               f"-artifact_prefix={left}/", "-print_final_stats=1"]  # fmt: skip
    command = [sys.executable, "-m", "tests.soak.fuzz_readers", name, str(folder), str(corpus), *options]
    found = subprocess.run(
        command, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
        timeout=SECONDS + 200, check=False,
    )  # fmt: skip
    executions = re.search(r"stat::number_of_executed_units:\s*(\d+)", found.stderr)
    record_property("executions", executions[1] if executions else 0)
    record_property("faults", len(list(left.iterdir())))
    assert found.returncode == 0, found.stderr[-4000:]
    assert not list(left.iterdir())
    assert executions is not None
    # a fuzzer that does nothing finds nothing
    assert int(executions[1]) > 5 * SECONDS
