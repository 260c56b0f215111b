"""What is played: population environments. `envs.make(name)` builds one, `envs.names()` lists them."""

from __future__ import annotations

import difflib
from typing import Any

from envs.population import PopulationEnv, Step
from envs.views.registration import register

__all__ = ["PopulationEnv", "Step", "UnknownName", "has_held_out", "make", "names", "options"]

register()


class UnknownName(ValueError):
    """A name that is not known here, with the nearest one that is."""

    def __init__(self, kind: str, name: str, known: list[str]) -> None:
        close = difflib.get_close_matches(name, known, 1, 0.6)
        hint = f"did you mean {close[0]!r}? " if close else ""
        super().__init__(f"unknown {kind} {name!r}: {hint}known are {', '.join(sorted(known))}")


def names() -> list[str]:
    """Names of all environments that `make` builds."""
    from envs.inventory.presets import PRESETS

    return [f"inventory/{name}" for name in PRESETS]


def options(name: str) -> list[str]:
    """Settings that the environment `name` takes as overrides."""
    if name not in names():
        raise UnknownName("environment", name, names())
    from envs.inventory.presets import option_names

    return option_names(name.removeprefix("inventory/"))


def has_held_out(name: str, **overrides: Any) -> bool:
    """Whether the environment holds data out of training, which `split=test` plays.

    Raises:
        UnknownName: for a name or setting that does not exist, with the nearest one.
        ValueError: for a value out of range.
    """
    if name not in names():
        raise UnknownName("environment", name, names())
    from envs.inventory import presets

    return presets.has_held_out(name.removeprefix("inventory/"), overrides)


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
        overrides: settings that differ from the preset's.

    Raises:
        UnknownName: for a name or setting that does not exist, with the nearest one.
        ValueError: for a value out of range.
    """
    if name not in names():
        raise UnknownName("environment", name, names())
    _check_number("num_envs", num_envs, 1, "at least one copy is played")
    if num_agents is not None:
        _check_number("num_agents", num_agents, 2, "a population has at least 2 agents")
    import numpy as np

    from envs.inventory.backend import backend as backend_of
    from envs.inventory.presets import make_preset

    drawn = int(np.random.SeedSequence().generate_state(1)[0]) if seed is None else seed
    preset = name.removeprefix("inventory/")
    chosen = backend_of(backend)
    return make_preset(preset, num_envs=num_envs, num_agents=num_agents, seed=drawn, backend=chosen, **overrides)


MOST = 10_000_000
"""Agents, or copies; an agent of the market takes about a kilobyte."""


def _check_number(name: str, value: Any, least: int, why: str) -> None:
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise ValueError(f"{name} is {value!r}; give a whole number of at least {least}")
    if value < least:
        raise ValueError(f"{name} is {value}; {why}")
    if value > MOST:
        raise ValueError(f"{name} is {value}; at most {MOST} fit a machine's memory")
