"""Settings that every imitator has: what is seen and done, and for most how wide networks are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, ValidationError, model_validator

from mfmarl.errors import UserError
from mfmarl.imitation.spaces import Spaces
from mfmarl.model_text import one_line


class SpacesConfig(BaseModel):
    """What is seen and done, in keys of a mapping."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    state_dim: int = Field(ge=1, description="entries of a state")
    action_dim: int = Field(ge=1, description="number of actions, or entries of a continuous one")
    low: tuple[float, ...] = Field((), description="of a continuous action's entries; empty for numbered actions")
    high: tuple[float, ...] = Field((), description="of a continuous action's entries")

    @model_validator(mode="after")
    def _bounds_fit(self) -> Self:
        want = self.action_dim if self.low or self.high else 0
        for name, bounds in (("low", self.low), ("high", self.high)):
            if len(bounds) != want:
                raise ValueError(f"{name} has {len(bounds)} entries; want action_dim = {want}, or none of both")
        if any(a >= b for a, b in zip(self.low, self.high, strict=True)):
            raise ValueError(f"low {list(self.low)} is not below high {list(self.high)}")
        return self

    @property
    def spaces(self) -> Spaces:
        """What is seen and done."""
        return Spaces(self.state_dim, self.action_dim, self.low, self.high)


class NetworkConfig(SpacesConfig):
    """And how wide networks are."""

    hidden_dims: tuple[PositiveInt, ...] = Field((256, 256), description="widths of the hidden layers")


Config = TypeVar("Config", bound=BaseModel)


def checked(
    model: type[Config],
    config: Config | Mapping[str, Any],
    where: Mapping[tuple[str, ...], str] | None = None,
    source: str | None = None,
) -> Config:
    """Settings as given, or as a mapping.

    Args:
        where: says for paths of keys where they were written; `source` stands for the rest.

    Raises:
        UserError: for a key that there is not, or a value out of range.
    """
    if isinstance(config, model):
        return config
    try:
        return model.model_validate(config)
    except ValidationError as error:
        raise UserError(one_line(error, where or {}, source or model.__name__, model)) from None


def at_least_one(number: int, name: str) -> None:
    """Of steps or updates that are asked for.

    Raises:
        UserError: for fewer.
    """
    if number < 1:
        raise UserError(f"{name} is {number}; want 1 or more")


def of_spaces(spaces: Spaces) -> dict[str, Any]:
    """The keys of a config that say what is seen and done."""
    return {"state_dim": spaces.state_dim, "action_dim": spaces.action_dim, "low": spaces.low, "high": spaces.high}
