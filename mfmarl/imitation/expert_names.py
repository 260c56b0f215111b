"""Experts by what a user calls them: a rule, the `optimal` one of a table, `random`, a saved imitator, a function.

Of a type of a population game they are reference policies, and a run's own networks by `trained`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mfmarl.errors import UserError
from mfmarl.imitation.experts import RULES
from mfmarl.imitation.imported import function_named
from mfmarl.imitation.networks import Policy
from mfmarl.imitation.rollout import Act, spaces_of
from mfmarl.imitation.saved import TENSORS, kind_of
from mfmarl.imitation.spaces import Spaces
from mfmarl.imitation.survival import random_actions
from mfmarl.imitation.tabular_model import model_of, numbers, optimal_actions
from mfmarl.imitation.type_name import is_type_game
from mfmarl.registry import IMITATION, load, suggestion
from mfmarl.seeding import stream

OPTIMAL = "optimal"
"""The best policy of an environment whose transitions and rewards are a table."""
AGENT = "agent"
"""The saved imitator in the folder of an imitation."""


def expert_of(name: str, env: str, seed: int) -> Act:
    """States [n, D] of `env` -> actions, of an expert as it is named.

    Args:
        seed: of `random`.

    Raises:
        UserError: for a name that is none, or an expert of other spaces.
    """
    spaces = spaces_of(env)
    of_type = _of_type() if is_type_game(env) else ()
    if name in of_type:
        from mfmarl.imitation import type_experts
        from mfmarl.imitation.type_game import type_game

        return type_experts.expert_of(type_game(env), name, stream(seed, "expert", name))
    if name == "random":
        return random_actions(spaces, stream(seed, "random"))
    if name == OPTIMAL:
        return _optimal(env)
    if name in RULES:
        home, rule = RULES[name]
        _check(name, spaces_of(home), spaces, env)
        return rule  # type: ignore[no-any-return]
    folder = _agent_in(Path(name))
    if folder is not None:
        policy = policy_in(folder)
        _check(name, policy.spaces, spaces, env)
        return policy.act
    if seeds := sorted(one.parent.name for one in Path(name).glob(f"s*/{AGENT}")):
        raise UserError(f"--expert {name} holds imitators of several seeds: choose one, as {name}/{seeds[0]}")
    if ":" in name:
        act: Act = function_named(name, "--expert")
        return act
    known = of_type or (*RULES, OPTIMAL, "random")
    raise UserError(
        f"--expert {name}: want {', '.join(known)}, the folder of a saved imitator, or module:function"
        f"{suggestion(name, known)}"
    )


def _of_type() -> tuple[str, ...]:
    # what other environments have no use for takes a second to import
    from envs.inventory.reference import POLICIES

    return (*POLICIES, "trained")


def policy_in(folder: Path) -> Policy:
    """The policy of any imitator saved there.

    Raises:
        UserError: for a folder that holds none.
        DamagedFile: names the file.
    """
    kind = kind_of(folder)
    by_class = {entry.target.split(":")[1]: name for name, entry in IMITATION.items()}
    if kind not in by_class:
        raise UserError(f"{folder} holds {kind!r}, which is no imitator of this version")
    # a policy alone needs no barrier, but the agent around it does
    given = {"barrier": _nowhere} if by_class[kind] == "safety_filter" else {}
    policy: Policy = load(IMITATION, by_class[kind]).load(folder, **given).policy
    return policy


def _optimal(env: str) -> Act:
    model = model_of(env)
    if model is None:
        raise UserError(f"--expert {OPTIMAL}: {env} has no table of transitions (P), as FrozenLake-v1 has")
    best = optimal_actions(model)
    return lambda states: best[numbers(states)]


def _nowhere(states: NDArray[np.float32]) -> NDArray[np.float64]:
    return np.zeros(len(states))


def _agent_in(folder: Path) -> Path | None:
    return next((one for one in (folder, folder / AGENT) if (one / TENSORS).exists()), None)


def _check(name: str, own: Spaces, spaces: Spaces, env: str) -> None:
    if own != spaces:
        raise UserError(f"expert {name} takes {own.told()}; {env} has {spaces.told()}")
