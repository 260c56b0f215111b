"""Demonstrations as npz files: plain arrays, and words about them as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mfmarl.errors import UserError
from mfmarl.imitation.demonstrated import about_of
from mfmarl.imitation.demonstrations import ARRAYS, Demonstrations
from mfmarl.imitation.faults import array_of
from mfmarl.imitation.npz_arrays import arrays_in
from mfmarl.imitation.spaces import Spaces
from mfmarl.runs.files import replacing, storing, to_json, unpacking

SCHEMA = 1


def write_npz(shown: Demonstrations, path: Path) -> None:
    """As `Demonstrations.to_npz`."""
    words = {
        "schema": SCHEMA,
        "env": shown.env,
        "state_dim": shown.spaces.state_dim,
        "action_dim": shown.spaces.action_dim,
        "low": list(shown.spaces.low),
        "high": list(shown.spaces.high),
        "told": shown.told,
    }
    with storing(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary, temporary.open("wb") as file:
        names = ARRAYS if shown.kept is None else (*ARRAYS, "kept")
        arrays = {name: getattr(shown, name) for name in names}
        np.savez_compressed(file, about=np.frombuffer(to_json(words).encode(), np.uint8), **arrays)


def read_npz(path: Path, spaces: Spaces | None = None) -> Demonstrations:
    """As `Demonstrations.from_npz`."""
    found = arrays_in(path)
    about: dict[str, Any] = {}
    if "about" in found:
        with unpacking(path):
            about = about_of(found.pop("about"))
    missing = [name for name in ARRAYS if name not in found]
    if missing:
        raise UserError(f"{path} has no {', '.join(missing)}; want {', '.join(ARRAYS)}")
    with _of(path), unpacking(path):
        if about:
            if about["schema"] != SCHEMA:
                raise UserError(f"has schema {about['schema']}; want {SCHEMA}")
            low, high = tuple(about["low"]), tuple(about["high"])
            spaces = Spaces(int(about["state_dim"]), int(about["action_dim"]), low, high)
        elif spaces is None:
            spaces = _spaces_from(found)
        return Demonstrations(
            spaces=spaces,
            **{name: found[name] for name in ARRAYS},
            env=str(about.get("env", "")),
            told=dict(about.get("told", {})),
            kept=found.get("kept"),
        )


@contextmanager
def _of(path: Path) -> Iterator[None]:
    """Mistakes with the file's name."""
    try:
        yield
    except UserError as wrong:
        raise UserError(f"{path}: {wrong}") from wrong


def _spaces_from(found: dict[str, NDArray[Any]]) -> Spaces:
    """Of arrays alone: actions that are whole are numbered, others have the bounds that they show."""
    for name, ndims in (("observations", (2,)), ("actions", (1, 2))):
        values = array_of(found[name], f"demonstrations: {name} are")
        if values.ndim not in ndims or not len(values):
            want = "(n, width)" if ndims == (2,) else "(n,) or (n, width)"
            raise UserError(f"demonstrations: {name} have shape {values.shape}; want {want}, n of 1 or more")
    states, actions = found["observations"].shape[1], found["actions"]
    if actions.ndim == 1 and np.issubdtype(actions.dtype, np.integer):
        return Spaces(states, int(actions.max()) + 1)
    rows = actions.reshape(len(actions), -1)
    return Spaces(states, rows.shape[1], tuple(rows.min(0).tolist()), tuple(rows.max(0).tolist()))
