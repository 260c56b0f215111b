"""The error of what cannot be solved exactly, apart from a programmer's ValueError."""

from __future__ import annotations


class Unsolvable(ValueError):
    """A game, or what is played in it, that has no solution of the kind asked for; says why and what to set or use."""

    def __init__(self, why: str, instead: str = "") -> None:
        """Args:
        instead: what to use where a solution was all that was wanted; told after `why`.
        """
        super().__init__(f"{why}: {instead}" if instead else why)
        self.why = why
