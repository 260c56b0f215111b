"""A deviator that is trained: its policy, and `done`, written last, which says of what training and has its sum."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import safetensors.numpy

from mfmarl.errors import DamagedFile, UserError
from mfmarl.network import PolicyNetwork
from mfmarl.policy import EXPORTED_SHAPE, EXPORTED_TENSORS, MAX_SHAPE, MAX_TENSORS, module_arrays
from mfmarl.runs.files import read_capped, storing, to_json, write_whole

POLICY, DONE = "policy", "done"
MAX_DONE = 128
FILES = ((EXPORTED_SHAPE, MAX_SHAPE), (EXPORTED_TENSORS, MAX_TENSORS))


def write_finished(network: PolicyNetwork, folder: Path, settings: str) -> None:
    """Write the policy as `mfmarl export` does, then `done`.

    Args:
        settings: hash of all that the training depends on.
    """
    with storing(folder):
        (folder / POLICY).mkdir(exist_ok=True)
    shape = to_json(network.shape.to_json(), indent=2).encode()
    tensors = safetensors.numpy.save(module_arrays(network))
    for (name, _), data in zip(FILES, (shape, tensors), strict=True):
        write_whole(folder / POLICY / name, data)
    write_whole(folder / DONE, f"{settings} {_sum(shape, tensors)}".encode())


def finished(folder: Path, settings: str) -> bool:
    """Whether the deviator of a folder is trained; then its policy is whole.

    Raises:
        UserError: where it was trained with other settings.
        DamagedFile: where its files were cut short or changed.
        StorageFailed: where they cannot be read.
    """
    path = folder / DONE
    if not path.exists():
        return False
    mend = f"delete {path}, and the deviator is trained anew"
    told = re.fullmatch(rb"([0-9a-f]{12})(?: ([0-9a-f]{64}))?", read_capped(path, MAX_DONE))
    if told is None:
        raise DamagedFile(f"{path} is damaged: it has no hash of settings and SHA-256; {mend}")
    check_same(folder, told[1].decode(), settings)
    held = []
    for name, limit in FILES:
        if not (folder / POLICY / name).exists():
            raise DamagedFile(f"{folder / POLICY / name} is not there; {mend}")
        held.append(read_capped(folder / POLICY / name, limit))
    # earlier versions kept no sum
    if told[2] is not None and told[2].decode() != _sum(*held):
        places = " or ".join(str(folder / POLICY / name) for name, _ in FILES)
        raise DamagedFile(f"{places} is damaged: the SHA-256 in {DONE} does not fit; {mend}")
    return True


def check_same(folder: Path, begun: str, now: str) -> None:
    """Refuse to go on with a deviator of other settings."""
    if begun != now:
        raise UserError(
            f"{folder} holds a deviator of other settings ({begun}, these are {now}); give another folder, or take "
            "that one away"
        )


def _sum(shape: bytes, tensors: bytes) -> str:
    return hashlib.sha256(hashlib.sha256(shape).digest() + tensors).hexdigest()
