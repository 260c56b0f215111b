"""What imitation of an expert population is worth against how much of it was seen."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from envs.mean_field.game import FiniteMFG
from envs.mean_field.imitation import imitation_errors
from envs.mean_field.kernel import Array
from envs.mean_field.sampling import empirical_flow, empirical_occupancy, sample_trajectories
from mfmarl.imitation.adversarial import Descent, imitated
from mfmarl.imitation.cloning import cloned

LEARNERS = ("BC", "VAN-ADV", "MFC-ADV")


def learned(game: FiniteMFG, learner: str, seen: Array, flow: Array, descent: Descent | None = None) -> Array:
    """pi[..., T, S, A] of one of LEARNERS from an empirical occupancy and the empirical flow [..., T+1, S] beside it.

    Raises:
        ValueError: for another name.
    """
    if learner == "BC":
        return cloned(game, seen)
    if learner == "VAN-ADV":
        return imitated(game, "VAN", seen, flow, descent).pi
    if learner == "MFC-ADV":
        return imitated(game, "MFC", seen, flow, descent).pi
    raise ValueError(f"unknown learner {learner!r}; there are {', '.join(LEARNERS)}")


def nig_against_samples(
    game: FiniteMFG,
    expert: ArrayLike,
    numbers: Sequence[int],
    seeds: Sequence[int],
    learners: Sequence[str] = LEARNERS,
    descent: Descent | None = None,
) -> pd.DataFrame:
    """The Nash imitation gap of each learner from M sampled trajectories of `expert`, for M in `numbers`.

    Trajectories of one seed and number are the same for all learners, and depend on nothing else. Columns learner,
    samples, seed, NIG, and BC, VAN, MFC: the largest error over steps against the expert itself.

    Raises:
        BadPolicy: where `expert` is no policy of this game.
        ValueError: for a number below 1 or an unknown learner.
    """
    policy = game.check_policy(expert)
    cells = [(number, seed) for number in numbers for seed in seeds]
    sampled = [
        sample_trajectories(game, policy, number, np.random.default_rng([seed, number])) for number, seed in cells
    ]
    seen = np.stack([empirical_occupancy(game, one) for one in sampled])
    flow = np.stack([empirical_flow(game, one) for one in sampled])
    parts = []
    for learner in learners:
        pi = learned(game, learner, seen, flow, descent)
        worst = imitation_errors(game, policy, pi).max()
        rows = pd.DataFrame(cells, columns=["samples", "seed"]).assign(
            learner=learner, NIG=game.exploitability(pi), BC=worst.BC, VAN=worst.VAN, MFC=worst.MFC
        )
        parts.append(rows)
    columns = ["learner", "samples", "seed", "NIG", "BC", "VAN", "MFC"]
    return pd.concat(parts, ignore_index=True)[columns]
