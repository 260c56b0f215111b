"""evaluation.h5: per-agent, per-episode metrics of the trained and the reference policies.

The file is built complete under a temporary name, made durable and renamed; it is never held open. Its user block,
which HDF5's own tools pass over, has the SHA-256 of all that follows it. Reading refuses other sums, links, outside
storage, and types that are neither numbers nor text.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from mfmarl.errors import DamagedFile
from mfmarl.runs.files import storing, unpacking, write_whole
from mfmarl.runs.plain_hdf5 import why_no_link, why_not_plain

EVALUATION = "evaluation.h5"
SCHEMA = 1
MAX_BYTES = 8 << 30
USER_BLOCK = 512
"""Bytes, the fewest that HDF5 leaves to us before its own."""
_MEND = "delete it, and evaluate the run again"
METRICS = (
    "return", "profit", "stock", "backlog", "lost", "order", "order_std", "alpha_service", "beta_fill",
    "gamma_service", "turns", "bullwhip", "inventory_efficiency", "spoiled",
)  # fmt: skip


@dataclass(frozen=True)
class PolicyTable:
    """One policy's metrics, name -> [episodes, N]; `why` says for a metric with NaN entries why they are missing."""

    metrics: Mapping[str, NDArray[np.float64]]
    why: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Evaluation:
    """All that evaluation.h5 holds."""

    run: str
    method: str
    algorithm: str
    env: str
    split: str
    seed: int
    discount: float
    periods: int
    """T, steps of one episode."""
    agent_types: NDArray[np.int64]
    """[N], sorted."""
    agent_names: list[str]
    """[N]"""
    type_names: list[str]
    """[K]"""
    policies: Mapping[str, PolicyTable]
    """trained, random, constant, base_stock -> its metrics."""

    @property
    def num_agents(self) -> int:
        """N."""
        return len(self.agent_types)


_TEXTS = ("run", "method", "algorithm", "env", "split")


def write_evaluation(run: Path, evaluation: Evaluation) -> Path:
    """Write RUN/evaluation.h5, whole or not at all; an older one is replaced.

    Raises:
        ValueError: where shapes disagree, or a metric is NaN without a reason.
        StorageFailed: where the disk does not take it.
    """
    _check(evaluation)
    path = run / EVALUATION
    # in memory: on a full disk HDF5 prints a traceback for every node that it cannot close
    with h5py.File(str(path), "w", driver="core", backing_store=False, userblock_size=USER_BLOCK) as file:
        _fill(file, evaluation)
        file.flush()
        # without the user block
        data = file.id.get_file_image()
    write_whole(path, with_sum(data))
    return path


def with_sum(data: bytes) -> bytes:
    """What HDF5 wrote, after the user block that vouches for it."""
    return _user_block(hashlib.sha256(data).hexdigest()) + data


def _user_block(sha256: str) -> bytes:
    return f"mfmarl evaluation\nsha256 {sha256}\n".encode().ljust(USER_BLOCK, b"\0")


def _check_sum(path: Path) -> None:
    with path.open("rb") as file:
        block = file.read(USER_BLOCK)
        whole = block == _user_block(hashlib.file_digest(file, "sha256").hexdigest())
    if not whole:
        raise DamagedFile(f"{path} is damaged: its SHA-256 does not fit ({_MEND})")


def _check(evaluation: Evaluation) -> None:
    agents = evaluation.num_agents
    if len(evaluation.agent_names) != agents:
        raise ValueError(f"{len(evaluation.agent_names)} agent names for {agents} agents")
    if not evaluation.policies:
        raise ValueError("an evaluation needs at least one policy")
    for policy, table in evaluation.policies.items():
        shapes = {np.shape(values) for values in table.metrics.values()}
        if len(shapes) != 1 or len(shape := next(iter(shapes))) != 2 or shape[1] != agents or shape[0] < 1:
            raise ValueError(f"metrics of {policy} must all be [episodes, {agents}]; got {sorted(shapes)}")
        for name, values in table.metrics.items():
            if np.isinf(values).any():
                raise ValueError(f"{policy}/{name} is infinite somewhere; a missing value is NaN with its reason")
            if np.isnan(values).any() and not table.why.get(name):
                raise ValueError(f"{policy}/{name} has NaN entries and no reason in `why`")


