"""Trained policies for other programs: safetensors with JSON, which `Policy.load` reads back, or an ONNX graph."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import safetensors.numpy

from mfmarl.errors import UserError
from mfmarl.network import PolicyNetwork
from mfmarl.policy import EXPORTED_SHAPE, EXPORTED_TENSORS, Policy, module_arrays
from mfmarl.runs.files import storing, to_json, write_whole

Format = Literal["safetensors", "onnx"]
GRAPH = "policy.onnx"


def export(run: Path, kind: Format, out: Path) -> list[Path]:
    """Write the policies of a run's newest checkpoint into the folder `out`; returns the files.

    safetensors: `policy.safetensors` and `policy.json`; onnx: `policy.onnx`, see `graph_of` for its inputs and outputs.

    Raises:
        UserError: where `run` is no run folder or has no checkpoint, or onnx is not installed.
        StorageFailed: where the checkpoint is damaged, or the disk does not take the files.
    """
    network = Policy.load(run).network
    with storing(out):
        out.mkdir(parents=True, exist_ok=True)
    if kind == "onnx":
        return [_written(out / GRAPH, _onnx_bytes(network))]
    tensors = {name: np.array(array, order="C") for name, array in module_arrays(network).items()}
    described = to_json(network.shape.to_json(), indent=1).encode() + b"\n"
    return [
        _written(out / EXPORTED_TENSORS, bytes(safetensors.numpy.save(tensors))),
        _written(out / EXPORTED_SHAPE, described),
    ]


def _onnx_bytes(network: PolicyNetwork) -> bytes:
    try:
        from mfmarl.onnx_graph import graph_of
    except ImportError as error:
        raise UserError(f"--format onnx needs the package onnx ({error}): pip install onnx") from None
    return bytes(graph_of(network).SerializeToString())


def _written(path: Path, data: bytes) -> Path:
    write_whole(path, data)
    return path
