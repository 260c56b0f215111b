"""Settings of solvers within their ranges: each that is not is refused in one line, however it was given."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from envs.mean_field import ranges
from mfmarl.errors import UserError


def check_number(solver: str, setting: str, value: Any, **bounds: float) -> None:
    """As `envs.mean_field.ranges.check_number`, of solvers.

    Raises:
        UserError: names the solver, its setting, what was got and what is wanted.
    """
    with _the_users():
        ranges.check_number(solver, setting, value, **bounds)


def check_whole(solver: str, setting: str, value: Any, *, least: int) -> None:
    """Refuse what is no whole number, `least` or more; raises UserError as `check_number`."""
    with _the_users():
        ranges.check_whole(solver, setting, value, least=least)


@contextmanager
def _the_users() -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        raise UserError(str(error)) from None


def check_word(solver: str, setting: str, value: Any, words: tuple[Any, ...]) -> None:
    """Refuse what is none of the words that there are; raises UserError as `check_number`."""
    # 1 == True, and is no word for it
    if not any(type(value) is type(word) and value == word for word in words):
        raise UserError(f"{solver}: {setting} is {value!r}; want {' or '.join(map(repr, words))}")
