"""What the learners of one run, each with its own part of the replay, work out together.

Every learner keeps the same networks. What depends on a whole minibatch (weights, normalisations, gradients, guards)
is computed over the rows of all, so that several learners learn what one with their rows would.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

T = TypeVar("T")


@dataclass(frozen=True)
class Peers:
    """The learner `rank` of `number`. All must call the same methods in the same order; alone, each is the identity."""

    rank: int = 0
    number: int = 1

    @classmethod
    def of_process_group(cls) -> Peers:
        """The learners of torch's process group; alone where there is none."""
        if not dist.is_initialized():
            return cls()
        return cls(dist.get_rank(), dist.get_world_size())

    def gathered(self, rows: Tensor) -> tuple[Tensor, slice]:
        """The rows of all learners in the order of their ranks, and which of them are this one's: [R, ...]."""
        number = rows.shape[0]
        if self.number == 1:
            return rows, slice(0, number)
        sizes: list[int] = [0] * self.number
        dist.all_gather_object(sizes, number)
        if sum(sizes) == 0:
            return rows, slice(0, 0)
        # a learner whose runner died has fewer rows, and the exchange wants equal ones
        padded = rows.new_zeros((max(sizes), *rows.shape[1:]))
        padded[:number] = rows
        parts = [torch.empty_like(padded) for _ in sizes]
        dist.all_gather(parts, padded)
        start = sum(sizes[: self.rank])
        return torch.cat([part[:n] for part, n in zip(parts, sizes, strict=True)]), slice(start, start + number)

    def average_(self, values: Tensor) -> Tensor:
        """The mean over learners, in place; the same bits everywhere."""
        if self.number > 1:
            dist.all_reduce(values)
            values /= self.number
        return values

    def total(self, number: int) -> int:
        """The sum over learners."""
        return number if self.number == 1 else sum(self._all(number))

    def least(self, number: int) -> int:
        """The smallest over learners."""
        return number if self.number == 1 else min(self._all(number))

    def agree(self, flag: bool) -> bool:
        """Whether it is true of every learner."""
        return flag if self.number == 1 else all(self._all(flag))

    def first(self, value: T | None) -> T | None:
        """The value of the first learner that has one: what went wrong with one is raised by all, and none waits."""
        return value if self.number == 1 else next((v for v in self._all(value) if v is not None), None)

    def _all(self, value: T) -> list[T]:
        # among processes of one run that Ray started: nothing here comes from outside
        found: list[T | None] = [None] * self.number
        dist.all_gather_object(found, value)
        return found  # type: ignore[return-value]
