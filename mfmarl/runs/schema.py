"""run.json and the state of a run folder: made whole, read with every check, resumed by name or by checkpoint."""

from __future__ import annotations

import datetime
import errno
import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mfmarl.config import TrainConfig, config_hash
from mfmarl.errors import DamagedFile, StorageFailed, UserError
from mfmarl.registry import suggestion
from mfmarl.runs.checkpoint import (
    CHECKPOINTS,
    Checkpoint,
    checkpoint_paths,
    latest_valid,
    missing_part,
    read_checkpoint,
)
from mfmarl.runs.checkpoint import versions as current_versions
from mfmarl.runs.files import storing, sync_folder, to_json, write_synced, write_whole
from mfmarl.runs.journal import last_line, newest_lines
from mfmarl.runs.lock import holder
from mfmarl.runs.summed import read_summed, summed

RUN = "run.json"
COMPLETE = "complete.json"
SCHEMA = 1
MAX_BYTES = 256 << 20

_LOST = "put a copy of it back, or train again"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,119}")


class RunInfo(BaseModel):
    """What run.json holds: enough to say what ran, and to run it again."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    schema_version: int = Field(SCHEMA, alias="schema", description="layout of the run folder")
    name: str = Field(description="the folder's name when the run was made")
    config: TrainConfig = Field(description="the full configuration, defaults written out")
    config_hash: str = Field(pattern=r"^[0-9a-f]{12}$", description="of the configuration")
    seed: int = Field(ge=0, description="root of all random streams")
    versions: dict[str, str] = Field(description="python and the packages that computed the run")
    created: str = Field(description="ISO time, UTC")
    num_agents: int = Field(ge=2, description="N")
    agent_types: list[int] = Field(description="[N], sorted")
    type_names: list[str] = Field(description="[K]")
    agent_names: list[str] = Field(description="[N]")
    device: str = Field(description="where the learner computes: cpu or cuda")


@dataclass(frozen=True)
class Resumed:
    """Where a resumed run goes on: its folder and checkpoint, None where it had written none yet."""

    run: Path
    info: RunInfo
    checkpoint: Checkpoint | None


Status = Literal["complete", "running", "resumable", "broken"]


@dataclass(frozen=True)
class RunSummary:
    """One line of `mfmarl ls`; what is not known is None."""

    path: Path
    status: Status
    detail: str
    info: RunInfo | None = None
    iteration: int | None = None
    return_mean: float | None = None


def run_name(config: TrainConfig, num_agents: int) -> str:
    """The default name: <algorithm>-<method>-<env leaf>-n<N>-s<seed>-<6 hex of the configuration's hash>.

    Baselines have no method in it.
    """
    leaf = re.sub(r"[^A-Za-z0-9._+-]", "-", config.env.split("/")[-1])[:60]
    kind = (config.algorithm,) if config.is_baseline else (config.algorithm, config.method)
    parts = (*kind, leaf, f"n{num_agents}", f"s{config.seed}", config_hash(config)[:6])
    return "-".join(parts)


def create_run(
    config: TrainConfig,
    runs_dir: Path,
    *,
    name: str | None = None,
    agent_types: Sequence[int],
    type_names: Sequence[str],
    agent_names: Sequence[str],
    device: str,
) -> Path:
    """Make a run folder with its run.json, in one rename.

    Raises:
        UserError: where the name is no folder name or taken already.
        StorageFailed: where the folder cannot be written.
        ValueError: where the configuration has no seed yet: draw one first.
    """
    if config.seed is None:
        raise ValueError("the configuration has no seed: draw one with mfmarl.seeding.draw_seed")
    agents = len(agent_types)
    name = run_name(config, agents) if name is None else name
    if not _NAME.fullmatch(name):
        raise UserError(f"a run cannot be called {name!r}; want up to 120 letters, digits and . _ + -, no folder")
    info = RunInfo(
        schema_version=SCHEMA,
        name=name,
        config=config,
        config_hash=config_hash(config),
        seed=config.seed,
        versions=current_versions(),
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        num_agents=agents,
        agent_types=[int(k) for k in agent_types],
        type_names=[str(n) for n in type_names],
        agent_names=[str(n) for n in agent_names],
        device=device,
    )
    data = summed(info.model_dump(mode="json", by_alias=True))
    run = runs_dir / name
    temporary = runs_dir / f".{name}.{os.getpid()}.tmp"
    with storing(run, "cannot make the run folder"):
        runs_dir.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir()
        try:
            write_synced(temporary / RUN, data)
            os.rename(temporary, run)
        except OSError as error:
            shutil.rmtree(temporary, ignore_errors=True)
            if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
                on = "" if (run / COMPLETE).exists() else f"go on with `mfmarl train --resume {run}`, or "
                raise UserError(f"{run} exists already; {on}choose another --name") from None
            raise
        sync_folder(runs_dir)
    return run


def open_run(run: Path) -> RunInfo:
    """The checked run.json of a run folder.

    Raises:
        UserError: where `run` is no run folder, or is of a newer schema.
        DamagedFile: where run.json is damaged.
    """
    path = run / RUN
    if not run.is_dir():
        near = [p.name for p in run.parent.iterdir() if (p / RUN).exists()] if run.parent.is_dir() else []
        what = "is a file, not a run folder" if run.exists() else f"does not exist{suggestion(run.name, near)}"
        raise UserError(f"{run} {what}")
    if not path.exists():
        raise UserError(f"{run} is not a run folder: it has no {RUN}; `mfmarl ls` lists the runs of a folder")
    words = read_summed(path, MAX_BYTES, _LOST)
    try:
        info = RunInfo.model_validate_json(to_json(words), strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        if first["loc"][:1] == ("config",):
            raise UserError(
                f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}; made by another version?"
            ) from None
        key = ".".join(map(str, first["loc"]))
        raise DamagedFile(f"{path} is damaged: {key + ': ' if key else ''}{first['msg']}") from None
    if info.schema_version != SCHEMA:
        raise UserError(f"{path} has schema {info.schema_version}; this version of mfmarl reads {SCHEMA}")
    if config_hash(info.config) != info.config_hash:
        raise DamagedFile(f"{path} is damaged or was edited: config_hash does not fit the configuration")
    if not len(info.agent_types) == len(info.agent_names) == info.num_agents:
        raise DamagedFile(f"{path} is damaged: agent_types and agent_names must have num_agents entries")
    return info


def open_resume(path: Path) -> Resumed:
    """Where `--resume PATH` goes on: PATH is a run folder, or one of its checkpoints to go back to.

    Raises:
        UserError: where PATH is neither, or its run is complete.
        DamagedFile: where run.json or the checkpoint is damaged.
    """
    run, of_checkpoint = run_of(path), _is_checkpoint(path)
    info = open_run(run)
    if (run / COMPLETE).exists() and not of_checkpoint:
        raise UserError(f"{run} is complete; there is nothing to resume; to go back, give one of its checkpoints")
    checkpoint = read_checkpoint(path.resolve()) if of_checkpoint else latest_valid(run)
    if checkpoint is not None and checkpoint.config_hash != info.config_hash:
        raise DamagedFile(
            f"{run}: its checkpoint is of configuration {checkpoint.config_hash}, not {info.config_hash}"
        )
    return Resumed(run, info, checkpoint)


def run_of(path: Path) -> Path:
    """The run folder that `--resume PATH` means: PATH itself, or the one whose checkpoint PATH is."""
    if not _is_checkpoint(path):
        return path
    run, here = Path(os.path.abspath(path)).parent.parent, Path.cwd()
    return run.relative_to(here) if run.is_relative_to(here) else run


def _is_checkpoint(path: Path) -> bool:
    return Path(os.path.abspath(path)).parent.name == CHECKPOINTS


def mark_complete(run: Path, iteration: int) -> None:
    """Write complete.json, the last file of a training run."""
    write_whole(run / COMPLETE, to_json({"iteration": iteration, "status": "complete"}).encode() + b"\n")


def mark_incomplete(run: Path) -> None:
    """Take complete.json away, where a run goes back to an older checkpoint."""
    with storing(run / COMPLETE, "cannot remove"):
        (run / COMPLETE).unlink(missing_ok=True)
        # what was evaluated is not what the run will end with
        (run / "evaluation.h5").unlink(missing_ok=True)


def summarise(run: Path) -> RunSummary:
    """What a run folder is at this moment; damage is told, not raised."""
    try:
        info = open_run(run)
        line = last_line(run)
        status, detail = _status(run)
        # an iteration in which no episode ended has no return
        return_mean = next((value for line in newest_lines(run) if (value := _return_of(line)) is not None), None)
    except (UserError, StorageFailed) as error:
        return RunSummary(run, "broken", str(error))
    iteration = int(line["iteration"]) if line else 0
    return RunSummary(run, status, detail, info, iteration, return_mean)


def _return_of(line: dict[str, Any]) -> float | None:
    metrics = line.get("metrics")
    value = metrics.get("return_mean") if isinstance(metrics, dict) else None
    return float(value) if isinstance(value, int | float) else None


def _status(run: Path) -> tuple[Status, str]:
    if who := holder(run):
        return "running", str(who)
    paths = checkpoint_paths(run)
    broken = missing_part(paths[-1]) if paths else None
    if broken:
        return "broken", broken
    if (run / COMPLETE).exists():
        return "complete", ""
    return "resumable", "" if paths else "no checkpoint yet: starts again"


def list_runs(runs_dir: Path) -> list[RunSummary]:
    """Every run folder in `runs_dir`, by name.

    Raises:
        UserError: where there is no such folder.
    """
    if not runs_dir.is_dir():
        what = "is not a folder" if runs_dir.exists() else "does not exist"
        raise UserError(f"{runs_dir} {what}; `mfmarl train` makes the first run in runs/")
    with storing(runs_dir, "cannot read"):
        found = sorted(p for p in runs_dir.iterdir() if p.is_dir() and not p.name.startswith("."))
    return [summarise(p) for p in found if (p / RUN).exists() or (p / CHECKPOINTS).exists()]
