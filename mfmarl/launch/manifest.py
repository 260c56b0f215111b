"""What a cluster needs to do a study (RayJob, Slurm script, file of `ray up`): made, checked, printed or placed."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from mfmarl.arguments import line
from mfmarl.errors import UserError
from mfmarl.launch.cluster_config import Cluster, KubeRay, Slurm
from mfmarl.launch.study import Cell, Study
from mfmarl.registry import JOBS, load
from mfmarl.runs.files import read_capped, write_whole

KINDS = {"kuberay": ("kuberay",), "slurm": ("slurm",), "ray-up": ("ray-up-local", "ray-up-aws")}
"""What is made -> the kinds of cluster file that it is made from."""
MAX_BYTES = 4 << 20


def make_manifest(kind: str, study_file: Path, cluster_file: Path, out: Path | None, place: bool) -> int:
    """Print the manifest of a study, or write it to `out`; `place` hands it to the cluster too.

    Raises:
        UserError: for a mistake in either file, names the line; for a cell that its game or every node refuses; or
            where the cluster's own tool is missing or refuses.
        StorageFailed: where it cannot be written.
    """
    if kind == "ray-up" and place and out is None:
        raise UserError("`ray up` reads a file: give --out FILE with --place")
    cluster = load(JOBS, "cluster")(cluster_file)
    if cluster.kind not in KINDS[kind]:
        raise UserError(f"{cluster_file}: kind is {cluster.kind}; --{kind} wants {' or '.join(KINDS[kind])}")
    study: Study = load(JOBS, "study")(study_file)
    if isinstance(cluster, KubeRay | Slurm):
        _check_room(study, study_file, cluster, cluster_file)
        _check_tables(study, cluster)
    _check_games(study)
    text: str = load(JOBS, f"{kind} manifest")(study, study_file, cluster)
    if out is not None:
        _check_ours(out)
        write_whole(out, text.encode())
        print(out)
    elif not place:
        print(text, end="")
    if place and kind == "ray-up":
        print(load(JOBS, "ray-up commands")(study_file, out, cluster))
    elif place:
        print(load(JOBS, f"{kind} place")(text))
    return 0


def _check_room(study: Study, study_file: Path, cluster: KubeRay | Slurm, cluster_file: Path) -> None:
    """Refuse cells that no node can hold: they would wait for one until the job's time is up."""
    needs = study.config.resources
    if needs.cpus > cluster.cpus:
        raise UserError(
            f"{study_file}: resources.cpus: a cell takes {needs.cpus} processors, and a node of {cluster_file} has "
            f"{cluster.cpus}; want less here, or larger nodes there"
        )
    if int(needs.memory_gb * 1e9) > cluster.cell_bytes:
        raise UserError(
            f"{study_file}: resources.memory_gb: a cell takes {needs.memory_gb:g} GB, and a node of {cluster_file} has "
            f"{cluster.cell_bytes / 1e9:g} GB for cells; want less here, or larger nodes there"
        )


def _check_tables(study: Study, cluster: Cluster) -> None:
    """Refuse sales tables by relative paths, which only `submit --address` takes along."""
    for cell in study.cells:
        table = _sales(cell)
        if table is not None and not table.is_absolute():
            raise UserError(
                f"cell ({cell.label}): env_options.sales: got {table}, which no node has; want an absolute path in a "
                f"folder that all nodes see, e.g. {cluster.runs_dir}/{table.name}"
            )


def _check_games(study: Study) -> None:
    """Let each kind of cell meet its game, but for those whose sales table is on the nodes alone."""
    here: list[Cell] = []
    elsewhere: dict[Path, None] = {}
    for cell in study.cells:
        table = _sales(cell)
        if table is not None and table.is_absolute() and not table.exists():
            elsewhere[table] = None
        else:
            here.append(cell)
    for table in elsewhere:
        line(f"note: {table} is not on this machine; whether its cells can be played is known on the nodes")
    load(JOBS, "study sizes")(replace(study, cells=tuple(here)))


def _sales(cell: Cell) -> Path | None:
    given = cell.config.env_options.get("sales")
    return Path(given) if isinstance(given, str) else None


def _check_ours(out: Path) -> None:
    """Refuse to write over what this command did not make, a study or cluster file among them."""
    if not out.exists():
        if not out.absolute().parent.is_dir():
            raise UserError(f"--out {out}: there is no folder {out.parent}")
        return
    if not out.is_file() or b"Made by `mfmarl submit" not in out.read_bytes()[:4096]:
        raise UserError(f"--out {out} is there already, and mfmarl submit did not make it; give another name")


def check_manifest(path: Path) -> int:
    """Check a manifest that may have been changed by hand.

    Raises:
        UserError: names the line and the mend.
    """
    if not path.is_file():
        raise UserError(f"{path}: there is no such file")
    try:
        text = read_capped(path.resolve(), MAX_BYTES).decode("utf-8")
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: byte {error.start} is not UTF-8 text") from None
    kind = "slurm" if text.startswith("#!") else "kuberay" if "ray.io/" in text else "ray-up"
    load(JOBS, f"{kind} check")(text, str(path))
    print(f"{path} is right", file=sys.stderr)
    return 0
