"""Multi-agent adversarial imitation (MAGAIL, Song et al. 2018) in small Markov games, and where it fails.

tabular: many runs of it in one batch. theory: when entropy keeps it from the expert, exactly. joint: how far a joint
law of actions is from the expert's. rollouts: play of tabular policies. cloning: by counting, with fallbacks.
coordination, zero_sum: the studies of the two failures. market: all types of a population game.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mfmarl.imitation.magail.joint import collapse_class as collapse_class
    from mfmarl.imitation.magail.joint import coordination_rate as coordination_rate
    from mfmarl.imitation.magail.joint import independent_limit as independent_limit
    from mfmarl.imitation.magail.joint import joint_of as joint_of
    from mfmarl.imitation.magail.joint import js_distance as js_distance
    from mfmarl.imitation.magail.rollouts import Arena as Arena
    from mfmarl.imitation.magail.tabular import History as History
    from mfmarl.imitation.magail.tabular import MAGAILConfig as MAGAILConfig
    from mfmarl.imitation.magail.tabular import Run as Run
    from mfmarl.imitation.magail.tabular import magail as magail

# by name, so that what needs no torch comes without it
NAMES = {
    "joint": ("collapse_class", "coordination_rate", "independent_limit", "joint_of", "js_distance"),
    "rollouts": ("Arena",),
    "tabular": ("History", "MAGAILConfig", "Run", "magail"),
}


def __getattr__(name: str) -> Any:
    for module, names in NAMES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
