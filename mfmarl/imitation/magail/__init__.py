"""Multi-agent adversarial imitation (MAGAIL, Song et al. 2018) in small Markov games, and where it fails.

many_runs: seeds and betas trained in one batch. mixture: policies that share a signal; neural: perceptrons. cloning:
by counting, with fallbacks. interactive: the expert asked where deviators lead. theory: when entropy keeps MAGAIL from
the expert, exactly. joint: how far a joint law of actions is from the expert's. coordination, zero_sum: the studies of
the two failures. market: all types of the inventory market.
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
    from mfmarl.imitation.magail.many_runs import History as History
    from mfmarl.imitation.magail.many_runs import MAGAILConfig as MAGAILConfig
    from mfmarl.imitation.magail.many_runs import Run as Run
    from mfmarl.imitation.magail.many_runs import magail as magail
    from mfmarl.imitation.magail.rollouts import Arena as Arena

# by name, so that what needs no torch comes without it
NAMES = {
    "joint": ("collapse_class", "coordination_rate", "independent_limit", "joint_of", "js_distance"),
    "rollouts": ("Arena",),
    "many_runs": ("History", "MAGAILConfig", "Run", "magail"),
}


def __getattr__(name: str) -> Any:
    for module, names in NAMES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
