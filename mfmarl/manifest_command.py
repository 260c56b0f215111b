"""The command `mfmarl manifest`."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro.conf import FlagCreatePairsOff, Positional

from mfmarl.arguments import given
from mfmarl.errors import UserError
from mfmarl.registry import JOBS, load, suggestion
from mfmarl.runs.files import read_capped, write_whole

if TYPE_CHECKING:
    from mfmarl.launch.cluster_config import Cluster
    from mfmarl.launch.study import Study

KINDS = {"kuberay": ("kuberay",), "slurm": ("slurm",), "ray-up": ("ray-up-local", "ray-up-aws")}
"""What is made -> the kinds of cluster file that it is made from."""
MAX_BYTES = 4 << 20


@dataclass(frozen=True)
class Manifest:
    """Make what a cluster needs to do a study: a RayJob for Kubernetes, a Slurm script, or a cluster file of `ray up`.

    It is checked and printed, and nothing else happens: --out keeps it, --place hands it over (kubectl apply, sbatch;
    of ray up it says which commands to give). --check checks one that you changed. The cluster file says how many
    machines, how large, and where; configs/cluster/ has one of each kind.

    Examples:
      mfmarl manifest slurm configs/study/demo.yaml --cluster configs/cluster/slurm.yaml
      mfmarl manifest kuberay configs/study/demo.yaml --cluster configs/cluster/kuberay.yaml --place
      mfmarl manifest ray-up configs/study/demo.yaml --cluster configs/cluster/ray_up_aws.yaml --out up.yaml --place
      mfmarl manifest slurm --check study.sbatch
    """

    kind: Annotated[str, Positional, given("kuberay|slurm|ray-up")]
    """What to make."""
    file: Annotated[Path | None, Positional, given("STUDY.yaml")] = None
    """The study, as of `mfmarl study`."""
    cluster: Annotated[Path | None, given("FILE")] = None
    """The cluster file."""
    out: Annotated[Path | None, given("FILE", "printed")] = None
    """Write it there."""
    place: Annotated[bool, FlagCreatePairsOff, given()] = False
    """Hand it to the cluster too."""
    check: Annotated[Path | None, given("FILE")] = None
    """Check this one, and make none."""

    def run(self) -> int:
        """Make, check, print, write or place it."""
        if self.kind not in KINDS:
            raise UserError(f"manifest {self.kind}: want one of {', '.join(KINDS)}{suggestion(self.kind, KINDS)}")
        if self.check is not None:
            return self._check(self.check)
        if self.file is None or self.cluster is None:
            missing = "the study file" if self.file is None else "--cluster FILE"
            raise UserError(
                f"manifest {self.kind}: {missing} is missing; e.g. mfmarl manifest {self.kind} configs/study/demo.yaml "
                f"--cluster configs/cluster/{KINDS[self.kind][0].replace('-', '_')}.yaml"
            )
        if self.kind == "ray-up" and self.place and self.out is None:
            raise UserError("`ray up` reads a file: give --out FILE with --place")
        cluster = load(JOBS, "cluster")(self.cluster)
        if cluster.kind not in KINDS[self.kind]:
            raise UserError(
                f"{self.cluster}: kind is {cluster.kind}; manifest {self.kind} wants {' or '.join(KINDS[self.kind])}"
            )
        text = self._rendered(load(JOBS, "study")(self.file), self.file, cluster)
        if self.out is not None:
            write_whole(self.out, text.encode())
            print(self.out)
        elif not self.place:
            print(text, end="")
        if self.place:
            print(self._placed(text, self.file, cluster))
        return 0

    def _check(self, path: Path) -> int:
        if self.file is not None or self.cluster is not None or self.out is not None or self.place:
            raise UserError("--check FILE checks a file and makes none; leave the rest out")
        if not path.is_file():
            raise UserError(f"{path}: there is no such file")
        try:
            text = read_capped(path.resolve(), MAX_BYTES).decode("utf-8")
        except UnicodeDecodeError as error:
            raise UserError(f"{path}: byte {error.start} is not UTF-8 text") from None
        load(JOBS, f"{self.kind} check")(text, str(path))
        print(f"{path} is right", file=sys.stderr)
        return 0

    def _rendered(self, study: Study, file: Path, cluster: Cluster) -> str:
        text: str = load(JOBS, f"{self.kind} manifest")(study, file, cluster)
        return text

    def _placed(self, text: str, file: Path, cluster: Cluster) -> str:
        told: str
        if self.kind == "ray-up":
            told = load(JOBS, "ray-up commands")(file, self.out, cluster)
        else:
            told = load(JOBS, f"{self.kind} place")(text)
        return told
