"""Imitators as files: `agent.safetensors`, which holds all that goes on, and the same words in `agent.json`."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel
from torch import Tensor, nn

from mfmarl.errors import UserError
from mfmarl.imitation.result import Counts
from mfmarl.runs.files import storing, to_json, unpacking, write_whole
from mfmarl.runs.sealed import Arrays, read_sealed, write_sealed

TENSORS, WORDS = "agent.safetensors", "agent.json"
SCHEMA = 1
LARGEST = 16 << 30
"""Bytes of a file that is read."""


def words_of(config: BaseModel, seed: int, counts: Counts) -> dict[str, Any]:
    """What every agent says of itself beside its arrays."""
    return {"config": config.model_dump(mode="json"), "seed": seed, "counts": asdict(counts)}


def write_agent(folder: Path, kind: str, words: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write both files into `folder`, each whole or not at all.

    The tensors' file has everything in it and a SHA-256 of it all, so that a killed write leaves the last one good.

    Raises:
        StorageFailed: where the folder cannot be made or takes no file.
    """
    with storing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    told = {"schema": SCHEMA, "kind": kind, **words}
    text = to_json(told)
    own = {name: np.array(array, order="C") for name, array in arrays.items()}
    write_sealed(folder / TENSORS, "agent", text, own)
    write_whole(folder / WORDS, to_json(told, indent=1).encode() + b"\n")


def read_agent(folder: Path, kind: str) -> tuple[dict[str, Any], Arrays]:
    """(words, arrays) that `write_agent` has written.

    Raises:
        UserError: where the folder has no agent, or one of another kind.
        DamagedFile: where the file was cut short or changed.
        StorageFailed: where it cannot be read.
    """
    words, arrays = _read(folder)
    if words.get("kind") != kind:
        raise UserError(f"{folder / TENSORS} holds {words.get('kind')}; want {kind}")
    return words, arrays


def kind_of(folder: Path) -> str:
    """The name of the class whose `save` wrote into `folder`.

    Raises:
        UserError: where nothing did.
        DamagedFile: where the file was cut short or changed.
    """
    return str(_read(folder)[0].get("kind"))


def _read(folder: Path) -> tuple[dict[str, Any], Arrays]:
    path = folder / TENSORS
    if not path.exists():
        raise UserError(f"{folder} has no {TENSORS}; `agent.save(folder)` writes one")
    return read_sealed(path, "agent", SCHEMA, LARGEST)


def reading(folder: Path) -> AbstractContextManager[None]:
    """Around what makes an agent of its file, which may be of another version, or made by somebody else.

    Raises:
        DamagedFile: names the file, where words or arrays do not make an agent.
    """
    return unpacking(folder / TENSORS, "makes no agent")


def with_prefix(prefix: str, arrays: Mapping[str, NDArray[Any]]) -> Arrays:
    """Arrays as `prefix.name`."""
    return {f"{prefix}.{name}": array for name, array in arrays.items()}


def under(prefix: str, arrays: Arrays) -> Arrays:
    """What `with_prefix` put there, by its own names."""
    start = f"{prefix}."
    return {name[len(start) :]: array for name, array in arrays.items() if name.startswith(start)}


def module_arrays(prefix: str, module: nn.Module) -> Arrays:
    """Parameters, buffers and generators of a module."""
    return with_prefix(prefix, {name: value.numpy().copy() for name, value in module.state_dict().items()})


def load_module(prefix: str, module: nn.Module, arrays: Arrays) -> None:
    """What `module_arrays` gave, into a module of the same shape."""
    module.load_state_dict(_tensors(prefix, arrays))


def optimiser_arrays(prefix: str, optimiser: torch.optim.Optimizer) -> Arrays:
    """The running averages of an optimiser; its rates come from the settings."""
    state = optimiser.state_dict()["state"]
    return {f"{prefix}.{i}.{name}": value.numpy().copy() for i, of in state.items() for name, value in of.items()}


def load_optimiser(prefix: str, optimiser: torch.optim.Optimizer, arrays: Arrays) -> None:
    """What `optimiser_arrays` gave."""
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in _tensors(prefix, arrays).items():
        number, key = name.split(".", 1)
        state.setdefault(int(number), {})[key] = value
    optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})


def _tensors(prefix: str, arrays: Arrays) -> dict[str, Tensor]:
    return {name: torch.from_numpy(array.copy()) for name, array in under(prefix, arrays).items()}
