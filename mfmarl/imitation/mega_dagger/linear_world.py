"""The linear-Gaussian world model: its uncertainty in closed form, and a bound on how often it must ask."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize

Array = NDArray[np.float64]


class LinearWorld:
    """y = W' phi + noise of variance sigma^2 in each entry, weights drawn from N(0, sigma^2 / lambda) before any data.

    After rows Phi the posterior's covariance is sigma^2 (Phi'Phi + lambda I)^-1 for every entry of y, which is what
    the covariance of an ensemble of posterior draws tends to.
    """

    def __init__(self, features: int, outputs: int, sigma: float = 1.0, ridge: float = 1.0) -> None:
        """Raises:
        ValueError: for a noise or a ridge that is not above 0.
        """
        if sigma <= 0 or ridge <= 0:
            raise ValueError(f"sigma is {sigma} and ridge {ridge}; want both above 0")
        self.sigma = sigma
        self.gram = np.diag(np.full(features, ridge, np.float64))
        """[d, d]: Phi'Phi + lambda I."""
        self.moments: Array = np.zeros((features, outputs))
        """[d, D]: Phi'Y."""

    def take_in(self, phi: ArrayLike, y: ArrayLike) -> None:
        """Rows [n, d] and outputs [n, D]."""
        rows = np.atleast_2d(np.asarray(phi, float))
        self.gram = self.gram + rows.T @ rows
        self.moments = self.moments + rows.T @ np.atleast_2d(np.asarray(y, float))

    @property
    def weights(self) -> Array:
        """The posterior's mean W [d, D]."""
        return np.asarray(np.linalg.solve(self.gram, self.moments), np.float64)

    def uncertainty(self, phi: ArrayLike) -> Array:
        """u = sigma^2 phi' (Phi'Phi + lambda I)^-1 phi of rows [n, d], of one entry of y: [n]."""
        rows = np.atleast_2d(np.asarray(phi, float))
        found: Array = self.sigma**2 * (rows * np.linalg.solve(self.gram, rows.T).T).sum(-1)
        return found

    def draws(self, members: int, rng: np.random.Generator) -> Array:
        """Weights [M, d, D] from the posterior: an ensemble."""
        root = np.linalg.cholesky(np.linalg.inv(self.gram))
        noise = rng.normal(size=(members, *self.moments.shape))
        found: Array = self.weights + self.sigma * np.einsum("ij,mjk->mik", root, noise)
        return found


def most_queries(tau: float, features: int, ridge: float = 1.0) -> float:
    """The largest n with n <= (2 d / tau) log(1 + n / (d lambda)): so often at most is u > tau, asked, and taken in.

    For tau <= 1, sigma = 1 and |phi| <= 1, by the elliptical potential (Abbasi-Yadkori, Pal and Szepesvari 2011, lemma
    11): sum min(1, u_t) <= 2 log det(V_n / lambda) <= 2 d log(1 + n / (d lambda)).

    Raises:
        ValueError: for tau outside 0 < tau <= 1.
    """
    if not 0 < tau <= 1:
        raise ValueError(f"tau is {tau}; want more than 0 and at most 1")
    return _largest(2 / tau, features, ridge)


def most_queries_in_rounds(tau: float, features: int, steps: int, ridge: float = 1.0) -> float:
    """As `most_queries`, where what is asked is taken in only after rounds of so many steps, for any tau above 0.

    The largest n with n <= d K / log(1 + K tau) log(1 + n / (d lambda)). For m queries of a round, psi_j =
    V^-1/2 phi_j by the V it began with, |psi_j|^2 = u_j > tau, multiply det V by
    det(I + sum psi psi') >= 1 + sum |psi_j|^2 > 1 + m tau, and log(1 + m tau) >= (m / K) log(1 + K tau) for m <= K.

    Raises:
        ValueError: for tau of 0 or less, or no step.
    """
    if tau <= 0 or steps < 1:
        raise ValueError(f"tau is {tau} and steps {steps}; want tau above 0 and a step or more")
    return _largest(steps / math.log1p(steps * tau), features, ridge)


def _largest(factor: float, features: int, ridge: float) -> float:
    """The largest n with n <= d factor log(1 + n / (d lambda))."""

    def beyond(n: float) -> float:
        return n - features * factor * math.log1p(n / (features * ridge))

    # convex in n and 0 at 0: below 0 up to its minimum, where its slope is 0, and one more root beyond that
    lowest = features * factor - features * ridge
    if lowest <= 0:
        return 0.0
    high = 2 * lowest + 1.0
    while beyond(high) < 0:
        high *= 2
    return float(optimize.brentq(beyond, lowest, high))
