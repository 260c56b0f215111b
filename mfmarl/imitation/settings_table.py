"""The settings of a method as a table: keys as --set takes them, defaults, and what they mean."""

from __future__ import annotations

from typing import Literal, get_args, get_origin

from pydantic import BaseModel
from rich.table import Table

from mfmarl.imitation.settings import SpacesConfig
from mfmarl.model_text import describe
from mfmarl.registry import IMITATION, load


def rows_of(method: str) -> list[tuple[str, str, str]]:
    """(key, default, meaning) of all settings but those that are the environment's own."""
    model: type[BaseModel] = load(IMITATION, method).config_type
    rows = []
    for key, default, meaning in describe(model):
        if key not in SpacesConfig.model_fields:
            names = _choices(model, key)
            rows.append((key, default, f"{meaning} ({', '.join(names)})" if names else meaning))
    return rows


def settings_table(method: str) -> Table:
    """Those, for a terminal."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_edge=False)
    for heading in ("key", "default", "meaning"):
        table.add_column(heading, header_style="dim", no_wrap=heading == "key", overflow="fold")
    for row in rows_of(method):
        # square brackets of a default are no markup
        table.add_row(*(text.replace("[", r"\[") for text in row))
    return table


def _choices(model: type[BaseModel], key: str) -> list[str]:
    """The words that a setting can be."""
    *sections, name = key.split(".")
    for section in sections:
        below = model.model_fields[section].annotation
        assert isinstance(below, type)
        model = below
    annotation = model.model_fields[name].annotation
    return [str(word) for word in get_args(annotation)] if get_origin(annotation) is Literal else []
