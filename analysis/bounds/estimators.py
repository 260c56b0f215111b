"""The estimators of `mfmarl.core.importance` as agent 0 sees them, on sums of its neighbours and on drawn actions."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from analysis.bounds.populations import Population
from mfmarl.core.importance import (
    action_moments,
    gaussian_log_ratio,
    joint_log_ratio,
    marginal_log_ratio,
    mixture_log_ratio,
)
from mfmarl.errors import UserError

Array = NDArray[np.float64]
ESTIMATORS = ("joint", "marginal", "gaussian", "mixture", "uncorrected")
FRESH = 0.5
"""Share of the buffer that the new policies played, for `mixture`; each step is fresh with this probability."""
_CHUNK = 1 << 21
"""Numbers of a chunk of populations."""


@dataclass(frozen=True)
class Form:
    """What is done with the weights."""

    clip: bool
    self_normalise: bool

    def __str__(self) -> str:
        return {(0, 0): "plain", (1, 0): "clip", (0, 1): "self", (1, 1): "clip+self"}[self.clip, self.self_normalise]


FORMS = tuple(Form(clip, normalise) for normalise in (False, True) for clip in (False, True))


def forms_of(estimator: str) -> tuple[Form, ...]:
    """Nothing is to be clipped or normalised where nothing is corrected."""
    return FORMS[:1] if estimator == "uncorrected" else FORMS


def check_estimators(names: tuple[str, ...]) -> None:
    """Refuse what is no estimator.

    Raises:
        UserError: names the nearest.
    """
    for name in names:
        if name not in ESTIMATORS:
            close = difflib.get_close_matches(name.lower(), ESTIMATORS, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            raise UserError(f"--estimators: no estimator {name!r}{hint}; there are {', '.join(ESTIMATORS)}")


def log_ratio(name: str, population: Population, action: Tensor, bandwidth: float) -> Array:
    """log w of agent 0 [M] where the population played `action` [M, N]."""
    size = max(1, _CHUNK // population.old.size)
    starts = range(0, len(action), size)
    parts = [_log_ratio(name, population, action[i : i + size], bandwidth) for i in starts]
    return np.asarray(torch.cat(parts).numpy(), float)


def log_ratio_by_sum(name: str, population: Population, sums: NDArray[np.int64], bandwidth: float) -> Array:
    """log w of agent 0 [S] where its neighbours' actions sum to `sums` [S], of an estimator that sees only the sum."""
    if name in ("joint", "mixture") and not population.alike:
        raise ValueError(f"{name} depends on who played what, not on the sum only; want log_ratio")
    return log_ratio(name, population, _adding_up(population, torch.from_numpy(sums)), bandwidth)


def _log_ratio(name: str, population: Population, action: Tensor, bandwidth: float) -> Tensor:
    if name == "uncorrected":
        return torch.zeros(len(action), dtype=torch.float64)
    log_new, log_old = (torch.from_numpy(law).log() for law in (population.new, population.old))
    if name in ("joint", "mixture"):
        index = torch.arange(population.num_agents)
        now, then = log_new[index, action], log_old[index, action]
        if name == "joint":
            return joint_log_ratio(now, then)[:, 0]
        # the neighbours as one agent, whose action is their joint action: all that agent 0 sees of them
        now, then = (torch.stack([law[:, 0], law[:, 1:].sum(-1)], 1) for law in (now, then))
        return mixture_log_ratio(now, torch.stack([then, now]), torch.tensor([1.0 - FRESH, FRESH]))[:, 0]
    # nobody but agent 0 has neighbours, so that no other agent's sums are worked out
    star = torch.zeros(population.num_agents, population.num_agents, dtype=torch.bool)
    star[0, 1:] = True
    new, old = (law.expand(len(action), -1, -1) for law in (log_new, log_old))
    if name == "marginal":
        return marginal_log_ratio(new, old, action, star)[:, 0]
    (mean, variance), (old_mean, old_variance) = (
        [m.expand(len(action), -1) for m in action_moments(law)] for law in (new[:1], old[:1])
    )
    return gaussian_log_ratio(
        mean, variance, old_mean, old_variance, action.double(), star, bandwidth=bandwidth
    )[:, 0]  # fmt: skip


def _adding_up(population: Population, sums: Tensor) -> Tensor:
    """Actions [S, N] that add up to `sums` over the neighbours; agent 0 plays 0."""
    most = population.old.shape[1] - 1
    before = torch.arange(population.num_agents) * most - most
    action: Tensor = (sums.unsqueeze(1) - before).clamp(0, most)
    action[:, 0] = 0
    return action
