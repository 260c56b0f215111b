"""Settings of an environment, checked in the words of whoever wrote them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from envs import UnknownName

Settings = TypeVar("Settings", bound=BaseModel)


def checked_settings(kind: type[Settings], values: Mapping[str, Any]) -> Settings:
    """The settings `values`, differences from the defaults of `kind`.

    Raises:
        UnknownName: for a setting that does not exist, with the nearest one.
        ValueError: for a value out of range; names the setting, what was got and what is allowed.
    """
    for key in values:
        if key not in kind.model_fields:
            raise UnknownName("environment option", key, list(kind.model_fields))
    try:
        return kind.model_validate(dict(values))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(p) for p in first["loc"])
        if not place:
            raise ValueError(f"environment options: {first['msg'].removeprefix('Value error, ')}") from None
        raise ValueError(f"environment option {place}: {first['msg']}; got {first['input']!r}") from None
