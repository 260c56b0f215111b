"""A solution of a mean-field game taken apart: where its exploitability comes from, and the files that show it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from analysis import audit_rows
from analysis.figures import flow
from analysis.figures.solution import convergence
from envs.mean_field.common_noise import CommonNoiseMFG
from envs.mean_field.game import FiniteMFG
from envs.mean_field.graphon import GraphonMFG
from envs.mean_field.protocol import Game
from envs.mean_field.stacked import StackedMFG
from envs.mean_field.stationary import StationaryMFG
from mfmarl.runs.files import replacing, write_whole
from mfmarl.solvers.saved import Saved
from mfmarl.solvers.solution import Solution


@dataclass(frozen=True)
class Kind:
    """What is of one kind of game alone."""

    rows: Callable[[Any], audit_rows.Rows]
    picture: Callable[[Any, Solution, str], flow.Picture]


KINDS: dict[type, Kind] = {
    FiniteMFG: Kind(audit_rows.of_steps, flow.of_steps),
    GraphonMFG: Kind(audit_rows.of_places, flow.of_places),
    StackedMFG: Kind(audit_rows.of_populations, flow.of_populations),
    StationaryMFG: Kind(audit_rows.of_rest, flow.of_rest),
    CommonNoiseMFG: Kind(audit_rows.of_histories, flow.of_histories),
}


def _kind(game: Game) -> Kind:
    """Of the game's class, or of the nearest above it."""
    return next(KINDS[above] for above in type(game).__mro__ if above in KINDS)


def audit_table(game: Game, pi: ArrayLike) -> pd.DataFrame:
    """Where one agent would gain by deviating from pi [..., S, A]: a row for each place in which agents decide.

    Columns: the place (t and state; population, or history of the noise with its probability, where there are such; no
    t in a stationary game), mu, value (of pi from there), best_value, best_action, loss = V*(s) - E_pi Q*(s, .), and
    share = mu loss, times the history's probability, or 1 / (1 - discount) in a stationary game. Shares sum to the
    exploitability.
    """
    policy = np.asarray(pi, float)
    mu = game.flow(policy)
    best = game.best_response(mu, policy)
    best_value = game.deciding(best.values)
    # actions that a state does not have have Q = -inf and are not played
    played = np.where(policy > 0, policy * np.where(policy > 0, best.q, 0.0), 0.0).sum(-1)
    rows = _kind(game).rows(game)
    columns = {
        "mu": game.deciding(mu),
        "value": (policy * game.action_values(policy)).sum(-1),
        "best_value": best_value,
        "best_action": best.policy.argmax(-1),
        "loss": best_value - played,
    }
    table = pd.DataFrame({**rows.names, **{name: column.ravel() for name, column in columns.items()}})
    return table.assign(share=rows.weight * table["mu"] * table["loss"])


def write(folder: Path, game: Game, saved: Saved) -> list[Path]:
    """Write convergence.png, flow.gif (flow.png of a stationary game) and audit.csv, each whole or not at all.

    Raises:
        StorageFailed: where the folder takes no file.
    """
    solution, problem = saved.solution, saved.problem
    picture, shown = _kind(game).picture(game, solution, problem.game)
    paths = [folder / name for name in ("convergence.png", picture, "audit.csv")]
    measure = "exploitability" if solution.gap is None else "gap"
    history = pd.DataFrame([(p.iteration, p.measure) for p in solution.history], columns=["iteration", measure])
    figure = convergence(history, saved.tol, f"{problem.game} by {problem.solver}", measure)
    with replacing(paths[0]) as temporary:
        figure.savefig(temporary, format="png", dpi=150)
    write_whole(paths[1], shown)
    with replacing(paths[2]) as temporary:
        audit_table(game, solution.pi).to_csv(temporary, index=False, lineterminator="\n")
    return paths
