"""The reward of places that are worse the more are there, as a loop for machine code."""

from __future__ import annotations

from typing import Any

from envs.mean_field.kernel import Array


def crowding_loop(t: int, mu: Array, x: Array, params: Any, out: Array) -> None:
    """r = base(s, a) + slope(s) mu(s); params begin with base[S, A] and slope[S]."""
    base, slope = params[0], params[1]
    for s in range(base.shape[0]):
        felt = slope[s] * mu[s]
        for a in range(base.shape[1]):
            out[s, a] = base[s, a] + felt
