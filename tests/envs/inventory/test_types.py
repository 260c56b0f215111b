"""Populations drawn from types."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from envs.inventory.types import TYPES, AgentType, counts_of, draw_population


def test_counts_by_largest_remainder() -> None:
    # .25, .30, .20 of .75: of 100 agents 33.3, 40, 26.7
    assert counts_of([0.25, 0.30, 0.20], 100) == [33, 40, 27]
    assert counts_of([1, 1, 1], 4) == [2, 1, 1]
    assert counts_of([1, 1, 1], 2) == [1, 1, 0]


@given(st.lists(st.floats(0.01, 10), min_size=1, max_size=6), st.integers(2, 300))
def test_counts_sum_and_are_within_one_of_their_share(shares: list[float], agents: int) -> None:
    counts = counts_of(shares, agents)
    assert sum(counts) == agents
    for count, share in zip(counts, shares, strict=True):
        assert abs(count - share / sum(shares) * agents) < 1 + 1e-9


def test_jitter_keeps_means_margins_and_spread() -> None:
    p, types, names = draw_population(TYPES, 4000, 0.1, np.random.default_rng(0))
    assert names == list(TYPES)
    for k, name in enumerate(names):
        kind, mine = TYPES[name], types == k
        assert p.mu[mine].mean() == pytest.approx(kind.mu)
        assert p.p0[mine].mean() == pytest.approx(kind.p0)
        assert p.mu[mine].std() / kind.mu == pytest.approx(0.1, rel=0.15)
        np.testing.assert_allclose(p.c[mine] / p.p0[mine], kind.c / kind.p0)
        assert (p.L[mine] == kind.L).all()
        assert (p.delta[mine] == kind.delta).all()
    assert abs(np.corrcoef(p.mu[types == 0], p.p0[types == 0])[0, 1]) < 0.15


def test_without_jitter_agents_are_their_type() -> None:
    p, types, names = draw_population(TYPES, 12, 0.0, np.random.default_rng(0))
    assert p.mu.tolist() == [TYPES[names[k]].mu for k in types]


def test_types_without_agents_are_left_out() -> None:
    _, types, names = draw_population(TYPES, 2, 0.0, np.random.default_rng(0))
    assert names == ["convenience", "supermarket"]
    assert types.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"mu": 0}, "greater than 0"),
        ({"c": -1}, "greater than or equal to 0"),
        ({"mu": float("inf")}, "finite number"),
        ({"h": float("nan")}, "finite number"),
        ({"L": 9}, "less than or equal to 8"),
        ({"L": 0.5}, "valid integer"),
        ({"delta": 1.1}, "less than or equal to 1"),
        ({"holding": 1}, "Extra inputs are not permitted"),
    ],
)
def test_figures_out_of_range_are_refused(bad: dict[str, float], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        AgentType.model_validate({"mu": 10, "p0": 12, "c": 6, "h": 0.5} | bad)
