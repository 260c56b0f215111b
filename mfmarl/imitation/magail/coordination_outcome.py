"""What runs in the coordination game have come to: their joint law, its distance from the expert's, and from Nash."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from envs.markov import coordination, play
from mfmarl.imitation.magail.joint import Collapse, collapse_class, coordination_rate, joint_of, js_distance
from mfmarl.imitation.magail.theory import Array
from mfmarl.seeding import generator


@dataclass(frozen=True)
class Outcome:
    """Of one run, exact from its last policies; what starts with `played` is counted in episodes."""

    beta: float
    seed: int
    p_a_1: float
    """P(A) of the first agent."""
    p_a_2: float
    AA: float
    AB: float
    BA: float
    BB: float
    coordination_rate: float
    """P(AA) + P(BB), which is also what either agent is paid."""
    js_distance: float
    """From the expert's samples. It cannot tell AA for sure from 1/2 and 1/2: the coordination rate does."""
    collapse: Collapse
    nash_conv: float
    exploitability: float
    episodes: int
    played_coordination_rate: float
    played_js_distance: float


def outcome(beta: float, seed: int, policies: Sequence[Array], expert: Array, episodes: int) -> Outcome:
    """Of policies [1, 2] of two agents.

    Args:
        expert: joint law [2, 2] of the expert's samples.
        episodes: how many are played; equal seeds draw alike.
    """
    game = coordination()
    joint = joint_of([policy[0] for policy in policies])
    played = play(game, game.joint_policy(policies), episodes, generator(seed, "magail", "evaluation"))
    counted = played.occupancy(game).joint[0]
    cells = dict(zip(("AA", "AB", "BA", "BB"), map(float, joint.ravel()), strict=True))
    return Outcome(
        beta=beta,
        seed=seed,
        p_a_1=float(policies[0][0, 0]),
        p_a_2=float(policies[1][0, 0]),
        **cells,
        coordination_rate=float(coordination_rate(joint)),
        js_distance=float(js_distance(expert.ravel(), joint.ravel())),
        collapse=collapse_class(joint),
        # rounding may leave less than 0
        nash_conv=float(np.maximum(game.nash_conv(policies), 0.0)),
        exploitability=float(np.maximum(game.exploitability(policies), 0.0)),
        episodes=len(played.lengths),
        played_coordination_rate=float(coordination_rate(counted)),
        played_js_distance=float(js_distance(expert.ravel(), counted.ravel())),
    )
