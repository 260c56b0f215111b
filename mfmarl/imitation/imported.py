"""What a user names as `module:name`: imported then, and nothing else is."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from mfmarl.errors import UserError
from mfmarl.registry import suggestion


def module_named(name: str, what: str) -> ModuleType:
    """A module, of the current folder too, as with `python -m`.

    Raises:
        UserError: where there is none, or importing it fails; says for what it was wanted.
    """
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)
    try:
        return import_module(name)
    except Exception as error:
        # a module of the user's may raise anything
        raise UserError(f"{what}: cannot import {name!r}: {type(error).__name__}: {error}") from error


def function_named(text: str, what: str) -> Any:
    """The callable at `module:name`.

    Raises:
        UserError: for another form, a module that cannot be imported, or a name that it does not have.
    """
    module, colon, name = text.rpartition(":")
    if not colon or not module or not name:
        raise UserError(f"{what}: got {text!r}; want module:function")
    found = module_named(module, what)
    if not hasattr(found, name):
        raise UserError(f"{what}: {module} has no {name!r}{suggestion(name, vars(found))}")
    function = getattr(found, name)
    if not callable(function):
        raise UserError(f"{what}: {text} is {type(function).__name__}, not a function")
    return function