def _fill(file: Any, evaluation: Evaluation) -> None:
    text = h5py.string_dtype("utf-8")
    file.attrs["schema"] = SCHEMA
    for name in _TEXTS:
        file.attrs[name] = getattr(evaluation, name)
    file.attrs["seed"] = evaluation.seed
    file.attrs["discount"] = float(evaluation.discount)
    file.attrs["num_agents"] = evaluation.num_agents
    file.attrs["periods"] = evaluation.periods
    agents = file.create_group("agents")
    agents.create_dataset("type", data=np.asarray(evaluation.agent_types, np.int64))
    agents.create_dataset("name", data=list(evaluation.agent_names), dtype=text)
    agents.create_dataset("type_names", data=list(evaluation.type_names), dtype=text)
    for policy, table in evaluation.policies.items():
        group = file.create_group(f"policies/{policy}")
        for name, values in table.metrics.items():
            data = np.asarray(values, np.float64)
            dataset = group.create_dataset(name, data=data)
            group.attrs["episodes"] = data.shape[0]
            if table.why.get(name):
                dataset.attrs["why"] = table.why[name]


def read_evaluation(path: Path) -> Evaluation:
    """The evaluation in a file, checked.

    Raises:
        DamagedFile: names the file and what in it is damaged, missing or not allowed.
        StorageFailed: where the disk does not give it.
    """
    with storing(path, "cannot read"):
        if path.is_symlink() or not path.is_file():
            raise DamagedFile(f"{path} is missing or not a regular file")
        if path.stat().st_size > MAX_BYTES:
            raise DamagedFile(f"{path} is larger than {MAX_BYTES} bytes")
        _check_sum(path)
        with unpacking(path, f"is damaged ({_MEND})"), h5py.File(path, "r", locking=False) as file:
            return _read(_Guarded(file, path))


class _Guarded:
    """Datasets and groups of one file, reached through hard links only."""

    def __init__(self, file: Any, path: Path) -> None:
        self.file, self.path = file, path
        self.walked: dict[str, Any] = {"": file}
        """Groups that were reached, by their path: a file has hundreds of datasets in a handful of groups."""

    def refuse(self, what: str) -> DamagedFile:
        return DamagedFile(f"{self.path} is refused: {what}")

    def names(self, group: str) -> list[str]:
        return [str(name) for name in self.get(group, h5py.Group)]

    def get(self, name: str, kind: type) -> Any:
        above, _, last = name.rpartition("/")
        node = self.walked[above] if above in self.walked else self.get(above, h5py.Group)
        link = node.get(last, getlink=True)
        if link is None:
            raise self.refuse(f"/{name} is missing")
        if why := why_no_link(link):
            raise self.refuse(f"/{name} {why}")
        node = node[last]
        if not isinstance(node, kind):
            raise self.refuse(f"/{name} is not a {kind.__name__.lower()}")
        if kind is h5py.Group:
            self.walked[name] = node
        return node

    def dataset(self, name: str) -> Any:
        data = self.get(name, h5py.Dataset)
        if why := why_not_plain(data):
            raise self.refuse(f"/{name} {why}")
        return data

    def numbers(self, name: str, kind: str) -> NDArray[Any]:
        return self.values(self.dataset(name), name, kind)

    def values(self, data: Any, name: str, kind: str) -> NDArray[Any]:
        if data.dtype.kind != kind:
            raise self.refuse(f"/{name} has type {data.dtype}")
        return np.asarray(data[()])

    def texts(self, name: str) -> list[str]:
        data = self.dataset(name)
        if h5py.check_string_dtype(data.dtype) is None or data.ndim != 1:
            raise self.refuse(f"/{name} is not a list of texts")
        return [str(text) for text in data.asstr()[()]]

    def attribute(self, name: str, kind: type) -> Any:
        value = self.file.attrs.get(name)
        plain = value.item() if isinstance(value, np.generic) else value
        if not isinstance(plain, kind):
            raise self.refuse(f"attribute {name} is {type(plain).__name__}, not {kind.__name__}")
        return plain


def _read(file: _Guarded) -> Evaluation:
    if file.attribute("schema", int) != SCHEMA:
        raise file.refuse(f"it has schema {file.attribute('schema', int)}, this version reads {SCHEMA}")
    policies = {}
    for policy in file.names("policies"):
        metrics, why = {}, {}
        for name in file.names(f"policies/{policy}"):
            data = file.dataset(f"policies/{policy}/{name}")
            metrics[name] = file.values(data, f"policies/{policy}/{name}", "f").astype(np.float64)
            reason = data.attrs.get("why")
            if reason is not None:
                why[name] = str(reason)
        policies[policy] = PolicyTable(metrics, why)
    evaluation = Evaluation(
        **{name: file.attribute(name, str) for name in _TEXTS},
        seed=file.attribute("seed", int),
        discount=file.attribute("discount", float),
        periods=file.attribute("periods", int),
        agent_types=file.numbers("agents/type", "i").astype(np.int64),
        agent_names=file.texts("agents/name"),
        type_names=file.texts("agents/type_names"),
        policies=policies,
    )
    if evaluation.num_agents != file.attribute("num_agents", int):
        raise file.refuse("num_agents and agents/type disagree")
    _check(evaluation)
    return evaluation
