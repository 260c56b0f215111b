"""A solver's state as named arrays and a tree of plain data, and back: for files, bit for bit and without pickle.

A state is made of arrays, numbers, words, None, tuples, lists, mappings with words as keys, and dataclasses that stand
in the solver's own module, where they are looked up again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mfmarl.errors import DamagedFile

Arrays = dict[str, NDArray[Any]]


def taken_apart(value: Any, name: str) -> tuple[dict[str, Any], Arrays]:
    """The tree of `value`, which JSON holds, and the arrays that it names: `name`, `name.logits`, `name.0`.

    Raises:
        TypeError: names the part that is none of what a state is made of.
    """
    arrays: Arrays = {}
    return _tree(value, name, arrays), arrays


def _tree(value: Any, name: str, arrays: Arrays) -> dict[str, Any]:
    if isinstance(value, np.ndarray):
        arrays[name] = np.array(value, order="C")
        return {"array": name}
    if isinstance(value, np.integer | np.bool_):
        value = value.item()
    if isinstance(value, float):
        # hexadecimal text is exact, and has infinities
        return {"float": float(value).hex()}
    if value is None or isinstance(value, bool | int | str):
        return {"value": value}
    if isinstance(value, tuple | list):
        parts = [_tree(part, f"{name}.{i}", arrays) for i, part in enumerate(value)]
        return {"tuple" if isinstance(value, tuple) else "list": parts}
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {"mapping": {key: _tree(part, f"{name}.{key}", arrays) for key, part in value.items()}}
    if is_dataclass(value) and not isinstance(value, type):
        parts_of = {f.name: _tree(getattr(value, f.name), f"{name}.{f.name}", arrays) for f in fields(value)}
        return {"record": type(value).__name__, "fields": parts_of}
    raise TypeError(f"{name} is a {type(value).__name__}; a state is made of arrays, numbers, words and dataclasses")


def put_together(tree: Any, arrays: Mapping[str, NDArray[Any]], module: ModuleType) -> Any:
    """The value behind a tree; its dataclasses are those of `module`.

    Raises:
        DamagedFile: for a tree that no value gives, or a dataclass that the module does not have.
    """
    try:
        return _value(tree, arrays, module)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DamagedFile(f"the solver's state cannot be read: {error!r}") from error


def _value(tree: Any, arrays: Mapping[str, NDArray[Any]], module: ModuleType) -> Any:
    if "array" in tree:
        return np.array(arrays[tree["array"]])
    if "float" in tree:
        return float.fromhex(tree["float"])
    if "value" in tree:
        return tree["value"]
    if "tuple" in tree:
        return tuple(_value(part, arrays, module) for part in tree["tuple"])
    if "list" in tree:
        return [_value(part, arrays, module) for part in tree["list"]]
    if "mapping" in tree:
        return {key: _value(part, arrays, module) for key, part in tree["mapping"].items()}
    made_of = {key: _value(part, arrays, module) for key, part in tree["fields"].items()}
    record = getattr(module, tree["record"])
    if not (isinstance(record, type) and is_dataclass(record)):
        raise TypeError(f"{module.__name__}.{tree['record']} is no dataclass")
    return record(**made_of)
