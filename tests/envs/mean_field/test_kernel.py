"""Kernels: dense and sparse are one, mass forward and expectations backward are adjoint, bad rows are named."""

import numpy as np
import pytest

from envs.mean_field.kernel import BadKernel, FixedKernel, dense, moving, sparse_kernel


def random_kernel(rng: np.random.Generator, S: int, A: int, K: int) -> FixedKernel:
    prob = rng.random((S, A, K))
    return sparse_kernel(rng.integers(S, size=(S, A, K)), prob / prob.sum(-1, keepdims=True))


def as_dense(kernel: FixedKernel) -> np.ndarray:
    P = np.zeros((kernel.num_states, kernel.num_actions, kernel.num_states))
    for s, a, k in np.ndindex(kernel.next.shape):
        P[s, a, kernel.next[s, a, k]] += kernel.prob[s, a, k]
    return P


@pytest.mark.parametrize("lead", [(), (4,), (2, 3)])
def test_sparse_equals_dense(lead: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    kernel = random_kernel(rng, 7, 3, 4)
    x, v, mu = rng.random((*lead, 7, 3)), rng.random((*lead, 7)), rng.random((*lead, 7))
    P = as_dense(kernel)
    still = moving(kernel.next, lambda t, mu: np.broadcast_to(kernel.prob, (*mu.shape[:-1], 7, 3, 4)))
    for one in (kernel, dense(P), still):
        np.testing.assert_allclose(one.push(0, x, mu), np.einsum("...sa,sak->...k", x, P), atol=1e-14)
        np.testing.assert_allclose(one.expect(0, v, mu), np.einsum("...k,sak->...sa", v, P), atol=1e-14)


def test_large_sparse_kernels_stay_sparse() -> None:
    rng = np.random.default_rng(1)
    kernel = random_kernel(rng, 1500, 2, 3)
    assert not isinstance(kernel.matrix, np.ndarray)
    x, v = rng.random((5, 1500, 2)), rng.random((5, 1500))
    got = kernel.push(0, x, v)
    want = np.zeros((5, 1500))
    for b in range(5):
        np.add.at(want[b], kernel.next, x[b][..., None] * kernel.prob)
    np.testing.assert_allclose(got, want, atol=1e-12)
    np.testing.assert_allclose(kernel.push(0, x[0], v[0]), want[0], atol=1e-12)
    np.testing.assert_allclose(kernel.expect(0, v, v), (v[:, kernel.next] * kernel.prob).sum(-1), atol=1e-12)


def test_push_and_expect_are_adjoint() -> None:
    rng = np.random.default_rng(2)
    kernel = random_kernel(rng, 6, 2, 3)
    x, v = rng.random((6, 2)), rng.random(6)
    assert kernel.push(0, x, v) @ v == pytest.approx((x * kernel.expect(0, v, v)).sum(), abs=1e-14)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ((1, 0, 0, 0.9), r"P\(. \| s=1, a=0\) sums to 1.4"),
        ((2, 1, 1, np.nan), r"P\(. \| s=2, a=1\) has NaN"),
        ((0, 1, 2, -0.5), r"P\(. \| s=0, a=1\) has a negative probability"),
    ],
)
def test_rows_that_are_no_distribution_are_named(change: tuple[int, int, int, float], told: str) -> None:
    P = np.full((3, 2, 3), 1 / 3)
    P[1, 0] = 0.5, 0.25, 0.25
    s, a, k, value = change
    P[s, a, k] = value
    with pytest.raises(BadKernel, match=told):
        dense(P)


def test_successors_and_shapes_are_checked() -> None:
    with pytest.raises(BadKernel, match=r"next\[0, 0, 1\] is 3"):
        sparse_kernel(np.array([[[0, 3]], [[0, 1]], [[0, 1]]]), np.full((3, 1, 2), 0.5))
    with pytest.raises(BadKernel, match=r"\(3, 1, 3\) and next \(3, 1, 2\)"):
        sparse_kernel(np.zeros((3, 1, 2), np.int64), np.full((3, 1, 3), 1 / 3))
    with pytest.raises(BadKernel, match=r"\(3, 2, 4\)"):
        dense(np.zeros((3, 2, 4)))
    with pytest.raises(BadKernel, match="sums to 2"):
        moving(np.zeros((2, 1, 2), np.int64), lambda t, mu: np.ones((2, 1, 2)))
