"""How stored population steps are reweighted; free of torch, so that configurations are read fast."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class ImportanceConfig(BaseModel):
    """The correction of method `is`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    estimator: Literal["joint"] = Field("joint", description="ratio of the neighbours' joint action probabilities")
    acts_on: Literal["loss", "bootstrap", "both"] = Field(
        "loss", description="the weights multiply the loss, the next value with the mean action it is given, or both"
    )
    fresh_samples: int = Field(
        0, ge=0, le=1000, description="of methods with `fresh`: joint actions drawn; 0 takes the expected mean action"
    )
    clip: float = Field(20.0, ge=1, description="largest weight; must not be below 1, the weight without drift")
    self_normalise: bool = Field(True, description="divide the weights by their mean over the iteration's draw")
