"""Long runs of chains: closed forms, tiny masses, and chains that have none or several."""

import numpy as np
import pytest

from envs.mean_field.chain import NoStationary, closed_classes, long_run, stationary


def test_two_states_balance() -> None:
    # 0 -> 1 with .3, 1 -> 0 with .2
    assert stationary(np.array([[0.7, 0.3], [0.2, 0.8]]), "c") == pytest.approx([0.4, 0.6], abs=1e-15)


def test_a_batch_is_its_loop_and_rests() -> None:
    P = np.random.default_rng(0).dirichlet(np.ones(6), (3, 2, 6))
    found = stationary(P, "c")
    np.testing.assert_allclose(np.einsum("...s,...sk->...k", found, P), found, atol=1e-15)
    for i, j in np.ndindex(3, 2):
        np.testing.assert_allclose(stationary(P[i, j], "c"), found[i, j], atol=1e-15)


def test_tiny_masses_are_exact() -> None:
    # up with 1e-20 at every step, down with 1/2: shares fall by 2e-20
    up, down = 1e-20, 0.5
    P = np.array([[1 - up, up, 0], [down, 0.5, up], [0, down, 0.5]])
    found = stationary(P, "c")
    assert found[1] / found[0] == pytest.approx(2e-20, rel=1e-12)
    assert found[2] / found[0] == pytest.approx(4e-40, rel=1e-12)


def test_states_that_are_left_for_ever_have_no_mass() -> None:
    P = np.array([[0.5, 0.5, 0.0], [0.0, 0.2, 0.8], [0.0, 0.6, 0.4]])
    np.testing.assert_array_equal(closed_classes(P)[0], [1, 2])
    assert stationary(P, "c").tolist() == pytest.approx([0.0, 3 / 7, 4 / 7], abs=1e-15)


def test_several_are_an_error_and_the_long_run_says_where_it_ends() -> None:
    # from the middle to the left with 1/4, to the right with 3/4
    P = np.array([[1.0, 0.0, 0.0, 0.0], [0.25, 0.0, 0.75, 0.0], [0.0, 0.0, 0.0, 1.0], [0.0, 0.0, 1.0, 0.0]])
    with pytest.raises(NoStationary, match=r"c: its chain has 2 stationary .* on states \[0\] and \[2, 3\]"):
        stationary(P, "c")
    start = np.array([0.1, 0.8, 0.1, 0.0])
    assert long_run(P, start, "c").tolist() == pytest.approx([0.3, 0.0, 0.35, 0.35], abs=1e-15)
    at, total = start, np.zeros(4)
    for _ in range(1000):
        total, at = total + at / 1000, at @ P
    np.testing.assert_allclose(long_run(P, start, "c"), total, atol=2e-3)
