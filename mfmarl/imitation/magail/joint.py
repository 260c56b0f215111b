"""What a joint law of actions says of an imitation: how far it is from the expert's, and where it collapsed to."""

from __future__ import annotations

from itertools import product
from typing import Literal

import numpy as np
from scipy.optimize import minimize
from scipy.special import rel_entr, softmax

from mfmarl.errors import UserError
from mfmarl.imitation.magail.theory import Array

Collapse = Literal["AA", "BB", "AA+BB", "symmetric"]
LETTERS = "abcdefghijklmnopqrstuvwx"
"""Axes of agents in products; y and z are runs and states."""


def js_distance(expert: Array, policy: Array) -> Array:
    """sqrt of the Jensen-Shannon divergence in bits, of laws over the last axis: 0 to 1.

    Joint laws are flattened first. (1/2, 1/2) for both agents and (A, A) for sure are equally far from an expert that
    plays (A, A) and (B, B) by halves: tell `coordination_rate` beside it.
    """
    for name, law in (("expert", expert), ("policy", policy)):
        if (law < 0).any() or not np.allclose(law.sum(-1), 1.0, atol=1e-9):
            raise UserError(
                f"js_distance: {name} is no law over its last axis; want entries of 0 or more that sum to 1"
            )
    middle = (expert + policy) / 2
    bits = (rel_entr(expert, middle) + rel_entr(policy, middle)).sum(-1) / (2 * np.log(2))
    # of equal laws rounding may leave less than 0
    out: Array = np.sqrt(np.maximum(bits, 0.0))
    return out


def joint_of(policies: list[Array] | tuple[Array, ...]) -> Array:
    """[..., A_1..A_n]: the joint law of agents that draw independently, of their own laws [..., A_i]."""
    letters = LETTERS[: len(policies)]
    told = ",".join(f"...{letter}" for letter in letters)
    out: Array = np.einsum(f"{told}->...{letters}", *policies)
    return out


def independent_limit(expert: Array, starts: int = 20, seed: int = 0) -> float:
    """The least JS distance from a joint law [A_1..A_n] that agents who draw independently come to.

    The divergence is not convex in their laws: descents (L-BFGS) from `starts` profiles, and all pure profiles.
    """
    sizes, flat = expert.shape, expert.ravel()
    cuts = np.cumsum(sizes)[:-1]

    def profile(logits: Array) -> list[Array]:
        return [softmax(part) for part in np.split(logits, cuts)]

    def distance(logits: Array) -> float:
        return float(js_distance(flat, joint_of(profile(logits)).ravel())) ** 2

    pure = joint_of([np.eye(size)[list(at)] for size, at in zip(sizes, zip(*_cells(sizes), strict=True), strict=True)])
    least = float(js_distance(flat, pure.reshape(len(pure), -1)).min()) ** 2
    rng = np.random.default_rng(seed)
    for k in range(starts):
        start = rng.normal(scale=2.0 if k else 0.0, size=sum(sizes))
        least = min(least, float(minimize(distance, start, method="L-BFGS-B").fun))
    return float(np.sqrt(least))


def _cells(sizes: tuple[int, ...]) -> list[tuple[int, ...]]:
    return list(product(*map(range, sizes)))


def coordination_rate(joint: Array) -> Array:
    """P(all agents play the same action) of joint laws [..., A, A]."""
    if joint.shape[-1] != joint.shape[-2]:
        raise UserError(f"coordination_rate: the joint law has shape {joint.shape}; want [..., A, A]")
    out: Array = np.trace(joint, axis1=-2, axis2=-1)
    return out


def collapse_class(joint: Array, margin: float = 0.05) -> Collapse:
    """Of a joint law [2, 2]: AA or BB where the mean of both agents' P(A) is more than `margin` from 1/2.

    AA+BB where the agents' choices have a covariance P(AA) P(BB) - P(AB) P(BA) above `margin`, which takes a shared
    signal. Agents that settle on (A, B) are symmetric; the coordination rate tells them apart.
    """
    if joint.shape != (2, 2):
        raise UserError(f"collapse_class: the joint law has shape {joint.shape}; want (2, 2)")
    if joint[0, 0] * joint[1, 1] - joint[0, 1] * joint[1, 0] > margin:
        return "AA+BB"
    p = float(joint.sum(1)[0] + joint.sum(0)[0]) / 2
    if abs(p - 0.5) <= margin:
        return "symmetric"
    return "AA" if p > 0.5 else "BB"
