"""Batches that data are too few for: they are made smaller with a warning, not in silence."""

from __future__ import annotations

import warnings


class Batches:
    """Sizes of what one agent learns from; each of them warns once, until `forget`."""

    def __init__(self) -> None:
        self._told: set[str] = set()

    def forget(self) -> None:
        """As at the start of a training."""
        self._told.clear()

    def size(self, asked: int, have: int, name: str, of: str) -> int:
        """What was asked for, or as many as there are.

        Args:
            name: of the setting.
            of: what there are, `demonstrated steps`.
        """
        if have >= asked:
            return asked
        if name not in self._told:
            self._told.add(name)
            warnings.warn(f"{have} {of} are fewer than {name} {asked}; batches have {have}", stacklevel=3)
        return have
