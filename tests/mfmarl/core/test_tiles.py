"""Products in registers against float64, for matrices that do and do not fill their tiles."""

import numpy as np
import pytest

from mfmarl.core.tiles import COLUMNS, ROWS, WIDE_COLUMNS, add_products, affine, affine_relu, filled, wide_products


def matrix(rng: np.random.Generator, rows: int, columns: int) -> np.ndarray:
    """Filled up with zeros to whole tiles."""
    out = np.zeros((filled(rows, ROWS), filled(columns, COLUMNS)), np.float32)
    out[:rows, :columns] = rng.normal(size=(rows, columns))
    return out


@pytest.mark.parametrize(("rows", "depth", "units"), [(1, 1, 1), (4, 16, 16), (7, 29, 64), (64, 50, 33)])
def test_products(rows: int, depth: int, units: int):
    rng = np.random.default_rng(0)
    x, w, bias = matrix(rng, rows, depth), matrix(rng, depth, units), matrix(rng, 1, units)[0]
    stride, wide = x.shape[1], w.shape[1]
    # the result starts behind three numbers that are left alone
    out = np.full(3 + x.shape[0] * wide, 7.0, np.float32)
    want = x[:, :depth].astype(np.float64) @ w[:depth] + bias
    for product, expected in ((affine, want), (affine_relu, np.maximum(want, 0))):
        product(x.ravel(), 0, stride, depth, w.ravel(), 0, bias, 0, wide, out, 3, rows)
        np.testing.assert_allclose(out[3:].reshape(-1, wide)[:rows], expected[:rows], rtol=1e-5, atol=1e-5)
        assert out[:3].tolist() == [7.0] * 3
    g = matrix(rng, rows, units)
    total = np.ones((filled(depth, ROWS), wide), np.float32)
    add_products(x.ravel(), 0, stride, depth, g.ravel(), 0, wide, total.ravel(), 0, rows)
    want = 1 + x[:rows, :depth].astype(np.float64).T @ g[:rows]
    np.testing.assert_allclose(total[:depth], want, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("rows", "depth", "columns"), [(1, 1, 1), (7, 11, 24), (30, 5, 9)])
def test_products_in_float64(rows: int, depth: int, columns: int):
    """Of a transposed factor, with columns behind those that are wanted, into a part of the result."""
    rng = np.random.default_rng(0)
    high, wide = filled(rows, ROWS), filled(columns, WIDE_COLUMNS)
    a, b = rng.normal(size=(depth, high)), rng.normal(size=(depth, 3 + wide + 5))
    out = np.full((high, 2 + wide), 7.0)
    wide_products(a.ravel(), 1, high, depth, b.ravel(), 3, b.shape[1], out.ravel(), 2, out.shape[1], high, wide)
    np.testing.assert_allclose(out[:, 2:], a.T @ b[:, 3 : 3 + wide], rtol=1e-13, atol=1e-13)
    assert (out[:, :2] == 7.0).all()


def test_nan_goes_through_the_positive_part():
    x = np.array([np.nan, *[0.0] * 15] * 4, np.float32)
    out = np.zeros(4 * COLUMNS, np.float32)
    affine_relu(x, 0, 16, 1, np.ones(4 * COLUMNS, np.float32), 0, np.zeros(COLUMNS, np.float32), 0, COLUMNS, out, 0, 4)
    assert np.isnan(out).all()
