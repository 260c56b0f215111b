"""The coordination study: MAGAIL imitates an expert who meets in (A, A) or (B, B), at several entropy bonuses.

Both get 1 if they play the same. Agents who draw independently cannot play half (A, A) and half (B, B): without an
entropy bonus each run settles on one of them, with enough of it on chance. With a shared signal they can.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from envs.markov import coordination
from envs.markov.experts import coordination_joint, coordination_samples
from mfmarl.imitation.magail.coordination_outcome import Outcome, outcome
from mfmarl.imitation.magail.coordination_settings import CoordinationSettings
from mfmarl.imitation.magail.joint import independent_limit
from mfmarl.imitation.magail.many_runs import History, Run, magail
from mfmarl.imitation.magail.rollouts import Arena, Counts
from mfmarl.imitation.magail.settings import config_of
from mfmarl.imitation.magail.theory import Array, RewardStyle, symmetric_point

SAMPLES, EXPERT_SEED = 1000, 0


@dataclass(frozen=True)
class Thresholds:
    """Entropy bonus below which (1/2, 1/2) is left, at the best discriminator; below 0 it is never left.

    None where the expert does not treat A and B alike: then (1/2, 1/2) is no resting point. None, too, of agents who
    share a signal, and of discriminators that do not see both actions.
    """

    unbounded: float | None
    """Where the discriminator's logit may be anything."""
    at_lowest_logit: float | None
    """Where it may not be below the lowest that was met in training."""
    lowest_logit: float
    """The least over all betas, runs and records of the study, so that one threshold holds for all of them."""


@dataclass(frozen=True)
class CoordinationStudy:
    """All runs of a study: betas in their order, and seeds within each."""

    settings: CoordinationSettings
    expert: Array
    """[2, 2]: joint law of the 1000 samples; distances and the limit are from it."""
    independent_limit: float
    """The least JS distance that agents who draw independently come to."""
    thresholds: Thresholds
    history: History
    outcomes: tuple[Outcome, ...]
    cpu_seconds: float
    """Of training in all its calls, and of measuring in the last."""


def study(
    settings: CoordinationSettings,
    *,
    checkpoint: Path | None = None,
    told: Callable[[str], None] | None = None,
) -> CoordinationStudy:
    """All betas and seeds in one batch.

    Args:
        checkpoint: a file that training is kept in, and taken up from where it is there.
        told: gets a line of progress every epoch.

    Raises:
        UserError: where the checkpoint is of another study.
        DamagedFile: where it was cut short or changed.
        StorageFailed: where it cannot be read or written.
    """
    game, counts = coordination(), expert_counts(settings.expert_type)
    runs = [Run(seed, beta) for beta in settings.betas for seed in settings.seeds]
    config = config_of(
        settings,
        epochs=settings.epochs,
        rollouts=settings.rollout_episodes,
        batch_size=settings.batch_size,
        collect_every=settings.collect_every,
        signals=settings.signals,
    )
    history = magail(Arena.of(game), counts[None], runs, config, checkpoint=checkpoint, told=told)
    began = time.process_time()
    expert: Array = counts / counts.sum()
    outcomes = tuple(
        outcome(run.beta, run.seed, joint, expert, settings.eval_episodes)
        for run, joint in zip(runs, history.joint[-1], strict=True)
    )
    lowest = float(min(logits.min() for logits in history.logits))
    of_theory = settings.signals == 1 and settings.discriminator != "decentralised"
    law = coordination_joint(settings.expert_type)[0]
    return CoordinationStudy(
        settings=settings,
        expert=expert,
        independent_limit=independent_limit(expert),
        thresholds=thresholds(law, settings.reward_style, lowest) if of_theory else Thresholds(None, None, lowest),
        history=history,
        outcomes=outcomes,
        cpu_seconds=history.cpu_seconds + time.process_time() - began,
    )


def expert_counts(expert: str) -> Counts:
    """[2, 2]: how often each joint action is among the 1000 samples."""
    counts = np.zeros((2, 2), np.int64)
    np.add.at(counts, tuple(coordination_samples(expert, SAMPLES, EXPERT_SEED).T), 1)
    return counts


def thresholds(expert: Array, style: RewardStyle, lowest_logit: float) -> Thresholds:
    """Of an expert's own joint law [2, 2], of which samples are a little off."""
    (aa, ab), (ba, bb) = expert.tolist()
    if not (math.isclose(aa, bb) and math.isclose(ab, ba, abs_tol=1e-12)):
        return Thresholds(None, None, lowest_logit)
    off = ab + ba
    return Thresholds(
        symmetric_point(off, style).threshold, symmetric_point(off, style, lowest_logit).threshold, lowest_logit
    )
