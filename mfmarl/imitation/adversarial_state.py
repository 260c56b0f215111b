"""Storing agents of adversarial imitation between rounds, so that training goes on as if it had not stopped."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mfmarl.errors import DamagedFile, UserError
from mfmarl.imitation.absorbing import Ends
from mfmarl.imitation.demonstrations import Demonstrations
from mfmarl.imitation.repeatable import places_as_arrays, places_of
from mfmarl.imitation.result import Counts
from mfmarl.imitation.rollout import MakeEnv
from mfmarl.imitation.steps import Steps
from mfmarl.runs.checkpoint import latest_valid, write_checkpoint
from mfmarl.runs.files import storing

if TYPE_CHECKING:
    from mfmarl.imitation.adversarial_agent import AdversarialAgent

    Agent = TypeVar("Agent", bound=AdversarialAgent[Any])

Arrays = dict[str, NDArray[Any]]


def save_agent(agent: AdversarialAgent[Any], folder: Path) -> None:
    """Write a checkpoint below `folder`; see `mfmarl.runs.checkpoint`."""
    with storing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    tensors = {
        "actor": _arrays(agent.ppo.actor.state_dict()),
        "critic": _arrays(agent.ppo.critic.net.state_dict()),
        "discriminator": _arrays(agent.discriminator.state_dict()),
        "policy_optimiser": _moments(agent.ppo.optimiser),
        "discriminator_optimiser": _moments(agent.optimiser),
        "generators": {"draws": agent.generator.get_state().numpy()},
        "environments": places_as_arrays(agent.places or []),
    }
    tensors |= {f"past_{i}": _arrays(steps.tensors()) for i, steps in enumerate(agent.past)}
    state = {
        "method": type(agent).__name__,
        "config": agent.config.model_dump(mode="json"),
        "seed": agent.seed,
        "counts": vars(agent.counts),
        "updates": agent.ppo.updates,
        "ends": vars(agent.ends),
        "past": len(agent.past),
        "ended": agent.ended.state(),
        "history": agent.history,
    }
    write_checkpoint(folder, len(agent.history), tensors, {"agent": state}, "")


def load_agent(
    kind: type[Agent], folder: Path, env: str | MakeEnv | None, demonstrations: Demonstrations | None
) -> Agent:
    """The agent of the newest checkpoint below `folder`."""
    checkpoint = latest_valid(folder)
    if checkpoint is None:
        raise UserError(f"{folder} holds no saved agent; want a folder that {kind.__name__}.save wrote")
    tensors, state = checkpoint.tensors, checkpoint.states.get("agent", {})
    method = state.get("method")
    if method != kind.__name__:
        raise UserError(f"{folder} holds {method or 'no agent'}, no {kind.__name__}; load it by its own class")
    try:
        agent = kind(state["config"], env, demonstrations, state["seed"])
        counts = Counts(**state["counts"])
        agent.ppo.actor.load_state_dict(_tensors(tensors["actor"]))
        agent.ppo.critic.net.load_state_dict(_tensors(tensors["critic"]))
        agent.discriminator.load_state_dict(_tensors(tensors["discriminator"]))
        _set_moments(agent.ppo.optimiser, tensors["policy_optimiser"])
        _set_moments(agent.optimiser, tensors["discriminator_optimiser"])
        agent.generator.set_state(torch.from_numpy(tensors["generators"]["draws"]))
        agent.places = places_of(tensors["environments"]) or None
        agent.past.extend(Steps(**_tensors(tensors[f"past_{i}"])) for i in range(state["past"]))
        agent.counts, agent.ppo.updates = counts, state["updates"]
        agent.ends = Ends(**state["ends"])
        agent.ended.restore(state["ended"])
        agent.history = state["history"]
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise DamagedFile(f"{folder}: the saved agent is not whole: {error}") from error
    if demonstrations is not None and counts.demonstrations != demonstrations.steps:
        raise UserError(
            f"{folder} was trained on {counts.demonstrations} steps of demonstrations; these have "
            f"{demonstrations.steps}"
        )
    return agent


def _arrays(tensors: dict[str, Tensor]) -> Arrays:
    return {name: tensor.detach().numpy() for name, tensor in tensors.items()}


def _tensors(arrays: Arrays) -> dict[str, Tensor]:
    return {name: torch.from_numpy(np.array(array)) for name, array in arrays.items()}


def _moments(optimiser: torch.optim.Optimizer) -> Arrays:
    """Adam's averages and steps of each parameter."""
    state = optimiser.state_dict()["state"]
    return {f"{i}_{name}": value.numpy() for i, of_one in state.items() for name, value in of_one.items()}


def _set_moments(optimiser: torch.optim.Optimizer, arrays: Arrays) -> None:
    state: dict[int, dict[str, Tensor]] = {}
    for key, tensor in _tensors(arrays).items():
        number, name = key.split("_", 1)
        state.setdefault(int(number), {})[name] = tensor
    optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})
