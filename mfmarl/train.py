"""One training run into a run folder: it can be killed at any moment, and resumed bit for bit."""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path
from typing import Any, Literal, Protocol

from mfmarl.config import TrainConfig, config_hash
from mfmarl.errors import StorageFailed, TrainingFailed, UserError
from mfmarl.runs.checkpoint import Checkpoint, prune, write_checkpoint
from mfmarl.runs.files import unpacking
from mfmarl.runs.interrupt import ctrl_c
from mfmarl.runs.journal import JOURNAL, Journal, last_line, truncate_after
from mfmarl.runs.lock import hold
from mfmarl.runs.progress import Progress
from mfmarl.runs.schema import create_run, mark_complete, mark_incomplete, open_resume, open_run, run_of
from mfmarl.seeding import draw_seed

RAISED = (UserError, StorageFailed, TrainingFailed, ConnectionError)


class Trainer(Protocol):
    """What `LocalTrainer`, `RLlibTrainer` and `BaselineTrainer` have in common."""

    def iterate(self) -> dict[str, float]:
        """One iteration; the metrics of its journal line."""
        ...

    def progress(self) -> dict[str, int]:
        """Iteration, environment steps, agent steps, gradient steps and episodes so far."""
        ...

    def get_state(self) -> tuple[Any, Any]:
        """(tensors, states) of a checkpoint."""
        ...

    def set_state(self, tensors: Any, states: Any) -> None:
        """Go on from a checkpoint."""
        ...

    def close(self) -> None:
        """Give back what was taken."""
        ...


def train(
    config: TrainConfig,
    runs_dir: Path,
    *,
    name: str | None = None,
    backend: Literal["rllib", "local"] = "rllib",
    resume: Path | None = None,
    progress: Progress | None = None,
    address: str | None = None,
) -> Path:
    """Train until `num_episodes` are played, or go on with the run at `resume`; returns the run folder.

    Ctrl-C ends it after the iteration that it meets, with a checkpoint; a second one at once.

    Args:
        address: of the Ray cluster to train on; without it that of RAY_ADDRESS, or a Ray of this machine.

    Raises:
        UserError: for settings, a name or a folder that cannot be used.
        TrainingFailed: where a guard stopped training; the last checkpoint stands.
        StorageFailed: where the disk does not take what is written, or a checkpoint is damaged.
    """
    progress = progress or Progress(quiet=True)
    if config.is_baseline and backend == "local":
        raise UserError(f"{config.algorithm} is RLlib's own and does not train without Ray; leave out --local")
    if config.num_learners > 1 and backend == "local":
        raise UserError(f"{config.num_learners} learners need Ray; leave out --local, or --num-learners")
    if address is not None and backend == "local":
        raise UserError("--local trains in this process, --address on a cluster; leave one out")
    if backend == "rllib":
        from mfmarl.rllib.quiet import start_ray, take_token

        take_token(address)
        if address is not None:
            # before a run folder is made
            start_ray(address=address, verbose=progress.verbose)
    if resume is None:
        if config.seed is None:
            config = config.model_copy(update={"seed": draw_seed()})
        run = new_run(config, runs_dir, name)
        with hold(run):
            return _train(config, run, None, backend, progress, address)
    run = run_of(resume)
    open_run(run)
    with hold(run):
        resumed = open_resume(resume)
        mark_incomplete(resumed.run)
        if resumed.checkpoint is None:
            progress.note(f"note: {run} has no checkpoint yet; it starts again")
        return _train(resumed.info.config, resumed.run, resumed.checkpoint, backend, progress, address)


def new_run(config: TrainConfig, runs_dir: Path, name: str | None) -> Path:
    """Make the folder of a run that has not begun, with its run.json.

    Raises:
        UserError: for an environment, an action space or a name that cannot be used.
        StorageFailed: where the folder cannot be written.
    """
    # imported here: an unknown environment is told before torch is loaded
    from mfmarl.trainer import make_env, network_shape

    env = make_env(config, num_envs=1)
    if not config.is_baseline:
        # refuses actions that the algorithm cannot play
        network_shape(config, env)
    names = getattr(env, "agent_names", None) or [f"agent_{i}" for i in range(env.num_agents)]
    import torch

    return create_run(
        config,
        runs_dir,
        name=name,
        agent_types=env.agent_types.tolist(),
        type_names=list(env.type_names),
        agent_names=names,
        device="cuda" if torch.cuda.is_available() and not config.is_baseline else "cpu",
    )


