"""The zero-sum study: whether an imitator can be exploited is decided where its expert never goes.

The expert plays one action for ever and never sees the state s1, whose policies decide how much either player could
gain. MAGAIL pays log D there too, but nothing of the expert's tells actions apart in s1, so that policies drift (mean
exploitability .52, .75, 1.22, 2.05 after 10, 100, 200, 1000 epochs, docs/magail_zero_sum.md); a clone plays its
fallback there, whatever the number of demonstrations.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from envs.markov import Identifiability, MarkovGame, Rollouts, identifiability, zero_sum
from envs.markov.experts import zero_sum_policies, zero_sum_samples
from mfmarl.imitation.magail.cloning import FALLBACKS, Fallback, cloned
from mfmarl.imitation.magail.joint import js_distance
from mfmarl.imitation.magail.many_runs import History, Run, magail
from mfmarl.imitation.magail.rollouts import Arena
from mfmarl.imitation.magail.settings import config_of
from mfmarl.imitation.magail.theory import Array
from mfmarl.imitation.magail.zero_sum_settings import ZeroSumSettings

DECIDING = 1
"""The state s1."""


@dataclass(frozen=True)
class Measured:
    """Profiles of a batch [...] beside the expert, exactly."""

    policies: tuple[Array, ...]
    """Of each player, [..., S, A]."""
    values: Array
    """[...]: V, what the first player gets; the second gets -V."""
    gaps: Array
    """[..., 2]: BR_1 - V and BR_2 + V."""
    distance: Array
    """[...]: JS distance of the joint occupancy from the expert's."""

    @property
    def exploitability(self) -> Array:
        """[...]: the larger gap."""
        out: Array = self.gaps.max(-1)
        return out

    @property
    def nash_conv(self) -> Array:
        """[...]: the sum of both, BR_1 + BR_2."""
        out: Array = self.gaps.sum(-1)
        return out


@dataclass(frozen=True)
class Left:
    """What an occupancy leaves open."""

    of: str
    deciding: float
    """The share of s1 in it."""
    report: Identifiability | None
    reason: str = ""
    """Why there is no report."""


@dataclass(frozen=True)
class ZeroSumStudy:
    """R seeds of MAGAIL, K records each; C seeds of clones."""

    settings: ZeroSumSettings
    game: MarkovGame
    history: History
    learnt: Measured
    """Of MAGAIL, [K, R]."""
    clone_samples: tuple[int, ...]
    """M numbers of demonstrated steps."""
    clones: dict[Fallback, Measured]
    """[M, C]"""
    left_open: tuple[Left, ...]
    """By the expert's exact occupancy, and by its samples and what MAGAIL learnt, of each seed."""
    cpu_seconds: float
    """Of training in all its calls, and of measuring in the last."""


def study(
    settings: ZeroSumSettings, *, checkpoint: Path | None = None, told: Callable[[str], None] | None = None
) -> ZeroSumStudy:
    """All seeds in one batch, and clones of prefixes of each seed's demonstrations.

    Args:
        checkpoint: a file that training is kept in, and taken up from where it is there.
        told: gets a line of progress every epoch.

    Raises:
        UserError: where the checkpoint is of another study.
        DamagedFile: where it was cut short or changed.
        StorageFailed: where it cannot be read or written.
    """
    game = zero_sum(settings.gamma)
    shown = {seed: demonstrations(game, settings, seed) for seed in {*settings.seeds, *settings.cloned_seeds}}
    counts = np.stack([shown[seed].counts(game) for seed in settings.seeds])
    config = config_of(
        settings,
        epochs=settings.epochs,
        rollouts=settings.rollout_episodes,
        batch_size=settings.batch_size,
        collect_every=settings.collect_every,
    )
    runs = [Run(seed, settings.beta) for seed in settings.seeds]
    history = magail(Arena.of(game), counts, runs, config, checkpoint=checkpoint, told=told)
    began = time.process_time()
    expert = game.occupancy(zero_sum_policies(game, settings.expert_action)).joint
    learnt = measured(game, history.policies, expert)
    sizes = sample_sizes(settings.expert_total)
    seen = np.stack([[shown[seed].first(m).counts(game) for seed in settings.cloned_seeds] for m in sizes])
    return ZeroSumStudy(
        settings=settings,
        game=game,
        history=history,
        learnt=learnt,
        clone_samples=sizes,
        clones={fallback: measured(game, cloned(game, seen, fallback), expert) for fallback in FALLBACKS},
        left_open=_left_open(game, settings.seeds, expert, counts, history),
        cpu_seconds=history.cpu_seconds + time.process_time() - began,
    )


def demonstrations(game: MarkovGame, settings: ZeroSumSettings, seed: int) -> Rollouts:
    """The expert's steps that a seed is shown."""
    return zero_sum_samples(game, settings.expert_total, seed, settings.expert_action)


def sample_sizes(total: int) -> tuple[int, ...]:
    """1, 2, 5, 10, 20, 50 and so on, up to all."""
    steps = [m * 10**k for k in range(len(str(total))) for m in (1, 2, 5)]
    return (*(m for m in steps if m < total), total)


def measured(game: MarkovGame, policies: Sequence[Array], expert: Array) -> Measured:
    """Profiles [..., S, A_i] beside an expert's occupancy [S, A_1, A_2]."""
    found = game.occupancy(policies).joint
    lead = found.shape[: -expert.ndim]
    # rounding may leave less than 0
    gaps = np.maximum(game.gaps(policies), 0.0)
    values = game.values(policies)[..., 0]
    # rows that linear systems leave below 0 by rounding, or off 1, are no laws
    law = np.maximum(found.reshape(*lead, -1), 0.0)
    distance = js_distance(expert.ravel(), law / law.sum(-1, keepdims=True))
    return Measured(tuple(policies), values, gaps, distance)


def _left_open(
    game: MarkovGame, seeds: Sequence[int], expert: Array, counts: NDArray[np.int64], history: History
) -> tuple[Left, ...]:
    learnt = game.occupancy([pi[-1] for pi in history.policies]).joint
    each = [("expert", expert)]
    each += [(f"samples of seed {seed}", count / count.sum()) for seed, count in zip(seeds, counts, strict=True)]
    each += [(f"MAGAIL of seed {seed}", np.maximum(one, 0.0)) for seed, one in zip(seeds, learnt, strict=True)]
    return tuple(_left(game, of, occupancy) for of, occupancy in each)


def _left(game: MarkovGame, of: str, occupancy: Array) -> Left:
    deciding = float(occupancy[DECIDING].sum())
    try:
        return Left(of, deciding, identifiability(game, occupancy))
    except ValueError as error:
        # few samples may leave what values are open
        return Left(of, deciding, None, str(error))
