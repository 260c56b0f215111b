"""Learning to play as an expert does: from demonstrations, by asking, or by being told apart from it."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mfmarl.registry import IMITATION

if TYPE_CHECKING:
    from mfmarl.imitation.airl import AIRLAgent as AIRLAgent
    from mfmarl.imitation.bc import BCAgent as BCAgent
    from mfmarl.imitation.dagger import DAggerAgent as DAggerAgent
    from mfmarl.imitation.demonstrations import Demonstrations as Demonstrations
    from mfmarl.imitation.gail import GAILAgent as GAILAgent
    from mfmarl.imitation.maxent_agent import MaxEntIRLAgent as MaxEntIRLAgent
    from mfmarl.imitation.mega_dagger.model_based import MEGADAggerAgent as MEGADAggerAgent
    from mfmarl.imitation.mega_dagger.multi_expert import MultiExpertAgent as MultiExpertAgent
    from mfmarl.imitation.mega_dagger.safety_filter import SafetyFilterAgent as SafetyFilterAgent

# by name, so that what needs no torch comes without it
AGENTS = {name: module for module, name in sorted(entry.target.split(":") for entry in IMITATION.values())}


def __getattr__(name: str) -> Any:
    if name == "Demonstrations":
        from mfmarl.imitation.demonstrations import Demonstrations

        return Demonstrations
    if name not in AGENTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(AGENTS[name]), name)
