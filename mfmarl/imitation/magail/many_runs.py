"""MAGAIL (Song et al. 2018), many runs at once: a leading axis R of runs, each of its own seed and beta.

An epoch: as many rollouts as are asked for; one step of the discriminators, by batches of expert's and learners' joint
actions; one step of the policies along the score-function gradient of what the discriminators pay, and of entropy.
Policies and discriminators are tables, or perceptrons (`neural`); agents may share a signal (`mixture`). A run
draws from its own generators, and so is the same alone and in a batch, to rounding; a killed call that is taken up
again is the same bit for bit.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from envs.markov.checks import numbers
from mfmarl.errors import UserError
from mfmarl.imitation.magail.history import History
from mfmarl.imitation.magail.rollouts import Arena
from mfmarl.imitation.magail.settings import MAGAILConfig, Run
from mfmarl.imitation.magail.training import Training
from mfmarl.runs.files import to_json

__all__ = ["History", "MAGAILConfig", "Run", "magail"]

KEPT_EVERY_S = 10.0
"""Seconds between two checkpoints."""


def magail(
    arena: Arena,
    demonstrations: ArrayLike,
    runs: Sequence[Run],
    config: MAGAILConfig | None = None,
    *,
    checkpoint: Path | str | None = None,
    told: Callable[[str], None] | None = None,
) -> History:
    """Every run trained, all in one batch.

    Args:
        demonstrations: [S, A_1..A_n], how often the expert was seen to play so; or [R, S, A_1..A_n], a run its own.
        checkpoint: a file that the training is kept in, every ten seconds and at the end. The same call goes on from
            there, bit for bit; after the end it only reads.
        told: gets a line of progress every epoch.

    Raises:
        UserError: for demonstrations of another shape, or none; no runs; a beta that is not 0 or more; a checkpoint
            of other runs, settings or demonstrations.
        DamagedFile: where the checkpoint was cut short or changed.
        StorageFailed: where it cannot be read or written.
    """
    settings = MAGAILConfig() if config is None else config
    counts = _checked(arena, demonstrations, runs)
    training = Training(arena, counts, runs, settings)
    problem = _fingerprint(arena, counts, runs, settings)
    path = None if checkpoint is None else Path(checkpoint)
    if path is not None and path.exists():
        training.take_up(path, problem)
    kept = time.monotonic()
    while training.epoch < settings.epochs:
        training.step()
        if told is not None:
            told(f"epoch {training.epoch} of {settings.epochs}")
        over = training.epoch == settings.epochs
        if path is not None and (over or time.monotonic() - kept >= KEPT_EVERY_S):
            training.keep(path, problem)
            kept = time.monotonic()
    return training.history()


def _fingerprint(arena: Arena, demonstrations: NDArray[np.int64], runs: Sequence[Run], settings: MAGAILConfig) -> str:
    """Of all that decides how training goes."""
    told = {
        "config": settings.model_dump(mode="json"),
        "runs": [asdict(run) for run in runs],
        "actions": arena.actions,
        "discount": arena.discount,
    }
    sha = hashlib.sha256(to_json(told).encode())
    for array in (arena.start, arena.transitions, arena.features, demonstrations):
        if array is not None:
            sha.update(f"{array.shape}".encode() + np.ascontiguousarray(array).tobytes())
    return sha.hexdigest()


def _checked(arena: Arena, demonstrations: ArrayLike, runs: Sequence[Run]) -> NDArray[np.int64]:
    """The demonstrations as counts."""
    if not isinstance(arena, Arena):
        raise UserError(
            f"magail: the first argument is a {type(arena).__name__}; want an Arena, such as Arena.of(game)"
        )
    given = numbers(demonstrations, "magail: demonstrations", UserError)
    counts = given.astype(np.int64)
    one = (arena.states, *arena.actions)
    wanted = (one, (len(runs), *one))
    if counts.shape not in wanted:
        raise UserError(f"magail: demonstrations have shape {counts.shape}; want {one}, a count each, or {wanted[1]}")
    if (counts != given).any() or (counts < 0).any() or not (counts.reshape(-1, math.prod(one)).sum(1) > 0).all():
        raise UserError("magail: demonstrations are no counts, or none; want whole numbers of 0 or more, one above 0")
    if not runs:
        raise UserError("magail: no runs; want one or more")
    for run in runs:
        if not isinstance(run, Run):
            raise UserError(f"magail: runs hold {run!r}; want Run(seed, beta)")
        if isinstance(run.seed, bool) or not isinstance(run.seed, int | np.integer) or run.seed < 0:
            raise UserError(f"magail: a seed is {run.seed!r}; want a whole number of 0 or more")
        if not (math.isfinite(run.beta) and run.beta >= 0):
            raise UserError(f"magail: beta of seed {run.seed} is {run.beta}; want a number of 0 or more")
    return counts
