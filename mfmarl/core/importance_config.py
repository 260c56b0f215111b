"""How stored population steps are reweighted; free of torch, so that configurations are read fast."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class ImportanceConfig(BaseModel):
    """The correction of methods `is`, `fresh` and `is+fresh`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    estimator: Literal["joint", "marginal", "gaussian", "gaussian_one_hot", "mixture"] = Field(
        "joint",
        description="ratio of the neighbours' joint action probabilities; of the exact laws of the sum of their "
        "actions; of normal approximations of these, or of those of the numbers of all actions; or joint against the "
        "mixture of the policies in the replay",
    )
    acts_on: Literal["loss", "bootstrap", "both"] = Field(
        "loss", description="the weights multiply the loss, the next value with the mean action it is given, or both"
    )
    fresh_samples: int = Field(
        0, ge=0, le=1000, description="of methods with `fresh`: joint actions drawn; 0 takes the expected mean action"
    )
    clip: float = Field(20.0, ge=1, description="largest weight; must not be below 1, the weight without drift")
    self_normalise: bool = Field(True, description="divide the weights by their mean over the iteration's draw")
    temper: float = Field(1.0, gt=0, le=1, description="exponent alpha of the weights: w^alpha")
    pareto: bool = Field(False, description="smooth each agent's largest weights by a generalised Pareto law (PSIS)")
    ess_floor: float = Field(
        0.95,
        ge=0,
        lt=1,
        description="least effective share of the draw; below it weights are tempered to reach it; 0 takes them as are",
    )
    bandwidth: float = Field(
        0.0, ge=0, description="gaussian: standard deviation added to the mean action, in its units, under both laws"
    )

    @property
    def needs_laws(self) -> bool:
        """Whether ratios are computed from the probabilities of all actions, not only of those played."""
        return self.estimator in ("marginal", "gaussian", "gaussian_one_hot")
