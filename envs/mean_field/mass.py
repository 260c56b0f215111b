"""Mass along a flow: laws that follow the population are looked at where it is, and those that lose or make mass named.

A law is checked as a whole only where it is made, and for audits. Flows look at the mass that they end up with, which
costs next to nothing; which row was wrong is worked out once it is.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from envs.mean_field.kernel import Array, BadKernel, Kernel, Seen, check_rows
from envs.mean_field.loops import SUM_TOLERANCE

Law = tuple[Kernel, int, Seen]
"""A kernel, the step t, and what it is told of the population then."""


def check_laws(laws: Iterable[Law], name: str) -> None:
    """Refuse transitions that are no probabilities; those that are fixed are looked at once, at t = 0.

    Raises:
        BadKernel: names the game, t, s and a of the first row that is none.
    """
    for kernel, t, seen in laws:
        if not kernel.fixed or t == 0:
            check_rows(kernel.rows(t, seen)[1], f"{name}: ", f" at t={t}", SUM_TOLERANCE)


def check_mass(mu: Array, laws: Iterable[Law], name: str) -> None:
    """Refuse flows mu[..., S] of which some distribution has not mass 1, and name the row that `laws` made it by.

    Raises:
        BadKernel: names the game, t, s and a.
    """
    total = mu.sum(-1)
    # NaN compares false
    if np.abs(total - 1).max() <= SUM_TOLERANCE and mu.min() >= -SUM_TOLERANCE:
        return
    check_laws(laws, name)
    worst = total.flat[np.abs(total - 1).argmax()]
    raise BadKernel(
        f"{name}: a distribution of the flow has mass {worst:.12g} (least entry {mu.min():.3g}); want 1, none below 0"
    )
