"""What a cluster file holds: where a study runs, one model for each kind of cluster; free of torch and Ray."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from mfmarl.errors import UserError
from mfmarl.model_text import one_line
from mfmarl.registry import suggestion
from mfmarl.strict_yaml import read_yaml

RAY_SHARE = 0.8
"""Of a Slurm node's memory, what cells may be given; KubeRay tells Ray all of a pod's."""


def _word(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._,+@:/-]{0,252}", text):
        raise ValueError("want letters, digits and . _ , + @ : / -, no blanks")
    return text


def _label(text: str) -> str:
    if not re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", text):
        raise ValueError("want a name as of Kubernetes: up to 63 of a-z, 0-9 and -, e.g. mfmarl-runs")
    return text


def _folder(text: str) -> str:
    if not text.startswith("/") or not text.isprintable() or ".." in text.split("/"):
        raise ValueError("want an absolute path, e.g. /shared/runs")
    return text


def _line(text: str) -> str:
    if not text.strip() or not text.isprintable():
        raise ValueError("want one line of shell")
    return text


Word = Annotated[str, AfterValidator(_word)]
Label = Annotated[str, AfterValidator(_label)]
Folder = Annotated[str, AfterValidator(_folder)]
Line = Annotated[str, AfterValidator(_line)]


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Machines(_File):
    nodes: int = Field(1, ge=1, le=4096, description="machines, that of the driver among them; all do cells")
    cpus: int = Field(ge=1, le=4096, description="processors of each")
    memory_gb: float = Field(ge=1, le=65_536, description="memory of each")
    gpus: int = Field(0, ge=0, le=64, description="GPUs of each; only learners of a cell use one")

    @property
    def cell_bytes(self) -> int:
        """Of a node's memory, what cells may be given."""
        return int(self.memory_gb * 1e9)


class KubeRay(_Machines):
    """A RayJob of a Kubernetes cluster with the KubeRay operator, 1.6 or later (`authOptions.secretName`)."""

    kind: Literal["kuberay"] = Field(description="which kind of cluster the file describes")
    image: Word = Field(description="container image with mfmarl and the Ray version of this machine")
    volume_claim: Label = Field(description="claim of a volume that all pods may write (ReadWriteMany)")
    runs_dir: Folder = Field("/runs", description="where pods see that volume; holds the study's folder")
    namespace: Label = Field("default", description="Kubernetes namespace")
    token_secret: Label = Field("mfmarl-ray-token", description="Secret with Ray's token as auth_token")
    retries: int = Field(2, ge=0, le=100, description="further tries, each with a new Ray cluster")
    hours: float | None = Field(None, gt=0, le=8760, description="ends it after that time; without it none")


class Slurm(_Machines):
    """A batch job of a Slurm cluster."""

    kind: Literal["slurm"] = Field(description="which kind of cluster the file describes")
    runs_dir: Folder = Field(description="folder that all nodes see; holds the study's folder and Ray's token")
    hours: float = Field(24.0, ge=0.1, le=8760, description="time limit; the job is queued again before it ends")
    partition: Word | None = Field(None, description="Slurm partition; without it the default one")
    account: Word | None = Field(None, description="account that pays")
    qos: Word | None = Field(None, description="quality of service")
    setup: tuple[Line, ...] = Field((), description="lines of shell that make python and ray ours on every node")
    port: int = Field(6379, ge=1024, le=65_535, description="of Ray on the first node")

    @property
    def cell_bytes(self) -> int:
        """Of a node's memory, what cells may be given; the rest is Ray's own."""
        return int(RAY_SHARE * self.memory_gb * 1e9)


class _RayUp(_File):
    ssh_user: Word = Field("ubuntu", description="who logs in on the nodes")
    ssh_private_key: Folder | None = Field(None, description="key to log in with, on this machine")
    runs_dir: Folder = Field(description="folder that all nodes see; `mfmarl submit --runs-dir` takes it")
    setup: tuple[Line, ...] = Field((), description="lines of shell that install mfmarl and mount runs_dir on a node")
    port: int = Field(6379, ge=1024, le=65_535, description="of Ray on the head")
    dashboard_port: int = Field(8265, ge=1024, le=65_535, description="of the job server, on the head's own loopback")


class RayUpLocal(_RayUp):
    """Machines of your own, reached by ssh."""

    kind: Literal["ray-up-local"] = Field(description="which kind of cluster the file describes")
    head: Word = Field(description="address of the machine that has the driver")
    workers: tuple[Word, ...] = Field((), description="addresses of the others")


class RayUpAws(_RayUp):
    """Machines that `ray up` rents at AWS."""

    kind: Literal["ray-up-aws"] = Field(description="which kind of cluster the file describes")
    region: Word = Field(description="e.g. us-west-2")
    image_id: Word | None = Field(None, description="machine image; without it Ray's default of the region")
    instance_type: Word = Field("m5.2xlarge", description="of every node")
    nodes: int = Field(1, ge=1, le=4096, description="machines, that of the driver among them")
    idle_minutes: int = Field(15, ge=1, le=10_000, description="a worker without work is given back after that time")


Cluster = KubeRay | Slurm | RayUpLocal | RayUpAws
KINDS: dict[str, type[Cluster]] = {
    "kuberay": KubeRay, "slurm": Slurm, "ray-up-local": RayUpLocal, "ray-up-aws": RayUpAws,
}  # fmt: skip


def read_cluster(path: Path) -> Cluster:
    """The cluster in a YAML file.

    Raises:
        UserError: one line naming the file, the line, the key, what was got and what is allowed.
    """
    source = read_yaml(path)
    kind = source.value.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        place = source.where.get(("kind",), str(path))
        got = "kind is missing" if kind is None else f"kind: got {json.dumps(kind)}"
        raise UserError(f"{place}: {got}; want one of {', '.join(KINDS)}{suggestion(str(kind), KINDS)}")
    try:
        return KINDS[kind].model_validate_json(json.dumps(source.value), strict=True)
    except ValidationError as error:
        raise UserError(one_line(error, source.where, str(path), KINDS[kind])) from None
