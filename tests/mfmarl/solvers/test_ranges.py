"""Settings of solvers that are out of range are refused in one line, whoever gives them."""

from __future__ import annotations

import inspect
import math
from typing import Any

import numpy as np
import pytest

from mfmarl.errors import UserError
from mfmarl.solvers import SOLVERS
from mfmarl.solvers.fictitious_play import FictitiousPlay
from mfmarl.solvers.ranges import check_number, check_whole

EVERY = [(s, k) for s in sorted(SOLVERS) for k in inspect.signature(SOLVERS[s]).parameters if k != "name"]


@pytest.mark.parametrize(("solver", "setting"), EVERY)
def test_every_setting_refuses_what_it_cannot_be(solver: str, setting: str) -> None:
    for value in (-1, math.nan, math.inf, "slow", None):
        with pytest.raises(UserError, match=f"^{solver}: {setting} is {value!r}; want ") as refused:
            SOLVERS[solver](**{setting: value})
        assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("solver", "setting", "value", "wanted"),
    [
        ("fictitious_play", "damping", 1.5, "a number above 0, 1 or less"),
        ("fixed_point", "damping", 0, "a number above 0, 1 or less"),
        ("boltzmann_iteration", "temperature", 0.0, "a number above 0"),
        ("entropy_continuation", "factor", 1.0, "a number above 0, below 1"),
        ("prior_descent", "every", 2.5, "a whole number, 0 or more"),
        ("interior_point", "share", 1.1, "a number 0 or more, 1 or less"),
        ("mirror_prox", "growth", 0.9, "a number 1 or more"),
        ("mf_psro", "rounds", 0, "a whole number, 1 or more"),
        ("omi", "extra", 1, "True or False"),
        ("portfolio", "members", (), "a tuple of solvers"),
    ],
)
def test_the_ends_of_ranges(solver: str, setting: str, value: Any, wanted: str) -> None:
    with pytest.raises(UserError, match=wanted):
        SOLVERS[solver](**{setting: value})


def test_what_is_within_is_taken() -> None:
    assert FictitiousPlay(weight="constant", damping=1).damping == 1
    for value in (1, np.float64(0.5), np.int64(1)):
        check_number("x", "y", value, above=0, most=1)
    check_whole("x", "y", np.int64(3), least=3)
    with pytest.raises(UserError, match="want a whole number, 1 or more"):
        check_whole("x", "y", True, least=1)
    with pytest.raises(UserError, match=r"want 'harmonic' or 'constant'"):
        FictitiousPlay(weight="anything")  # type: ignore[arg-type]
