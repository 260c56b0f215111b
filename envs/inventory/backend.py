"""The two backends: `loops`, compiled for the processor on NumPy arrays, and `tensors`, torch on a device."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Any

Array = Any
"""A NumPy array, or a torch tensor where the backend is torch."""
NAMES = ("numpy", "torch")


@dataclass(frozen=True)
class Backend:
    """The passes of a period and where their arrays live."""

    passes: ModuleType
    device: str | None = None
    """torch's device; None for NumPy."""

    def array(self, values: Any) -> Array:
        """The values as this backend's array, with their dtype."""
        return self.passes.array(values, self.device)

    def zeros(self, *shape: int) -> Array:
        """float32 zeros."""
        return self.passes.zeros(shape, self.device)


def backend(name: str) -> Backend:
    """``numpy``, ``torch`` (on CUDA where there is a device), or torch on a device: ``torch:cpu``, ``torch:cuda:1``.

    Raises:
        UnknownName: for another name.
        ValueError: for a device that torch does not have.
    """
    from envs import UnknownName

    kind, _, device = name.partition(":")
    if kind not in NAMES or (kind == "numpy" and device):
        raise UnknownName("backend", name, [*NAMES, "torch:cpu", "torch:cuda"])
    if kind == "numpy":
        return Backend(import_module("envs.inventory.loops"))
    tensors = import_module("envs.inventory.tensors")
    return Backend(tensors, tensors.checked_device(device or None))
