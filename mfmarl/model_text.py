"""What a pydantic model says in words: its keys with their defaults, and a mistake in one line."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

from mfmarl.registry import nearest, suggestion


def describe(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, str, str]]:
    """(dotted key, default, doc line) of every field, sections unfolded; the documentation prints it."""
    for name, field in model.model_fields.items():
        key = f"{prefix}{name}"
        section = _section(field.annotation)
        if section is not None:
            yield from describe(section, f"{key}.")
        else:
            default = "required" if field.is_required() else json.dumps(field.get_default(call_default_factory=True))
            yield key, default, field.description or ""


def _section(annotation: Any) -> type[BaseModel] | None:
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None


def _keys_at(path: Sequence[str], model: type[BaseModel]) -> list[str]:
    """The keys allowed in the section at `path`."""
    for name in path:
        below = _section(model.model_fields[name].annotation) if name in model.model_fields else None
        if below is None:
            return []
        model = below
    return list(model.model_fields)


def one_line(
    error: ValidationError, where: Mapping[tuple[str, ...], str], source: str, model: type[BaseModel]
) -> str:
    """The first mistake of pydantic's report in the user's words."""
    mistakes = error.errors(include_url=False)
    # a mistyped key explains what follows from it, so it is told first
    first = next((m for m in mistakes if m["type"] == "extra_forbidden"), mistakes[0])
    path = tuple(str(part) for part in first["loc"])
    place = next((where[path[:n]] for n in range(len(path), 0, -1) if path[:n] in where), source)
    key = ".".join(path)
    if first["type"] == "extra_forbidden":
        text = f"unknown key {key}{_meant(path, model)}"
    elif first["type"] == "missing":
        text = f"{key} is missing"
    else:
        named = key and place != f"--{key.replace('_', '-')}"
        text = (f"{key}: " if named else "") + f"got {_show(first['input'])}; {_allowed(first)}{_remedy(key, first)}"
    # a list that is empty since its entries were refused is no mistake of its own
    more = sum(m["type"] != "too_short" or m["loc"] != first["loc"][:-1] for m in mistakes) - 1
    return f"{place}: {text}" + (f" (and {more} more mistake{'s' if more > 1 else ''})" if more else "")


def _meant(path: tuple[str, ...], model: type[BaseModel]) -> str:
    """What a key that does not exist was likely meant to be: one of its section, else one of another section."""
    names = _keys_at(path[:-1], model)
    found = nearest(path[-1], names)
    if found is None:
        # of sections that have it, the first
        by_last = {key.split(".")[-1]: key for key, _, _ in reversed(list(describe(model)))}
        elsewhere = nearest(path[-1], by_last)
        found = by_last[elsewhere] if elsewhere else None
    if found:
        return f"; did you mean {found!r}?"
    has_options = len(path) == 1 and "env_options" in model.model_fields
    ours = "; settings of the environment stand below env_options" if has_options else ""
    return f"; allowed are {', '.join(names)}{ours}"


def _show(value: Any) -> str:
    if isinstance(value, bytes):
        value = value.decode(errors="replace")
    text = repr(value) if isinstance(value, float) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "..."


def _allowed(mistake: Mapping[str, Any]) -> str:
    """What pydantic's mistake says is allowed, without its jargon."""
    context, kind = mistake.get("ctx", {}), str(mistake["type"])
    bounds = {
        "greater_than_equal": ("ge", "at least"),
        "greater_than": ("gt", "more than"),
        "less_than_equal": ("le", "at most"),
        "less_than": ("lt", "less than"),
    }
    if kind in bounds:
        name, words = bounds[kind]
        return f"want {words} {context[name]}"
    if kind == "literal_error":
        return f"want {context['expected']}{suggestion(str(mistake['input']), _quoted(context['expected']))}"
    if kind.endswith("too_short") and "min_length" in context:
        return f"want at least {context['min_length']} of them"
    kinds = {
        "int": "a whole number", "float": "a number", "bool": "true or false", "string": "a word or text",
        "tuple": "a list, e.g. [64, 64]", "dict": "a section with keys", "model": "a section with keys",
    }  # fmt: skip
    named = kinds.get(kind.split("_")[0])
    return f"want {named}" if named else str(mistake["msg"]).removeprefix("Value error, ")


def _quoted(expected: str) -> list[str]:
    return [part.strip(" '") for part in expected.replace(" or ", ",").split(",")]


def _remedy(key: str, mistake: Mapping[str, Any]) -> str:
    value, kind = mistake["input"], str(mistake["type"])
    if key == "num_agents" and kind == "greater_than_equal":
        return ": a population is two agents or more"
    if kind.startswith("int") and isinstance(value, float) and value.is_integer():
        return f": write {int(value)}"
    if kind.startswith(("int", "float")) and isinstance(value, str):
        return " without quotes" if _is_number(value) else ""
    return ""


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
