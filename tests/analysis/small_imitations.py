"""Folders of imitations with numbers made by hand, as `mfmarl imitate` writes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from mfmarl.runs.summed import summed

EXPERT = 500.0
LEVELS = {"bc": 300.0, "dagger": 480.0, "gail": 440.0}
"""Method -> return of its likeliest actions, which seeds move by a few."""


def make_imitation(
    folder: Path, method: str, seed: int, *, env: str = "CartPole-v1", episodes: int = 10, **more: Any
) -> Path:
    """One folder; seed s returns s more, and draws return 10 less than likeliest actions.

    Args:
        more: fields of imitation.json.
    """
    out = folder / f"{method}-{episodes}-s{seed}-{len(list(folder.glob('*')))}"
    out.mkdir(parents=True)
    end = more.pop("level", LEVELS.get(method, 100.0)) + seed
    asks, plays = method == "dagger", method != "bc"
    shown = 0 if asks else 500 * episodes
    rows: list[dict[str, Any]] = []
    for i in range(1, 6):
        played = 1000 * i * plays
        counts = {"demonstrations": shown, "interactions": played, "queries": played * asks, "updates": 1000 * i}
        for acting, less in (("mode", 0.0), ("sampled", 10.0)):
            # two episodes about the mean
            rows += [
                {
                    **counts,
                    "acting": acting,
                    "episode": e,
                    "seed": seed,
                    "return": end * i / 5 - less + off,
                    "length": 9,
                }
                for e, off in enumerate((-2.0, 2.0))
            ]
    pd.DataFrame(rows).to_csv(out / "evaluations.csv", index=False)
    history = pd.DataFrame({"round": [1, 2], "lengths_apart": [1.0, 0.25], "ends_apart": [1.0, 0.5]})
    (history if method == "gail" else history[["round"]]).to_csv(out / "history.csv", index=False)
    mean = {"return_mode": end, "return_sampled": end - 10, "mmd": 0.1, "visitation": 0.2 + 0.01 * seed}
    record = {
        "schema": 1, "method": method, "env": env, "seed": seed, "config": {"hidden_dims": [64]},
        "demonstrations": None if asks else {"path": "x.npz", "sha256": "0", "episodes": episodes, "steps": shown},
        "expert": "cartpole" if asks else None, "counts": counts, "cpu_seconds": 2.0 + seed, "complete": True,
        "metrics": {name: {"mean": x, "low": x - 1, "high": x + 1} for name, x in mean.items()} | {"success": None},
        "expert_return": {"mean": EXPERT, "low": EXPERT, "high": EXPERT},
    }  # fmt: skip
    (out / "imitation.json").write_bytes(summed(record | more))
    return out
