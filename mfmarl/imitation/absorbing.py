"""The state after the task's end, where nothing is to be seen: how an expert and a policy are told apart there.

It is one state, so its best logit is no network's to learn but known from counts: the log-ratio of the shares that both
sides spend there (Kostrikov et al. 2019, section 4.2, learn it). A network that sees each end but once, among
hundreds of steps, is late with it, and where the policy has stopped to end it is a guess.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from mfmarl.imitation.demonstrations import Demonstrations

REMEMBERED = 0.95
"""What a round counts for one round later. A policy that ended rarely of late is not yet one that ends as rarely as the
expert; were it taken for one after a few rounds without an end, nothing would hold it there."""


@dataclass(frozen=True)
class Ends:
    """How many steps of one side were seen, and how many of them the task ended with."""

    steps: float
    ended: float

    @classmethod
    def of(cls, shown: Demonstrations) -> Ends:
        """Of demonstrations."""
        return cls(int(shown.lengths.sum()), int(shown.terminated.sum()))

    def then(self, steps: int, ended: int) -> Ends:
        """After another round of the policy, with what is long ago counting less."""
        return Ends(REMEMBERED * self.steps + steps, REMEMBERED * self.ended + ended)


@dataclass(frozen=True)
class Absorbing:
    """What the stay in the absorbing state adds to logits, each of D, the probability that a step is the expert's."""

    logit: float
    """Of a step there: ln of its share of the expert's occupancy over its share of the policy's."""
    in_task: float
    """Of all other steps together, likewise: to be added to logits that were learnt from those alone."""


def absorbing(expert: Ends, policy: Ends, discount: float) -> Absorbing:
    """By the rates at which both sides end.

    An end at rate q per step is followed by 1 / (1 - gamma) discounted steps of stay: for each step of the task there
    are q / (1 - gamma) of them, q / (1 - gamma + q) of the occupancy. One end more, at the same rate on both sides,
    keeps the ratio of rates finite; where nobody was seen to end it is 1.

    Raises:
        ValueError: for sides without steps.
    """
    if not (expert.steps and policy.steps):
        raise ValueError(f"got {expert.steps} steps of the expert and {policy.steps} of the policy; want some of both")
    more = 1 / (expert.steps + policy.steps)
    of_expert, of_policy = (one.ended / one.steps + more for one in (expert, policy))
    in_task = math.log((1 - discount + of_policy) / (1 - discount + of_expert))
    return Absorbing(math.log(of_expert / of_policy) + in_task, in_task)
