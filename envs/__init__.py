"""What is played: population environments. `envs.make(name)` builds one, `envs.names()` lists them."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from importlib import import_module
from typing import Any, Protocol, cast

from envs.population import PopulationEnv, Step
from envs.views.registration import register

__all__ = ["PopulationEnv", "Step", "UnknownName", "has_held_out", "make", "names", "options"]

register()

FAMILIES = {"inventory": "envs.inventory.presets", "games": "envs.one_shot.presets"}
"""family -> the module of its named environments, imported when one of them is asked for."""


class UnknownName(ValueError):
    """A name that is not known here, with the nearest one that is."""

    def __init__(self, kind: str, name: str, known: list[str]) -> None:
        by_lower = {one.lower(): one for one in known}
        close = difflib.get_close_matches(name.lower(), by_lower, 1, 0.6)
        hint = f"did you mean {by_lower[close[0]]!r}? " if close else ""
        there = f"known are {', '.join(sorted(known))}" if known else "there are none"
        super().__init__(f"unknown {kind} {name!r}: {hint}{there}")


class _Family(Protocol):
    """What the module of a family has."""

    PRESETS: Mapping[str, Any]

    def option_names(self, name: str) -> list[str]:
        """Settings of one of them."""
        ...

    def has_held_out(self, name: str, overrides: Mapping[str, Any]) -> bool:
        """Whether it holds data out of training with these settings."""
        ...

    def make_preset(
        self, name: str, *, num_envs: int, num_agents: int | None, seed: int, backend: str, **overrides: Any
    ) -> PopulationEnv:
        """Build one of them."""
        ...


def _family(name: str) -> _Family:
    # a module has the functions of the protocol
    return cast(_Family, import_module(FAMILIES[name]))


def _found(name: str) -> tuple[_Family, str]:
    """The family of an environment, and its name there; raises UnknownName."""
    if name not in (known := names()):
        raise UnknownName("environment", name, known)
    family, _, preset = name.partition("/")
    return _family(family), preset


def names() -> list[str]:
    """Names of all environments that `make` builds."""
    return [f"{family}/{name}" for family in FAMILIES for name in _family(family).PRESETS]


def options(name: str) -> list[str]:
    """Settings that the environment `name` takes as overrides."""
    family, preset = _found(name)
    return family.option_names(preset)


def has_held_out(name: str, **overrides: Any) -> bool:
    """Whether the environment holds data out of training, which `split=test` plays.

    Raises:
        UnknownName: for a name or setting that does not exist, with the nearest one.
        ValueError: for a value out of range.
    """
    family, preset = _found(name)
    return family.has_held_out(preset, overrides)


def make(
    name: str,
    num_envs: int = 1,
    num_agents: int | None = None,
    seed: int | None = None,
    backend: str = "numpy",
    **overrides: Any,
) -> PopulationEnv:
    """A population environment of `num_envs` copies.

    Args:
        name: e.g. ``inventory/market-easy``; see `names`.
        num_agents: N; the preset's own number where not given.
        seed: of the first episodes; drawn where not given.
        backend: ``numpy``; ``torch`` for tensors on CUDA where there is a device; ``torch:cpu``, ``torch:cuda:1``.
            One-shot games have NumPy only.
        overrides: settings that differ from the preset's.

    Raises:
        UnknownName: for a name or setting that does not exist, with the nearest one.
        ValueError: for a value out of range.
    """
    family, preset = _found(name)
    _check_number("num_envs", num_envs, 1, "at least one copy is played")
    if num_agents is not None:
        _check_number("num_agents", num_agents, 2, "a population has at least 2 agents")
    import numpy as np

    drawn = int(np.random.SeedSequence().generate_state(1)[0]) if seed is None else seed
    return family.make_preset(
        preset, num_envs=num_envs, num_agents=num_agents, seed=drawn, backend=backend, **overrides
    )


MOST = 10_000_000
"""Agents, or copies; an agent of the market takes about a kilobyte."""


def _check_number(name: str, value: Any, least: int, why: str) -> None:
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise ValueError(f"{name} is {value!r}; give a whole number of at least {least}")
    if value < least:
        raise ValueError(f"{name} is {value}; {why}")
    if value > MOST:
        raise ValueError(f"{name} is {value}; at most {MOST} fit a machine's memory")
