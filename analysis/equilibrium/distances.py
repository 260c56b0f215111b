"""How far two policies are apart: in what they would do at the same observations, and in the returns that they get."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class PolicyDistance:
    """Distances of two laws of actions, averaged over observations."""

    kl: float
    """Mean KL(p || q), nats; infinite where q never does what p does."""
    kl_reversed: float
    """Mean KL(q || p)."""
    wasserstein: float
    """Mean 2-Wasserstein distance of the quantities ordered, in their unit."""
    observations: int


@dataclass(frozen=True)
class TwoSample:
    """Whether two samples of returns could be of one law."""

    ks: float
    """Largest difference of the distribution functions."""
    ks_p: float
    """Kolmogorov-Smirnov."""
    rank_p: float
    """Mann-Whitney: whether one tends to be larger."""
    higher: float
    """Probability that a return of y exceeds one of x, ties counted half."""


def policy_distance(p: Doubles, q: Doubles, quantities: Doubles, *, mixed: float = 0.0) -> PolicyDistance:
    """Of laws p and q [n, A] at the same n observations, where action a orders quantities[a] ([A], or [n, A]).

    Args:
        mixed: share of the uniform law that both are mixed with before KL is taken, so that it is finite for policies
            that never play some action; distances of quantities are of the laws as they are.

    Raises:
        ValueError: for laws of different shapes, rows that are no probabilities, or quantities of another number.
    """
    p, q = _laws(p), _laws(q)
    if p.shape != q.shape:
        raise ValueError(f"laws have shapes {p.shape} and {q.shape}; distances are between laws at the same places")
    x = np.broadcast_to(np.asarray(quantities, float), p.shape)
    soft_p, soft_q = ((1 - mixed) * law + mixed / law.shape[1] for law in (p, q))
    kl, back = stats.entropy(soft_p, soft_q, axis=1), stats.entropy(soft_q, soft_p, axis=1)
    return PolicyDistance(float(kl.mean()), float(back.mean()), float(wasserstein_2(p, q, x).mean()), p.shape[0])


def _laws(rows: Doubles) -> Doubles:
    rows = np.asarray(rows, float)
    if rows.ndim != 2 or rows.size == 0:
        raise ValueError(f"laws have shape {rows.shape}; want one row of probabilities an observation")
    # float32 policies sum to 1 to some 1e-6
    if (rows < 0).any() or not (abs(rows.sum(1) - 1) < 1e-4).all():
        worst = int(np.argmax(np.nan_to_num(abs(rows.sum(1) - 1), nan=np.inf)))
        raise ValueError(f"row {worst} is no law: its probabilities sum to {rows[worst].sum():.6g}")
    return np.asarray(rows / rows.sum(1, keepdims=True))


def wasserstein_2(p: Doubles, q: Doubles, quantities: Doubles) -> Doubles:
    """[n]: 2-Wasserstein distances of laws [n, A] on numbers [n, A]: sqrt of the integral of squared differences of
    the quantile functions, which in one dimension is the best coupling (Villani 2003, theorem 2.18)."""
    ranks = np.argsort(quantities, axis=1, kind="stable")
    x, p, q = (np.take_along_axis(rows, ranks, 1) for rows in (quantities, p, q))
    below_p, below_q = np.cumsum(p, 1), np.cumsum(q, 1)
    # both cumulative laws end at exactly 1, else a sliver of the last bits would be coupled with nothing
    below_p[:, -1] = below_q[:, -1] = 1.0
    steps = np.sort(np.concatenate([np.zeros((len(p), 1)), below_p, below_q], 1), 1)
    width, middle = np.diff(steps, axis=1), (steps[:, 1:] + steps[:, :-1]) / 2
    at_p = np.minimum((below_p[:, None, :] < middle[..., None]).sum(-1), x.shape[1] - 1)
    at_q = np.minimum((below_q[:, None, :] < middle[..., None]).sum(-1), x.shape[1] - 1)
    apart = np.take_along_axis(x, at_p, 1) - np.take_along_axis(x, at_q, 1)
    return np.asarray(np.sqrt((width * apart**2).sum(1)))


def two_sample(x: Doubles, y: Doubles) -> TwoSample:
    """Tests of returns x [n] against y [m], each of independent agents or episodes.

    Raises:
        ValueError: for fewer than 3 of one, or a value that is not finite.
    """
    for name, values in (("x", x), ("y", y)):
        if np.ndim(values) != 1 or np.size(values) < 3 or not np.isfinite(values).all():
            raise ValueError(f"{name}: two-sample tests want 3 or more finite returns; got {np.shape(values)}")
    ks = stats.ks_2samp(x, y)
    ranks = stats.mannwhitneyu(y, x)
    return TwoSample(
        float(ks.statistic), float(ks.pvalue), float(ranks.pvalue), float(ranks.statistic / (len(x) * len(y)))
    )
