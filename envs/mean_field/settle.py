"""Populations at rest: distributions that a map leaves where they are."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from envs.mean_field.kernel import Array

STILL = 1e-13
"""L1 distance below which a population counts as at rest."""
NEAR = 1e-2
"""L1 distance below which steps follow secants: further away they might lead to a rest that others would leave."""
SHORTEST = 1 / 64


class Unsettled(ValueError):
    """A population that does not come to rest: says how far it still moves."""


def settled(towards: Callable[[Array], Array], start: Array, most: int, what: str) -> Array:
    """mu[B, S] with towards(mu) = mu, from start[B, S]; `what` names it.

    Damped steps, shorter where they lead back and forth, then near the end Broyden's (1965) secant steps. Rows of the
    batch do not act on each other.

    Raises:
        Unsettled: where it is not still after `most` maps.
    """
    mu, away = start, towards(start) - start
    size = np.abs(away).sum(-1)
    weight = np.ones(len(mu))
    # minus the inverse of the derivative of `away`
    turn = np.broadcast_to(np.eye(mu.shape[1]), (*mu.shape, mu.shape[1])).copy()
    for _ in range(most):
        restless = size > STILL
        if not restless.any():
            return mu
        close = size < NEAR
        secant = (turn @ away[..., None])[..., 0]
        ahead = mu + np.where(close[:, None], secant, weight[:, None] * away)
        # masses stay above 0, of which a secant knows nothing
        ahead = np.where(ahead < 0, mu + away, ahead)
        ahead = np.where(restless[:, None], ahead / ahead.sum(-1, keepdims=True), mu)
        step, before, last = ahead - mu, away, size
        mu, away = ahead, towards(ahead) - ahead
        size = np.abs(away).sum(-1)
        grew = size > last
        weight = np.where(grew, np.maximum(weight / 2, SHORTEST), weight)
        turned = (turn @ (before - away)[..., None])[..., 0]
        scale = (step * turned).sum(-1)
        learns = close & restless & ~grew & (np.abs(scale) > 1e-300)
        change = (step - turned)[..., None] * (step[:, None, :] @ turn) / np.where(learns, scale, 1.0)[:, None, None]
        turn = np.where(learns[:, None, None], turn + change, turn)
        turn = np.where(grew[:, None, None], weight[:, None, None] * np.eye(mu.shape[1]), turn)
    raise Unsettled(f"{what} does not settle: after {most} maps it moves by {size.max():.3g} (L1; want {STILL:g})")
