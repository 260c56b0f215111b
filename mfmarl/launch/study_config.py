"""What a study file holds; free of torch, so that it is read fast."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from mfmarl.config import TrainConfig


class Resources(BaseModel):
    """What one cell takes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cpus: int = Field(1, ge=1, le=4096, description="processors of one cell; more than 1 if it has runners or learners")
    memory_gb: float = Field(1.0, gt=0, le=4096, description="memory of one cell: as many run at once as fit")


class Evaluation(BaseModel):
    """How a trained cell is played, as `mfmarl evaluate` does."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    episodes: int = Field(20, ge=1, le=1_000_000, description="episodes of each policy")


class StudyConfig(BaseModel):
    """One study: a base configuration, and a grid of what differs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]{0,79}$", description="the folder of its cells: runs/NAME, or DIR/NAME"
    )
    base: dict[str, Any] = Field(
        default_factory=dict, description="keys of a train configuration that all cells have, unless the grid says else"
    )
    grid: dict[str, Any] = Field(
        min_length=1,
        description="axes, of which cells are all combinations, the first varying slowest: a key of the train "
        "configuration (dotted, as of --set) with a list of its values, or any other name with named groups of keys",
    )
    resources: Resources = Field(default_factory=Resources, description="what one cell takes")
    retries: int = Field(2, ge=0, le=100, description="further attempts at a cell that failed, in one call")
    evaluation: Evaluation = Field(default_factory=Evaluation, description="how trained cells are played")


def train_keys(model: type[BaseModel] = TrainConfig, prefix: str = "") -> set[str]:
    """Every key of a train configuration, dotted, sections included."""
    found: set[str] = set()
    for name, field in model.model_fields.items():
        found.add(prefix + name)
        section = field.annotation
        if isinstance(section, type) and issubclass(section, BaseModel):
            found |= train_keys(section, f"{prefix}{name}.")
    return found
