"""Cluster files with awkward paths, and what is rendered from them, for tests of manifests."""

from __future__ import annotations

from pathlib import Path

from mfmarl.launch import kuberay, ray_up, slurm
from mfmarl.launch.cluster_config import KubeRay, RayUpAws, RayUpLocal, Slurm
from mfmarl.launch.study import Study
from tests.mfmarl.launch.conftest import small_study

AWKWARD = "/shared/it's \"mine\" $HOME `x`; rm -rf & {{ a }} # é/runs"
SLURM = Slurm(kind="slurm", nodes=3, cpus=16, memory_gb=60, gpus=1, runs_dir=AWKWARD, hours=30.5, account="ours")
KUBERAY = KubeRay(kind="kuberay", image="us.gcr.io/x/mfmarl:1@sha256", nodes=3, cpus=8, memory_gb=32, gpus=1,
                  volume_claim="runs", runs_dir=AWKWARD, hours=2)  # fmt: skip
LOCAL = RayUpLocal(kind="ray-up-local", head="10.0.0.1", workers=("node-2",), runs_dir=AWKWARD, setup=("cd '/a b'",))
AWS = RayUpAws(kind="ray-up-aws", region="us-west-2", nodes=4, image_id="ami-0", runs_dir=AWKWARD,
               ssh_private_key="/a b")  # fmt: skip


def awkward_study(folder: Path) -> tuple[Study, Path]:
    """The small study under a path with blanks and quotes."""
    home = folder / "it's a \"$study\" `x`"
    home.mkdir()
    return small_study(home), home / "small.yaml"


def all_rendered(folder: Path) -> dict[str, str]:
    """Every kind of manifest of one study, whose path is as awkward."""
    study, path = awkward_study(folder)
    return {
        "slurm": slurm.render(study, path, SLURM),
        "kuberay": kuberay.render(study, path, KUBERAY),
        "ray-up local": ray_up.render(study, path, LOCAL),
        "ray-up aws": ray_up.render(study, path, AWS),
    }
