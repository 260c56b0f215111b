"""A study as a KubeRay RayJob: filled in, checked field by field, handed to kubectl."""

from __future__ import annotations

import hashlib
import json
import secrets
import shlex
import shutil
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pydantic import ValidationError

import mfmarl
from mfmarl.errors import UserError
from mfmarl.launch.cluster_config import KubeRay
from mfmarl.launch.rayjob_fields import ConfigMap, Container, RayJob
from mfmarl.launch.study import Study
from mfmarl.launch.templates import block, filled, label, yaml_text
from mfmarl.strict_yaml import read_documents

STUDY_FOLDER = "/etc/mfmarl"
DASHBOARD_PORT = 8265
ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0", "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1",
}  # fmt: skip


def render(study: Study, study_file: Path, cluster: KubeRay) -> str:
    """The manifest that runs a study, checked: a ConfigMap with the study file, and the RayJob.

    Its name is made of the study's name and a hash of all that it is made of: given again it is the same job, with
    further cells, another image or version a new one, which does only what is not done.

    Raises:
        UserError: where it did not come out right.
    """
    told = study_file.read_text(encoding="utf-8")
    made_of = [told, cluster.model_dump(mode="json"), mfmarl.__version__, version("ray")]
    digest = hashlib.sha256(json.dumps(made_of).encode()).hexdigest()
    command = ["python", "-m", "mfmarl", "study", "run", f"{STUDY_FOLDER}/study.yaml", "--address", "auto"]
    resources = {"cpu": str(cluster.cpus), "memory": f"{round(cluster.memory_gb * 1000)}M"}
    if cluster.gpus:
        resources["nvidia.com/gpu"] = str(cluster.gpus)
    text = filled(
        "rayjob.yaml.j2",
        yaml_text,
        {
            "job": label(study.name, digest),
            "namespace": cluster.namespace,
            "study": block(told, 4),
            "study_folder": STUDY_FOLDER,
            "entrypoint": shlex.join([*command, "--runs-dir", cluster.runs_dir]),
            "retries": cluster.retries,
            "seconds": None if cluster.hours is None else round(cluster.hours * 3600),
            "ray_version": version("ray"),
            "token_secret": cluster.token_secret,
            "dashboard_port": DASHBOARD_PORT,
            "image": cluster.image,
            "environment": ENVIRONMENT,
            "resources": resources,
            "runs_dir": cluster.runs_dir,
            "volume_claim": cluster.volume_claim,
            "cpus": cluster.cpus,
            "workers": cluster.nodes - 1,
        },
    )
    validate(text, "the rendered manifest")
    return text


def validate(text: str, source: str) -> None:
    """Check a manifest against the fields that it may have, and that Ray asks for a token wherever it runs.

    Raises:
        UserError: names the document, the field, what was got and what is allowed.
    """
    job, maps = _documents(text, source)
    spec = job.spec.rayClusterSpec
    host = spec.headGroupSpec.rayStartParams.get("dashboard-host")
    if host not in ("127.0.0.1", "localhost", "$MFMARL_POD_IP"):
        raise UserError(
            f"{source}: RayJob: headGroupSpec.rayStartParams.dashboard-host: got {json.dumps(host)}; want "
            "$MFMARL_POD_IP, since KubeRay itself would bind the dashboard to all interfaces"
        )
    workers = [(group.groupName, group.template) for group in spec.workerGroupSpecs]
    for group, template in [("headGroupSpec", spec.headGroupSpec.template), *workers]:
        for container in template.spec.containers:
            _check_token(container, f"{source}: RayJob: {group}, container {container.name}")
        for volume in template.spec.volumes:
            if volume.configMap is not None and (volume.configMap.name, job.metadata.namespace) not in maps:
                raise UserError(
                    f"{source}: RayJob: {group}: the manifest has no ConfigMap {volume.configMap.name} in its namespace"
                )


def _documents(text: str, source: str) -> tuple[RayJob, set[tuple[str, str]]]:
    """The RayJob of a manifest, and the (name, namespace) of its ConfigMaps."""
    jobs: list[RayJob] = []
    maps: set[tuple[str, str]] = set()
    for number, document in enumerate(read_documents(text, source), 1):
        kind = document.get("kind") if isinstance(document, dict) else None
        if kind not in ("RayJob", "ConfigMap"):
            raise UserError(f"{source}: document {number}: kind: got {json.dumps(kind)}; want RayJob or ConfigMap")
        try:
            if kind == "RayJob":
                jobs.append(RayJob.model_validate_json(json.dumps(document), strict=True))
            else:
                found = ConfigMap.model_validate_json(json.dumps(document), strict=True)
                maps.add((found.metadata.name, found.metadata.namespace))
        except ValidationError as error:
            raise UserError(f"{source}: {kind}: {_first(error)}") from None
    if len(jobs) != 1:
        raise UserError(f"{source}: want one RayJob, got {len(jobs)}")
    return jobs[0], maps


def _first(error: ValidationError) -> str:
    """The first mistake with the path of its field."""
    first = error.errors(include_url=False)[0]
    path = ".".join(map(str, first["loc"]))
    if first["type"] == "extra_forbidden":
        return f"unknown field {path}"
    if first["type"] == "missing":
        return f"{path} is missing"
    return f"{path}: got {json.dumps(first['input'])[:60]}; {first['msg']}"


def _check_token(container: Container, place: str) -> None:
    by_name = {variable.name: variable for variable in container.env}
    mode, token = by_name.get("RAY_AUTH_MODE"), by_name.get("RAY_AUTH_TOKEN")
    if mode is None or mode.value != "token":
        raise UserError(f"{place}: Ray would ask nobody for a token; want env RAY_AUTH_MODE with value token")
    if token is None or token.valueFrom is None or token.valueFrom.secretKeyRef is None:
        raise UserError(f"{place}: want env RAY_AUTH_TOKEN from a Secret (valueFrom.secretKeyRef), never as text")


def place(text: str) -> str:
    """Hand a manifest to kubectl, with a Secret made for its token where there is none; returns what kubectl says.

    Raises:
        UserError: where there is no kubectl here, or it refuses.
    """
    job, _ = _documents(text, "the manifest")
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        raise UserError("kubectl is not on PATH; install it, or take --out FILE to a machine that has it")
    namespace = job.metadata.namespace
    secret = job.spec.rayClusterSpec.authOptions.secretName
    told = []
    if secret is not None:
        # an answer of nothing is "there is none"; no cluster is an error
        asked = ["get", "secret", secret, "--namespace", namespace, "--ignore-not-found", "-o", "name"]
        if not _kubectl(kubectl, asked):
            document: dict[str, Any] = {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": secret, "namespace": namespace},
                "stringData": {"auth_token": secrets.token_hex(32)},
            }
            # by standard input, so that the token is in no list of processes
            told.append(_kubectl(kubectl, ["create", "-f", "-"], json.dumps(document)))
    told.append(_kubectl(kubectl, ["apply", "-f", "-"], text))
    told.append(f"next: kubectl get rayjob {job.metadata.name} --namespace {namespace} --watch")
    return "\n".join(told)


def _kubectl(kubectl: str, arguments: list[str], text: str | None = None) -> str:
    told = subprocess.run(
        [kubectl, "--request-timeout=30s", *arguments], input=text, capture_output=True, text=True, check=False
    )
    if told.returncode:
        raise UserError(f"kubectl {arguments[0]} failed: {' '.join(told.stderr.split())[:500] or told.returncode}")
    return told.stdout.strip()