def _make_trainer(
    config: TrainConfig, backend: Literal["rllib", "local"], verbose: bool, address: str | None
) -> Trainer:
    import torch

    # small products: more threads than one only wait for each other
    torch.set_num_threads(1)
    if config.is_baseline:
        from mfmarl.rllib.baselines import BaselineTrainer

        return BaselineTrainer(config, address=address, verbose=verbose)
    if backend == "local":
        from mfmarl.trainer import LocalTrainer

        return LocalTrainer(config)
    from mfmarl.rllib.trainer import RLlibTrainer

    return RLlibTrainer(config, address=address, verbose=verbose)


def _train(
    config: TrainConfig,
    run: Path,
    checkpoint: Checkpoint | None,
    backend: Literal["rllib", "local"],
    progress: Progress,
    address: str | None,
) -> Path:
    from mfmarl.trainer import make_env

    began, seconds_before = time.monotonic(), 0.0
    kept = truncate_after(run, checkpoint.iteration if checkpoint else 0)
    if checkpoint is not None:
        line = last_line(run)
        with unpacking(run / JOURNAL):
            seconds_before = float(line["time_s"]) if line else 0.0
    hashed = config_hash(config)
    if backend == "rllib":
        needs_ray = config.is_baseline or config.num_learners > 1
        progress.note(f"starting Ray{'' if needs_ray else ' (--local trains without it, to the same numbers)'}")
    with (
        closing(_make_trainer(config, backend, progress.verbose, address)) as trainer,
        Journal(run) as journal,
        ctrl_c() as interrupted,
    ):
        if checkpoint is not None:
            with unpacking(f"checkpoint {checkpoint.iteration} of {run}", "cannot be gone on from", RAISED):
                trainer.set_state(checkpoint.tensors, checkpoint.states)
            if gone := checkpoint.iteration - kept:
                told = f"{run / JOURNAL} has lost its lines of {gone} of {checkpoint.iteration} iterations"
                progress.note(f"note: {told}")
        done = int(checkpoint.states["learner"]["episodes"]) if checkpoint else 0
        saved = checkpoint.iteration if checkpoint else -1
        env = make_env(config, num_envs=1)
        if config.doubt is not None and hasattr(env.action_space, "n"):
            progress.note(f"note: {config.doubt}")
        steps = config.num_episodes * int(getattr(env, "horizon", 1))
        progress.start(steps, f"{run.name}: {config.label} on {config.env}, seed {config.seed}")
        iteration = max(0, saved)
        while done < config.num_episodes:
            metrics = trainer.iterate()
            counters = trainer.progress()
            iteration, done = counters["iteration"], counters["episodes"]
            line = {"time_s": round(seconds_before + time.monotonic() - began, 3), **counters, "metrics": metrics}
            journal.append(line)
            progress.update(line)
            leaving = interrupted() and done < config.num_episodes
            if leaving or iteration % config.checkpoint_every == 0:
                journal.sync()
                write_checkpoint(run, iteration, *trainer.get_state(), hashed)
                saved = iteration
            if leaving:
                progress.end(f"{run.name}: saved after {iteration} iterations; next: mfmarl train --resume {run}")
                raise KeyboardInterrupt
        journal.sync()
        if saved != iteration:
            write_checkpoint(run, iteration, *trainer.get_state(), hashed)
        else:
            # a kill may have come between the last checkpoint and the removal of the oldest
            prune(run, iteration)
        mark_complete(run, iteration)
    progress.end(f"{run.name}: complete after {iteration} iterations; next: mfmarl evaluate {run}")
    return run
