"""The error of what cannot be solved exactly, apart from a programmer's ValueError."""

from __future__ import annotations


class Unsolvable(ValueError):
    """A game, or what is played in it, that has no solution of the kind asked for; says why and what to set or use."""
