"""What a cluster needs to do a study (RayJob, Slurm script, file of `ray up`): made, checked, printed or placed."""

from __future__ import annotations

import sys
from pathlib import Path

from mfmarl.errors import UserError
from mfmarl.registry import JOBS, load
from mfmarl.runs.files import read_capped, write_whole

KINDS = {"kuberay": ("kuberay",), "slurm": ("slurm",), "ray-up": ("ray-up-local", "ray-up-aws")}
"""What is made -> the kinds of cluster file that it is made from."""
MAX_BYTES = 4 << 20


def make_manifest(kind: str, study_file: Path, cluster_file: Path, out: Path | None, place: bool) -> int:
    """Print the manifest of a study, or write it to `out`; `place` hands it to the cluster too.

    Raises:
        UserError: for a mistake in either file, names the line; or where the cluster's own tool is missing or refuses.
        StorageFailed: where it cannot be written.
    """
    if kind == "ray-up" and place and out is None:
        raise UserError("`ray up` reads a file: give --out FILE with --place")
    cluster = load(JOBS, "cluster")(cluster_file)
    if cluster.kind not in KINDS[kind]:
        raise UserError(f"{cluster_file}: kind is {cluster.kind}; --{kind} wants {' or '.join(KINDS[kind])}")
    text: str = load(JOBS, f"{kind} manifest")(load(JOBS, "study")(study_file), study_file, cluster)
    if out is not None:
        write_whole(out, text.encode())
        print(out)
    elif not place:
        print(text, end="")
    if place and kind == "ray-up":
        print(load(JOBS, "ray-up commands")(study_file, out, cluster))
    elif place:
        print(load(JOBS, f"{kind} place")(text))
    return 0


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
