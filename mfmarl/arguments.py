"""What the commands share: how their options show in --help, and how numbers are read."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Optional

from tyro.conf import arg

from mfmarl.errors import UserError

# written as `str | None`, an option has tyro import typeguard, asyncio and ssl: half the time of a --help
GivenText = Optional[str]  # noqa: UP045
"""An option that may be left out."""
GivenPath = Optional[Path]  # noqa: UP045
"""A path that may be left out."""


def given(metavar: str | None = None, default: str = "") -> object:
    """How a flag shows in --help: its placeholder, and its default in words."""
    return arg(metavar=metavar, help_behavior_hint=f"(default: {default})" if default else "")


def flag_of(key: str) -> str:
    """The flag of an option's name."""
    return f"--{key.replace('_', '-')}"


def whole_number(flag: str, text: str, low: int, high: int = 10**18) -> int:
    """A whole number from `low` to `high`, or a UserError that names the flag."""
    if not re.fullmatch(r"[0-9]{1,18}", text) or not low <= int(text) <= high:
        most = f" and at most {high:,}" if high < 10**18 else " of at most 18 digits" * (len(text) > 18)
        raise UserError(f"{flag}: got {text!r}; want a whole number of at least {low}{most}")
    return int(text)


def whole_numbers(flag: str, text: str) -> tuple[int, ...]:
    """Whole numbers with commas between them."""
    return tuple(whole_number(flag, part.strip(), 1) for part in text.split(","))


def number(flag: str, text: str) -> float:
    """A decimal number."""
    if not re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d{1,2})?", text):
        raise UserError(f"{flag}: got {text!r}; want a number, e.g. .05")
    return float(text)


def say(text: str) -> None:
    """What is being done, on a terminal only, in one line that the next overwrites."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def printable(text: str) -> str:
    """Text of files or another machine, without what would steer this terminal."""
    return "".join(c if c.isprintable() or c in "\n\t" else "?" for c in text)


def line(text: str) -> None:
    """A line on stderr, whose text may come from files or another machine."""
    print(printable(text), file=sys.stderr, flush=True)


def teller(every_s: float = 20.0) -> Callable[[str], None]:
    """What tells of long work: a line that the next overwrites on a terminal, else a line now and then."""
    last = -every_s

    def tell(text: str) -> None:
        nonlocal last
        if sys.stderr.isatty():
            say(text)
        elif text and time.monotonic() - last >= every_s:
            last = time.monotonic()
            print(text, file=sys.stderr, flush=True)

    return tell
