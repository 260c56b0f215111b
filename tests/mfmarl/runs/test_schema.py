"""Run folders: made in one rename, read with every check."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from mfmarl.config import TrainConfig, config_hash
from mfmarl.errors import StorageFailed, UserError
from mfmarl.runs.checkpoint import latest_checkpoint, write_checkpoint
from mfmarl.runs.schema import (
    create_run,
    list_runs,
    mark_complete,
    mark_incomplete,
    open_resume,
    open_run,
    run_name,
    run_of,
    summarise,
)
from tests.rewritten import rewrite, words_of

AGENTS: dict[str, Any] = {
    "agent_types": [0, 0, 1], "type_names": ["small", "large"], "agent_names": ["a", "b", "c"], "device": "cpu",
}  # fmt: skip


def test_what_run_json_holds(run: Path) -> None:
    told = words_of(run / "run.json")
    assert told["schema"] == 1
    assert set(told) == {
        "schema", "name", "config", "config_hash", "seed", "versions", "created", "num_agents", "agent_types",
        "type_names", "agent_names", "device",
    }  # fmt: skip
    assert told["config"] == json.loads(TrainConfig(seed=7).model_dump_json())
    assert set(told["versions"]) >= {"python", "torch", "numpy", "mfmarl"}
    info = open_run(run)
    assert info.config == TrainConfig(seed=7)
    assert info.config_hash == config_hash(info.config)
    assert (info.num_agents, info.agent_types, info.name) == (3, [0, 0, 1], "one")
    assert sorted(p.name for p in run.parent.iterdir()) == ["one"]


def test_the_default_name(tmp_path: Path) -> None:
    config = TrainConfig(seed=7, env="inventory/market-easy", method="mf")
    name = run_name(config, 3)
    assert name == f"mfq-mf-market-easy-n3-s7-{config_hash(config)[:6]}"
    assert create_run(config, tmp_path / "a" / "b", **AGENTS) == tmp_path / "a" / "b" / name


def test_names_that_are_taken_or_no_names(run: Path) -> None:
    before = (run / "run.json").read_bytes()
    with pytest.raises(UserError, match=r"exists already; go on with `mfmarl train --resume .*one`"):
        create_run(TrainConfig(seed=8), run.parent, name="one", **AGENTS)
    mark_complete(run, 20)
    with pytest.raises(UserError, match=r"one exists already; choose another --name"):
        create_run(TrainConfig(seed=8), run.parent, name="one", **AGENTS)
    with pytest.raises(UserError, match=r"one is complete, but its checkpoints are gone: put them back, or train anew"):
        latest_checkpoint(run)
    assert (run / "run.json").read_bytes() == before
    for name in ("", ".", "..", "a/b", "/etc", ".x", "x" * 121, "a\nb", "-x"):
        with pytest.raises(UserError, match="a run cannot be called"):
            create_run(TrainConfig(seed=8), run.parent, name=name, **AGENTS)
    assert [p.name for p in run.parent.iterdir()] == ["one"]
    with pytest.raises(ValueError, match="no seed"):
        create_run(TrainConfig(), run.parent, **AGENTS)


def test_a_runs_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("")
    with pytest.raises(StorageFailed, match="cannot make the run folder"):
        create_run(TrainConfig(seed=8), tmp_path / "runs", **AGENTS)


def test_what_is_no_run_folder(run: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"onn does not exist; did you mean 'one'\?"):
        open_run(run.with_name("onn"))
    with pytest.raises(UserError, match=r"is not a run folder: it has no run\.json"):
        open_run(tmp_path)
    with pytest.raises(UserError, match="is a file"):
        open_run(run / "run.json")


@pytest.mark.parametrize(
    ("key", "value", "part"),
    [
        ("schema", 2, "schema 2; this version of mfmarl reads 1"),
        ("num_agents", "3", "num_agents"),
        ("num_agents", 4, "must have num_agents entries"),
        ("config_hash", "0" * 12, "config_hash does not fit"),
        ("config_hash", "../../../..", "config_hash"),
        ("seed", None, "seed"),
        ("extra", 1, "extra"),
        ("config", {"zebra": 1}, "config.zebra"),
    ],
)
def test_edited_run_json_is_refused(run: Path, key: str, value: Any, part: str) -> None:
    rewrite(run / "run.json", {key: value})
    with pytest.raises((UserError, StorageFailed), match=re.escape(part)) as error:
        open_run(run)
    assert str(run / "run.json") in str(error.value)


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"\xff", b"[" * 100_000])
def test_damaged_run_json_is_named(run: Path, data: bytes) -> None:
    (run / "run.json").write_bytes(data)
    with pytest.raises(StorageFailed, match=r"run\.json is damaged"):
        open_run(run)
    assert summarise(run).status == "broken"


def test_where_a_resume_goes_on(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    digest = open_run(run).config_hash
    assert open_resume(run).checkpoint is None
    paths = [write_checkpoint(run, i, {}, {"x": i}, digest) for i in (10, 20)]
    newest = open_resume(run).checkpoint
    assert newest is not None
    assert newest.iteration == 20
    older = open_resume(paths[0])
    assert older.run == run_of(paths[0]) == run
    monkeypatch.chdir(run.parent)
    assert run_of(Path("one/checkpoints/ckpt_000010")) == Path("one")
    assert older.checkpoint is not None
    assert older.checkpoint.iteration == 10
    with pytest.raises(UserError, match="not a checkpoint folder"):
        open_resume(run / "checkpoints" / "ckpt_000030")
    mark_complete(run, 20)
    with pytest.raises(UserError, match="there is nothing to resume; to go back, give one of its checkpoints"):
        open_resume(run)
    mark_incomplete(run)
    mark_incomplete(run)
    write_checkpoint(run, 30, {}, {}, "f" * 12)
    with pytest.raises(StorageFailed, match="its checkpoint is of configuration ffffffffffff"):
        open_resume(run)


def test_the_list_of_runs(run: Path) -> None:
    create_run(TrainConfig(seed=8), run.parent, name="another", **AGENTS)
    (run.parent / "notes").mkdir()
    (run.parent / ".one.1.tmp").mkdir()
    (run.parent / "file").write_text("")
    assert [(s.path.name, s.status, s.iteration) for s in list_runs(run.parent)] == [
        ("another", "resumable", 0),
        ("one", "resumable", 0),
    ]


def test_the_return_shown_is_the_newest_there_is(run: Path) -> None:
    lines = [{"iteration": 1, "metrics": {"return_mean": 5.0}}, {"iteration": 2, "metrics": {"return_mean": None}}]
    lines += [{"iteration": 3, "metrics": {}}, {"iteration": 4}]
    (run / "journal.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    summary = summarise(run)
    assert (summary.iteration, summary.return_mean) == (4, 5.0)
