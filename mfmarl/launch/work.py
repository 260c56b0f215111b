"""One cell's work: train it, or go on with it, then evaluate it; and the process that does cells one after another.

python -m mfmarl.launch.work    # reads a job a line, answers an outcome a line, and dies with whom it answers
"""

from __future__ import annotations

import json
import os
import queue
import shutil
import sys
import threading
import traceback
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from mfmarl.config import TrainConfig, config_from, config_hash
from mfmarl.errors import StorageFailed, TrainingFailed, UserError
from mfmarl.launch.cell_state import forget_failure, make_notes, notes_of, write_failure
from mfmarl.registry import JOBS, load
from mfmarl.runs.checkpoint import checkpoint_paths, read_checkpoint
from mfmarl.runs.files import storing
from mfmarl.runs.lock import hold, holder
from mfmarl.runs.schema import COMPLETE, RUN, open_run
from mfmarl.runs.store import EVALUATION


@dataclass(frozen=True)
class Job:
    """A cell to do, as plain data: it goes through pipes and to other machines."""

    folder: str
    """Of the study, absolute."""
    digest: str
    config: dict[str, Any]
    episodes: int
    """Of evaluation."""
    split: str | None = None
    """Part of the data that evaluation plays; without it that of `mfmarl evaluate`."""


@dataclass(frozen=True)
class Outcome:
    """What became of a job."""

    digest: str
    kind: Literal["done", "failed", "busy"]
    """busy: another process works on the cell."""
    error: str = ""
    again: bool = False
    """Whether another attempt may help: bad input stays bad."""
    kept: bool = False
    """Whether the error stands beside the cell already."""


def do_cell(job: Job) -> Outcome:
    """Do what is left of a cell; a failure is kept beside the cell and returned, never raised."""
    folder = Path(job.folder)
    notes = notes_of(folder, job.digest)
    with ExitStack() as stack:
        try:
            make_notes(notes)
            try:
                stack.enter_context(hold(notes))
            except UserError as error:
                return Outcome(job.digest, "busy", str(error))
            _do(folder, job)
            forget_failure(notes)
        except Exception as error:
            run = folder / job.digest
            if (who := holder(run)) is not None:
                # a `mfmarl train --resume` of the user's own
                return Outcome(job.digest, "busy", f"{run} is in use: {who}")
            text = first_line(error)
            kept = False
            with suppress(StorageFailed):
                write_failure(notes, text, traceback.format_exc())
                kept = True
            return Outcome(job.digest, "failed", text, again=not isinstance(error, ValueError), kept=kept)
    return Outcome(job.digest, "done")


def _do(folder: Path, job: Job) -> None:
    config = config_from(job.config)
    if config_hash(config) != job.digest:
        raise UserError(
            f"cell {job.digest} has configuration {config_hash(config)} here; is another version of mfmarl installed?"
        )
    run = folder / job.digest
    _sweep(folder, run)
    if not (run / RUN).exists():
        load(JOBS, "train")(config, folder, name=job.digest, backend=backend_of(config))
    elif (found := open_run(run).config_hash) != job.digest:
        raise UserError(f"{run} is a run of configuration {found}; move it elsewhere")
    elif not (run / COMPLETE).exists():
        load(JOBS, "train")(config, folder, backend=backend_of(config), resume=newest_whole(run))
    if not (run / EVALUATION).exists():
        load(JOBS, "evaluate")(run, job.episodes, None, job.split)


def backend_of(config: TrainConfig) -> Literal["rllib", "local"]:
    """Without Ray where that computes the same in one process."""
    remote = config.num_env_runners + config.num_learners > 0
    return "rllib" if config.is_baseline or remote else "local"


def newest_whole(run: Path) -> Path:
    """What a run goes on from: its newest checkpoint that is whole, or the run itself where it has none.

    An older one loses some iterations, which are computed again, the same.
    """
    paths = checkpoint_paths(run)
    for path in reversed(paths):
        with suppress(StorageFailed):
            read_checkpoint(path)
            return path if path != paths[-1] else run
    return run


def _sweep(folder: Path, run: Path) -> None:
    """Take away what a killed process left half built; the cell's lock is held."""
    with storing(run):
        for left_over in (*folder.glob(f".{run.name}.*.tmp"), *run.glob(".*.tmp")):
            if left_over.is_dir():
                shutil.rmtree(left_over)
            else:
                left_over.unlink(missing_ok=True)


def first_line(error: BaseException) -> str:
    """What happened, in one line."""
    text = " ".join(str(error).split())
    ours = isinstance(error, UserError | TrainingFailed | StorageFailed)
    named = text if ours and text else f"{type(error).__name__}: {text}" if text else type(error).__name__
    return named[:2000]


def serve() -> None:
    """Do the jobs that come in by standard input, until it ends; an end in the middle of one ends the process too."""
    answers = os.dup(sys.stdout.fileno())
    # what else is printed is no answer
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    jobs: queue.SimpleQueue[str] = queue.SimpleQueue()

    def listen() -> None:
        for line in sys.stdin:
            jobs.put(line)
        # whoever asked is gone, however that came: nobody must find this process at work on a cell
        os._exit(0)

    threading.Thread(target=listen, daemon=True).start()
    while True:
        outcome = do_cell(Job(**json.loads(jobs.get())))
        os.write(answers, (json.dumps(asdict(outcome)) + "\n").encode())


if __name__ == "__main__":
    serve()
