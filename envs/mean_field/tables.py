"""A game's transitions as the tables that machine code walks through."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.mean_field.kernel import Array

HEAD = 3
"""Numbers before all others: T, S, and how many landings there are."""


def tables(
    horizon: int,
    initial: Array,
    successors: NDArray[np.int64],
    prob: Array,
    mask: NDArray[np.bool_] | None,
    moves: bool,
) -> Array:
    """Of next[S, A, K] and prob[S, A, K], as D landings: what several pairs (s, a) lead to alike is one of them.

    All in one array, since machine code takes .15 us to receive each. Where probabilities move, D = S A.

    Raises:
        ValueError: for more entries than 32 bits count.
    """
    states, actions, width = successors.shape
    if 3 * successors.size >= 2**32:
        raise ValueError(f"{successors.size} transitions are too many for machine code; want fewer than 2^32 / 3")
    pairs = states * actions
    following, chances = successors.reshape(pairs, width), prob.reshape(pairs, width)
    landing = kept = np.arange(pairs)
    if not moves:
        # in one order of successors, so that what is the same looks the same
        order = np.argsort(following, 1, kind="stable")
        following, chances = np.take_along_axis(following, order, 1), np.take_along_axis(chances, order, 1)
        rows = np.concatenate([following.astype(float), chances], 1)
        _, kept, landing = np.unique(rows, axis=0, return_index=True, return_inverse=True)
        following, chances, landing = following[kept], chances[kept], landing.ravel()
    arrival = np.argsort(following.ravel(), kind="stable")
    allowed = np.ones((states, actions), bool) if mask is None else mask
    numbers = [[horizon, states, len(kept)], initial, chances.ravel(), chances.ravel()[arrival]]
    members, first = np.argsort(landing, kind="stable"), _starts(landing, len(kept))
    since, origin = _starts(following.ravel(), states), arrival // width
    index = [landing, first, members, following.ravel(), since, origin, arrival, allowed.ravel()]
    whole = np.concatenate(index).astype(np.uint32)
    # two of them take the place of one number
    return np.concatenate([*numbers, np.pad(whole, (0, len(whole) % 2)).view(float)])


def _starts(of: NDArray[np.int64], many: int) -> NDArray[np.int64]:
    """Where each of `many` begins in the sorted numbers `of`, and where the last one ends."""
    return np.concatenate([[0], np.cumsum(np.bincount(of, minlength=many))])


def regular(first: NDArray[np.uint32]) -> int:
    """How many each has, of first[n + 1]; 0 where they have not all as many."""
    many = np.diff(first.astype(np.int64))
    return int(many[0]) if (many == many[0]).all() else 0


def unpacked(table: Array, states: int, actions: int, width: int) -> Any:
    """Of `tables`: initial[S], prob[D K], the same in the order of arrival; each pair's landing[S A], and their pairs.

    Those are members[S A] from first[d] to first[d + 1]. It leads to following[D K]. In order of arrival, since[S + 1]
    has where each state begins, origin[D K] the landings and place[D K] where their probabilities are. Last, mask[S A].

    Unsigned: machine code need not look for negative ones.
    """
    landings, pairs = int(table[2]), states * actions
    entries = landings * width
    numbers = table[HEAD:]
    index = numbers[states + 2 * entries :].view(np.uint32)
    landing, first, index = index[:pairs], index[pairs : pairs + landings + 1], index[pairs + landings + 1 :]
    members, following, index = index[:pairs], index[pairs : pairs + entries], index[pairs + entries :]
    since, index = index[: states + 1], index[states + 1 :]
    origin, place, mask = index[:entries], index[entries : 2 * entries], index[2 * entries :]
    initial, prob, arriving = numbers[:states], numbers[states:][:entries], numbers[states + entries :][:entries]
    return initial, prob, arriving, landing, first, members, following, since, origin, place, mask
