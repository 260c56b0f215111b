"""Every reader's cap: a file of a terabyte, which takes no room on the disk, is refused by its name before it is read.

Files of runs, audits, imitations and solutions: test_damage.py, by the commands; what unpacks: test_npz.py,
test_sales.py, and `test_store.py` of HDF5.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from analysis.audit_imitations import show
from analysis.magail_market_results import ROWS, read_seed
from envs.inventory.network.tree_file import read_tree
from envs.inventory.sales_table import read_sales
from envs.markov.game_file import read_game
from mfmarl.config import read_config
from mfmarl.imitation.demonstrated import MINARI, env_in
from mfmarl.imitation.demonstrations import Demonstrations
from mfmarl.imitation.folder import read_rows
from mfmarl.imitation.minari_files import read_minari
from mfmarl.imitation.result import Counts
from mfmarl.launch.cell_state import FAILED, failure
from mfmarl.launch.manifest import check_manifest
from mfmarl.policy import Policy
from mfmarl.runs.journal import read_journal
from mfmarl.runs.store import read_evaluation

TERABYTE = 1 << 40
READERS: dict[str, Callable[[Path], object]] = {
    "config.yaml": read_config,
    "game.yaml": read_game,
    "tree.yaml": read_tree,
    "sales.csv": read_sales,
    "sales.csv.gz": read_sales,
    "sales.parquet": read_sales,
    "shown.npz": Demonstrations.from_npz,
    "data/metadata.json": lambda path: read_minari(path.parents[1]),
    "journal.jsonl": lambda path: read_journal(path.parent),
    "evaluation.h5": read_evaluation,
    "policy.json": lambda path: Policy.load(path.parent),
    "policy.safetensors": lambda path: Policy.load(path.parent),
    "job.yaml": check_manifest,
    "audit.csv": show,
    ROWS: lambda path: read_seed(path.parent, ("exact",)),
    "evaluations.csv": lambda path: read_rows(path, Counts()),
}


@pytest.mark.parametrize("name", READERS)
def test_a_file_of_a_terabyte_is_refused(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    (tmp_path / "policy.json").write_text("{}")
    (tmp_path / "policy.safetensors").touch()
    path.touch()
    os.truncate(path, TERABYTE)
    with pytest.raises((ValueError, OSError), match=rf"{path}\b.* (more|larger|at most)\b") as told:
        READERS[name](path)
    assert "memory" not in str(told.value)
    assert len(str(told.value).splitlines()) == 1


def test_words_of_a_minari_set_and_of_a_failed_cell_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    for path in (tmp_path / "x-v0" / "data" / "metadata.json", tmp_path / FAILED):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        os.truncate(path, TERABYTE)
    with pytest.raises(OSError, match=r"metadata\.json has 1099511627776 bytes, more than"):
        env_in(f"{MINARI}x-v0")
    # it is shown beside others, which are to be shown
    assert failure(tmp_path) == f"{tmp_path / FAILED} is damaged"
