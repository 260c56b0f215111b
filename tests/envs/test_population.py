"""Types as slices."""

from __future__ import annotations

import numpy as np
import pytest

from envs.population import type_slices


def test_a_type_is_a_slice() -> None:
    assert type_slices(np.array([0, 0, 0, 1, 2, 2])) == [slice(0, 3), slice(3, 4), slice(4, 6)]


@pytest.mark.parametrize("types", [[], [1, 1], [0, 1, 0], [0, 2], [[0], [1]]])
def test_unsorted_types_are_refused(types: list[int]) -> None:
    with pytest.raises(ValueError, match="sorted and count 0, 1, 2"):
        type_slices(np.array(types, np.int64))
