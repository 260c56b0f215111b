"""Compiled loops: with and without a place on disk for their code."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numba
import numpy as np
import pytest

from envs.inventory.compiled import compiled


def test_without_a_place_for_its_code_a_loop_is_compiled_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def njit(*, cache: bool = False, **options: Any) -> Any:
        asked.append(cache)
        if cache:
            raise RuntimeError("cannot cache function 'double': no locator available for file '<string>'")
        return numba.njit(**options)

    monkeypatch.setattr("envs.inventory.compiled.numba", SimpleNamespace(njit=njit))

    @compiled
    def double(x: float) -> float:
        return 2 * x

    assert double(3.0) == 6.0
    assert asked == [True, False]


def test_division_by_zero_is_numpys() -> None:
    @compiled
    def ratio(a: float, b: float) -> float:
        return a / b

    assert ratio(1.0, 0.0) == np.inf
