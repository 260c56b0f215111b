"""The RayJob: what it says, every field that may not be there, and the Secret of its token."""

from __future__ import annotations

import json
import os
import shlex
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import yaml

from mfmarl.errors import UserError
from mfmarl.launch import kuberay, slurm
from tests.mfmarl.launch.conftest import SMALL, small_study
from tests.mfmarl.launch.manifests import AWKWARD, KUBERAY


def test_the_rayjob_says_what_the_cluster_file_does(
    rendered: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config_map, job = yaml.safe_load_all(rendered["kuberay"])
    assert config_map["data"] == {"study.yaml": SMALL}
    name = config_map["metadata"]["name"]
    assert name == job["metadata"]["name"]
    spec, cluster = job["spec"], job["spec"]["rayClusterSpec"]
    assert shlex.split(spec["entrypoint"]) == [
        "python", "-m", "mfmarl", "study", "run", "/etc/mfmarl/study.yaml", "--address", "auto", "--runs-dir", AWKWARD,
    ]  # fmt: skip
    assert (spec["backoffLimit"], spec["shutdownAfterJobFinishes"], spec["activeDeadlineSeconds"]) == (2, True, 7200)
    assert cluster["rayVersion"] == version("ray")
    head, workers = cluster["headGroupSpec"], cluster["workerGroupSpecs"]
    assert [(g["replicas"], g["minReplicas"], g["maxReplicas"]) for g in workers] == [(2, 2, 2)]
    for group in (head, *workers):
        assert group["rayStartParams"]["num-cpus"] == "8"
        (container,) = group["template"]["spec"]["containers"]
        assert container["image"] == KUBERAY.image
        assert container["resources"]["limits"] == {"cpu": "8", "memory": "32000M", "nvidia.com/gpu": "1"}
        env = {v["name"]: v for v in container["env"]}
        assert env["RAY_AUTH_MODE"]["value"] == "token"
        assert env["RAY_AUTH_TOKEN"]["valueFrom"]["secretKeyRef"] == {"name": "mfmarl-ray-token", "key": "auth_token"}
        assert {"name": "runs", "mountPath": AWKWARD} in container["volumeMounts"]
    assert head["template"]["spec"]["volumes"][1] == {"name": "study", "configMap": {"name": name}}
    # the same study is the same job, one with further cells another
    study = small_study(tmp_path)
    again = kuberay.render(study, tmp_path / "small.yaml", KUBERAY)
    assert again == rendered["kuberay"]
    for changed in ({"image": "us.gcr.io/x/mfmarl:2"}, {"memory_gb": 64}, {"cpus": 4}, {"nodes": 2}):
        assert name not in kuberay.render(study, tmp_path / "small.yaml", KUBERAY.model_copy(update=changed))
    with monkeypatch.context() as patch:
        patch.setattr("mfmarl.__version__", "9.9")
        assert name not in kuberay.render(study, tmp_path / "small.yaml", KUBERAY)
    more = small_study(tmp_path, SMALL.replace("[1, 2]", "[1, 2, 3]"))
    assert name not in kuberay.render(more, tmp_path / "small.yaml", KUBERAY)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("  backoffLimit: 2", "  backofLimit: 2"), "RayJob: unknown field spec.backofLimit"),
        (
            ("          volumes:\n", "          hostNetwork: true\n          volumes:\n"),
            "RayJob: unknown field spec.rayClusterSpec.headGroupSpec.template.spec.hostNetwork",
        ),
        (("serviceType: ClusterIP", "serviceType: NodePort"), 'headGroupSpec.serviceType: got "NodePort"; '),
        (("enableIngress: false", "enableIngress: true"), "enableIngress: got true; "),
        (('{mode: "token", secret', '{mode: "disabled", secret'), 'authOptions.mode: got "disabled"; '),
        (('value: "token"', 'value: "disabled"'), "container ray-head: Ray would ask nobody for a token"),
        (("RAY_AUTH_TOKEN", "RAY_AUTH_TOKENS"), "want env RAY_AUTH_TOKEN from a Secret"),
        (("dashboard-host: ", "dashboard-hosts: "), "dashboard-host: got null; want $MFMARL_POD_IP"),
        (('configMap: {name: "', 'configMap: {name: "x'), "the manifest has no ConfigMap xsmall-"),
        (("kind: ConfigMap", "kind: Secret"), 'document 1: kind: got "Secret"; want RayJob or ConfigMap'),
        (('num-cpus: "8"', "num-cpus: 8"), "rayStartParams.num-cpus: got 8; "),
        (("backoffLimit: 2", "backoffLimit: 010"), "got 010, which YAML readers take differently"),
        (("backoffLimit: 2", "backoffLimit: 2\n  backoffLimit: 3"), "key spec.backoffLimit stands there twice"),
        (("  entrypoint: ", "  # entrypoint: "), "spec.entrypoint is missing"),
        (("---\n", "---\nkind: RayJob\n---\n"), "RayJob: apiVersion is missing"),
    ],
)
def test_a_changed_rayjob_is_refused(rendered: dict[str, str], change: tuple[str, str], told: str) -> None:
    text = rendered["kuberay"]
    assert change[0] in text
    with pytest.raises(UserError) as error:
        kuberay.validate(text.replace(*change), "job.yaml")
    assert str(error.value).startswith("job.yaml")
    assert told in str(error.value)
    assert "\n" not in str(error.value)


FAKE = """#!/bin/bash
cd "$(dirname "$0")"
echo "$(basename "$0") $*" >> calls
case "$*" in
    *"get secret"*) cat secret 2>/dev/null || true ;;
    *) cat > "stdin$(grep -c . calls)"; echo done ;;
esac
"""


def test_placing_hands_it_over_and_makes_the_secret_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, rendered: dict[str, str]
) -> None:
    # no Kubernetes and no Slurm here: what they would be given
    for name in ("kubectl", "sbatch"):
        (tmp_path / name).write_text(FAKE)
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    told = kuberay.place(rendered["kuberay"])
    assert told.splitlines()[-1].startswith("next: kubectl get rayjob small-")
    secret: dict[str, Any] = json.loads((tmp_path / "stdin2").read_text())
    assert secret["metadata"] == {"name": "mfmarl-ray-token", "namespace": "default"}
    token = secret["stringData"]["auth_token"]
    assert len(token) == 64
    assert (tmp_path / "stdin3").read_text() == rendered["kuberay"]
    # the token is in no command line
    assert token not in (tmp_path / "calls").read_text()
    (tmp_path / "secret").write_text("secret/mfmarl-ray-token\n")
    kuberay.place(rendered["kuberay"])
    assert "create" not in (tmp_path / "calls").read_text().splitlines()[-1]
    assert len((tmp_path / "calls").read_text().splitlines()) == 5
    assert slurm.place(rendered["slurm"]) == "done"
    assert (tmp_path / "stdin6").read_text() == rendered["slurm"]
