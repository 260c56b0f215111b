"""Settings that both studies of MAGAIL have, checked; without torch, so that a mistake is told at once."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from mfmarl.imitation.magail.theory import RewardStyle, Sharing

Seed = Annotated[int, Field(ge=0, lt=10**18)]
Width = Annotated[int, Field(ge=1, le=4096)]
MOST_NUMBERS = 10**8
"""Of all records, or of all weights: 0.8 GB."""


class StudySettings(BaseModel):
    """How is learnt; defaults are the published ones."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    lr_policy: float = Field(0.01, gt=0, le=10, description="Adam's rate of the policies")
    lr_disc: float = Field(0.01, gt=0, le=10, description="Adam's rate of the discriminator")
    reward_style: RewardStyle = Field("non_saturating", description="log D, -log(1-D), or both (airl)")
    discriminator: Sharing = Field(
        "single", description="one D(s, a_1, a_2); one of them an agent (centralised); or D_i(s, a_i) (decentralised)"
    )
    hidden: tuple[Width, ...] = Field(
        (), max_length=8, description="widths of hidden layers, of perceptrons; none: policies and D are tables"
    )
    lowest_logit: float | None = Field(None, ge=-1000, le=0, description="discriminators' logits are not below this")
    policy_init_uniform: bool = Field(False, description="policies begin uniform, not beside it")

    def discriminator_told(self, lowest: float) -> str:
        """What bounds the discriminators' logits, and how low they came: both move the threshold of beta."""
        kind = "perceptron" if self.hidden else "table"
        bound = "not bounded" if self.lowest_logit is None else f"not below {self.lowest_logit:g}"
        return f"Discriminator: {self.discriminator} {kind}, logits {bound} (lowest met {lowest:.2f})"


def each_once(values: tuple[float, ...]) -> tuple[float, ...]:
    """Refuses what stands twice; raises ValueError."""
    for i, value in enumerate(values):
        if value in values[:i]:
            raise ValueError(f"want each once, and {value:g} stands twice")
    return values


def check_memory(every: int, given: Mapping[str, Any], runs: int, cells: int) -> int:
    """`every` again, where records every so many epochs, and networks, of all runs are few enough.

    Args:
        given: the other settings; those that are wrong themselves are not there.
        cells: numbers that a record has of a run.

    Raises:
        ValueError: says how many there would be.
    """
    records = -(-given.get("epochs", 1) // every)
    if (size := runs * records * cells) > MOST_NUMBERS:
        raise ValueError(
            f"want at most {MOST_NUMBERS:,} numbers in all records, and {runs:,} runs of {records:,} records make "
            f"{size:,}"
        )
    # three networks, and beside their weights slopes and two averages
    weights = 12 * sum(a * b for a, b in pairwise(given.get("hidden", ())))
    if runs * weights > MOST_NUMBERS:
        raise ValueError(
            f"want at most {MOST_NUMBERS:,} numbers in all networks, and {runs:,} runs of --hidden "
            f"{' '.join(map(str, given['hidden']))} make {runs * weights:,}"
        )
    return every
