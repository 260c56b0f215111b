"""What all kinds of games refuse: rows that are no distributions, masks, rewards and policies that do not fit."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from envs.mean_field.kernel import Array
from envs.mean_field.loops import SUM_TOLERANCE

Mask = NDArray[np.bool_] | None
"""[S, A]: actions that a state has; None where it has all."""


class BadPolicy(ValueError):
    """An array that is no policy, flow or distribution of the game: says which entry, or both shapes."""


def check_simplex(rows: Array, shape: tuple[int, ...], what: str) -> None:
    """Refuse rows[..., *shape] whose last axis is no distribution.

    Raises:
        BadPolicy: prints both shapes, or the first row that is wrong and what is wrong with it.
    """
    if rows.shape[rows.ndim - len(shape) :] != shape:
        raise BadPolicy(f"{what} has shape {rows.shape}; want {'[..., ' if len(shape) > 1 else '['}{listed(shape)}]")
    if not rows.size:
        raise BadPolicy(f"{what} has shape {rows.shape}, with nothing in it")
    total = rows.sum(-1)
    # NaN compares false
    if rows.min() >= 0 and (np.abs(total - 1) <= SUM_TOLERANCE).all():
        return
    wrong = ~((rows >= 0).all(-1) & (np.abs(total - 1) <= SUM_TOLERANCE))
    place = tuple(int(i) for i in np.argwhere(wrong)[0])
    row = rows[place]
    told = f"sums to {row.sum():.12g}"
    if abs(row.sum() - 1) < 1e-5:
        # as far as 32-bit numbers are off
        told += " (of 32-bit numbers? divide its rows by their sums in float64)"
    if not np.isfinite(row).all():
        told = f"holds {row[~np.isfinite(row)][0]}"
    elif (row < 0).any():
        told = f"holds {row[row < 0][0]:.12g}"
    at = f" at {list(place)}" if place else ""
    raise BadPolicy(f"{what}{at} {told}; want a distribution (0 or more, sum 1 within {SUM_TOLERANCE:g})")


def listed(shape: tuple[int, ...]) -> str:
    """A shape without its brackets, for messages."""
    return ", ".join(map(str, shape))


def check_played(pi: Array, mask: Mask, what: str) -> None:
    """Refuse policies pi[..., S, A] that play what the mask has not.

    Raises:
        BadPolicy: names the first such action.
    """
    if mask is not None and (played := (pi > 0) & ~mask).any():
        s, a = (int(i) for i in np.argwhere(played)[0][-2:])
        raise BadPolicy(f"{what} plays action {a} in state {s}, which has it not")


def check_mask(mask: Mask, shape: tuple[int, int], name: str) -> None:
    """Refuse a mask that is not bool[S, A], or has a state without an action.

    Raises:
        BadPolicy: prints both shapes, or names the state.
    """
    if mask is None:
        return
    if mask.shape != shape or mask.dtype != bool:
        raise BadPolicy(f"{name}: the action mask has shape {mask.shape}; want bool {shape}")
    if not mask.any(1).all():
        raise BadPolicy(f"{name}: state {int(np.argmin(mask.any(1)))} has no action")


def check_rewards(r: Array, shape: tuple[int, ...], mask: Mask, name: str, at: str, step: str = "t") -> None:
    """Refuse rewards r[..., S, A] of another shape, or that are not finite where the mask has an action.

    Raises:
        ValueError: prints both shapes, or names the first entry; `at` says in which population, `step` what the axis
            before states counts.
    """
    if r.shape != shape:
        raise ValueError(f"{name}: rewards have shape {r.shape}; want {shape}")
    check_finite(r, mask, name, at, (step, "s", "a"))


def check_finite(r: Array, mask: Mask, name: str, at: str, axes: tuple[str, ...] = ("t", "s", "a")) -> None:
    """Refuse rewards r[..., *axes] that are not finite where the mask has an action, and name the first.

    Raises:
        ValueError: `at` says in which population; entries have no t where r has no such axis.
    """
    fine = np.isfinite(r)
    if fine.all():
        return
    fine = fine if mask is None else fine | ~mask
    if not fine.all():
        place = tuple(int(i) for i in np.argwhere(~fine)[0])
        named = axes[-len(place) :]
        told = ", ".join(f"{axis}={i}" for axis, i in zip(named, place[-len(named) :], strict=True))
        raise ValueError(f"{name}: the reward of {told} is {r[place]} {at}")


def alike(mask: Mask, shape: tuple[int, int]) -> Array:
    """Every action that a state has, equally often: [S, A]."""
    allowed = np.ones(shape) if mask is None else mask.astype(float)
    return np.asarray(allowed / allowed.sum(1, keepdims=True))


def occupancy(mu: Array, pi: Array | None, name: str) -> Array:
    """L[..., S, A] = mu pi, for rewards that see actions.

    Raises:
        ValueError: where no policy is given.
    """
    if pi is None:
        raise ValueError(f"{name}: rewards depend on the population's actions too; give its policy")
    return np.asarray(mu[..., None] * pi)
