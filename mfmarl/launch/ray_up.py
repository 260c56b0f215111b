"""A Ray cluster for `ray up`: filled in, checked by Ray's own schema; a study goes there by `mfmarl submit`."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

from mfmarl.errors import UserError
from mfmarl.launch.cluster_config import RayUpAws, RayUpLocal
from mfmarl.launch.study import Study
from mfmarl.launch.templates import check_not_exposed, filled, yaml_text
from mfmarl.registry import JOBS, load
from mfmarl.strict_yaml import read_documents

TOKEN = "~/.ray/auth_token"
ENVIRONMENT = (
    "export RAY_AUTH_MODE=token RAY_USAGE_STATS_ENABLED=0 RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO=0 OMP_NUM_THREADS=1"
)


def head_start(port: int, dashboard_port: int) -> str:
    """The line of shell that starts Ray on the head: it asks for a token, its dashboard is on the loopback alone."""
    return (
        f"{ENVIRONMENT}; ray start --head --port={port} --dashboard-host=127.0.0.1 --dashboard-port={dashboard_port}"
    )


def worker_start(port: int) -> str:
    """The line of shell that starts Ray on another node."""
    return f"{ENVIRONMENT}; ray start --address=$RAY_HEAD_IP:{port}"


def render(study: Study, study_file: Path, cluster: RayUpLocal | RayUpAws) -> str:
    """The cluster's YAML, checked. The study only gives it a name: a cluster does any number of studies.

    Raises:
        UserError: where it did not come out right.
    """
    # the launcher writes this file on the head; its autoscaler reads it
    autoscaler = " --autoscaling-config=~/ray_bootstrap_config.yaml"
    values: dict[str, Any] = cluster.model_dump() | {
        "name": f"mfmarl-{study.name}",
        "make_runs": f"mkdir -p {shlex.quote(cluster.runs_dir)}",
        "head_start": head_start(cluster.port, cluster.dashboard_port) + autoscaler,
        "worker_start": worker_start(cluster.port),
    }
    if isinstance(cluster, RayUpAws):
        image = {"ImageId": cluster.image_id} if cluster.image_id else {}
        values["node_config"] = {"InstanceType": cluster.instance_type} | image
    text = filled("ray-up.yaml.j2", yaml_text, values)
    validate(text, "the rendered cluster file")
    return text


def validate(text: str, source: str) -> None:
    """Check a cluster's YAML by the schema of this Ray, and that Ray asks for a token on every node.

    Raises:
        UserError: names the key and the mend.
    """
    documents = read_documents(text, source)
    if len(documents) != 1 or not isinstance(documents[0], dict):
        raise UserError(f"{source}: want one YAML document with keys, as of `ray up`")
    config = documents[0]
    load(JOBS, "ray-up schema")(config, source)
    check_not_exposed(text, source)
    for key in ("head_start_ray_commands", "worker_start_ray_commands"):
        starts = [line for line in config.get(key) or () if "ray start" in str(line)]
        if not starts or any("RAY_AUTH_MODE=token" not in line for line in starts):
            raise UserError(
                f"{source}: {key}: Ray would ask nobody for a token; want export RAY_AUTH_MODE=token; ray start ..."
            )
        if key.startswith("head") and any("--dashboard-host=127.0.0.1" not in line for line in starts):
            # the defaults of a provider may say otherwise
            raise UserError(f"{source}: {key}: want ray start --dashboard-host=127.0.0.1")
    if TOKEN not in (config.get("file_mounts") or {}):
        got = json.dumps(list(config.get("file_mounts") or {}))
        raise UserError(f"{source}: file_mounts: got {got}; want {TOKEN}, which brings the token to every node")


def commands(study_file: Path, out: Path, cluster: RayUpLocal | RayUpAws) -> str:
    """What to give by hand, in this order: these rent machines, or log in on yours.

    Raises:
        UserError: where this machine has no token to bring to the nodes.
    """
    if not Path(TOKEN).expanduser().is_file():
        raise UserError(f"{TOKEN} is not there, and is what nodes ask for; make it: ray get-auth-token --generate")
    here, study = shlex.quote(str(out)), shlex.quote(str(study_file))
    port, runs = cluster.dashboard_port, shlex.quote(cluster.runs_dir)
    return (
        f"ray up {here}\n"
        f"ray dashboard {here} --port {port} --remote-port {port}    # in another terminal: the way to the job server\n"
        f"mfmarl submit {study} --address http://127.0.0.1:{port} --runs-dir {runs}\n"
        f"ray down {here}"
    )
