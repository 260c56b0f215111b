"""A folder of runs: which are evaluated, and which belong into one report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mfmarl.config import TrainConfig
from mfmarl.errors import StorageFailed, UserError
from mfmarl.runs.folders import evaluated_runs, is_folder_of_runs
from mfmarl.runs.schema import create_run
from mfmarl.runs.store import EVALUATION


def make(folder: Path, name: str, agents: int = 3, evaluated: bool = True, **settings: Any) -> Path:
    types = {"agent_types": [0] * agents, "type_names": ["a"], "agent_names": [f"x{i}" for i in range(agents)]}
    run = create_run(TrainConfig(seed=1, **settings), folder, name=name, **types, device="cpu")
    if evaluated:
        (run / EVALUATION).touch()
    return run


def test_runs_of_one_game_stand_together_and_the_others_apart(tmp_path: Path) -> None:
    first = make(tmp_path, "a")
    second = make(tmp_path, "b", method="mf")
    # the part of the data is the evaluation's to choose
    split = make(tmp_path, "c", env_options={"split": "train"})
    more = make(tmp_path, "d", agents=4)
    other = make(tmp_path, "e", env="inventory/network-30")
    jitter = make(tmp_path, "f", env_options={"jitter": 0})
    open_ = make(tmp_path, "g", evaluated=False)
    (tmp_path / ".cells").mkdir()
    assert is_folder_of_runs(tmp_path)
    assert not is_folder_of_runs(first)
    assert not is_folder_of_runs(tmp_path / ".cells")
    assert not is_folder_of_runs(tmp_path / "nowhere")
    found = evaluated_runs([tmp_path])
    assert found.unevaluated == (open_,)
    # by their options, as text
    assert found.by_game == {
        "market-easy-n3": [jitter],
        "market-easy-n3-2": [first, second, split],
        "market-easy-n4": [more],
        "network-30-n3": [other],
    }


def test_nothing_to_show_and_damage_are_told(tmp_path: Path) -> None:
    run = make(tmp_path, "a", evaluated=False)
    with pytest.raises(UserError, match=f"no run in {tmp_path} was evaluated yet; `mfmarl ls {tmp_path}` shows"):
        evaluated_runs([tmp_path])
    (run / EVALUATION).touch()
    (run / "run.json").write_text("{")
    with pytest.raises(StorageFailed, match=r"run\.json is damaged"):
        evaluated_runs([tmp_path])
