"""Whether MaxEnt IRL has matched the expert's features, as its history says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Convergence:
    """Of the last update."""

    converged: bool
    """Whether the log-likelihood's largest slope is within `tol`."""
    slope: float
    tol: float
    mismatch: float
    """Largest gap of a feature expectation to the expert's; what weight decay leaves of it stays."""
    iterations: int
    """L-BFGS's, in all."""
    stalled: bool = False
    """Whether the last update found no step that helps."""

    def told(self) -> str:
        """A sentence."""
        how = f"after {self.iterations:,} iterations: largest slope {self.slope:.2g}, tol {self.tol:g}; "
        gap = f"largest feature gap {self.mismatch:.2g}"
        if self.converged:
            return f"converged {how}{gap}{', which is the weight decay' * (self.mismatch > self.tol)}"
        mend = "no step helps any more: give a larger tol" if self.stalled else "give more --updates, or a larger tol"
        return f"not converged {how}{gap}; {mend}"


def convergence(history: Sequence[Mapping[str, Any]], tol: float) -> Convergence | None:
    """Of rows of `MaxEntIRLAgent.train`, whose cells may be text; None where a row says nothing of it."""
    if not history or any("slope" not in row for row in history):
        return None
    slope, mismatch = float(history[-1]["slope"]), float(history[-1]["mismatch"])
    each = [int(row["iterations"]) for row in history]
    return Convergence(slope <= tol, slope, tol, mismatch, sum(each), stalled=each[-1] == 0)
