"""Multi-agent adversarial imitation (MAGAIL, Song et al. 2018) in small Markov games, and where it fails.

tabular: many runs of it in one batch. theory: when entropy keeps it from the expert, exactly. joint: how far a joint
law of actions is from the expert's. rollouts: play of tabular policies. market: all types of a population game.
"""

from __future__ import annotations

from mfmarl.imitation.magail.joint import (
    collapse_class,
    coordination_rate,
    independent_limit,
    joint_of,
    js_distance,
)
from mfmarl.imitation.magail.rollouts import Arena
from mfmarl.imitation.magail.tabular import History, MAGAILConfig, Run, magail

__all__ = [
    "Arena",
    "History",
    "MAGAILConfig",
    "Run",
    "collapse_class",
    "coordination_rate",
    "independent_limit",
    "joint_of",
    "js_distance",
    "magail",
]
