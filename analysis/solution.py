"""A solution of a mean-field game taken apart: where its exploitability comes from, and the files that show it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from analysis.figures.solution import convergence, flow_gif
from envs.mean_field.game import FiniteMFG
from mfmarl.runs.files import replacing, write_whole
from mfmarl.solvers.saved import Saved


def audit_table(game: FiniteMFG, pi: ArrayLike) -> pd.DataFrame:
    """Where one agent would gain by deviating from pi [T, S, A]: a row for each step t and state s.

    Columns t, state, mu, value (of pi from there), best_value, best_action, loss = V*(s) - E_pi Q*(s, .), share = mu
    loss. Shares sum to the exploitability (performance difference lemma).
    """
    policy = game.check_policy(pi)
    found = game.audit(policy)
    T, S, _ = game.shape
    value = game.evaluate(policy, found.mu, policy)[:-1]
    best = found.best_response
    # actions that a state does not have have Q = -inf and are not played
    played = np.where(policy > 0, policy * np.where(policy > 0, best.q, 0.0), 0.0).sum(-1)
    loss = best.values[:-1] - played
    t, state = np.divmod(np.arange(T * S), S)
    columns = {
        "mu": found.mu[:-1],
        "value": value,
        "best_value": best.values[:-1],
        "best_action": best.policy.argmax(-1),
        "loss": loss,
        "share": found.mu[:-1] * loss,
    }
    return pd.DataFrame({"t": t, "state": state} | {name: column.ravel() for name, column in columns.items()})


def write(folder: Path, game: FiniteMFG, saved: Saved) -> list[Path]:
    """Write convergence.png, flow.gif and audit.csv into `folder`, each whole or not at all.

    Raises:
        StorageFailed: where the folder takes no file.
    """
    paths = [folder / name for name in ("convergence.png", "flow.gif", "audit.csv")]
    solution, problem = saved.solution, saved.problem
    history = pd.DataFrame(
        [(p.iteration, p.exploitability) for p in solution.history], columns=["iteration", "exploitability"]
    )
    figure = convergence(history, saved.tol, f"{problem.game} by {problem.solver}")
    with replacing(paths[0]) as temporary:
        figure.savefig(temporary, format="png", dpi=150)
    write_whole(paths[1], flow_gif(solution.mu, problem.game))
    with replacing(paths[2]) as temporary:
        audit_table(game, solution.pi).to_csv(temporary, index=False, lineterminator="\n")
    return paths
