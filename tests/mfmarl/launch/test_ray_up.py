"""Cluster files of `ray up`: what they start, and what Ray and we refuse."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

import pytest
import yaml

from mfmarl.errors import UserError
from mfmarl.launch import ray_up
from tests.mfmarl.launch.manifests import AWKWARD, LOCAL


def test_the_cluster_files_of_ray_up_start_ray_with_a_token(rendered: dict[str, str]) -> None:
    local, aws = (yaml.safe_load(rendered[f"ray-up {name}"]) for name in ("local", "aws"))
    assert local["provider"] == {"type": "local", "head_ip": "10.0.0.1", "worker_ips": ["node-2"]}
    assert local["setup_commands"][1] == LOCAL.setup[0]
    assert aws["available_node_types"]["worker"]["min_workers"] == aws["max_workers"] == 3
    assert aws["available_node_types"]["head"]["node_config"] == {"InstanceType": "m5.2xlarge", "ImageId": "ami-0"}
    assert aws["auth"]["ssh_private_key"] == "/a b"
    for config in (local, aws):
        assert shlex.split(config["setup_commands"][-1]) == ["mkdir", "-p", AWKWARD]
        assert config["head_start_ray_commands"][1].startswith(ray_up.head_start(6379, 8265))
        assert config["worker_start_ray_commands"][1] == ray_up.worker_start(6379)
        assert config["file_mounts"] == {"~/.ray/auth_token": "~/.ray/auth_token"}


def test_nodes_keep_the_token_to_themselves(rendered: dict[str, str], tmp_path: Path) -> None:
    config = yaml.safe_load(rendered["ray-up local"])
    home = tmp_path / "home"
    (home / ".ray").mkdir(parents=True, mode=0o755)
    token = home / ".ray" / "auth_token"
    token.write_text("abc")
    token.chmod(0o644)
    environment = {"HOME": str(home), "PATH": os.environ["PATH"]}
    subprocess.run(["bash", "-c", config["setup_commands"][0]], env=environment, check=True)
    assert (token.stat().st_mode & 0o777, token.parent.stat().st_mode & 0o777) == (0o600, 0o700)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("max_workers: 1", "max_workerz: 1"), "Additional properties are not allowed ('max_workerz' was unexpected)"),
        (("max_workers: 1", "max_workers: many"), "max_workers: 'many' is not of type 'integer'"),
        (("cluster_name: ", "# "), "'cluster_name' is a required property"),
        (("  head_ip: ", "  # "), "`head_ip`"),
        (("export RAY_AUTH_MODE=token RAY", "export RAY"), "head_start_ray_commands: Ray would ask nobody for a token"),
        (("--dashboard-host=127.0.0.1", ""), "head_start_ray_commands: want ray start --dashboard-host=127.0.0.1"),
        (('  "~/.ray/auth_token": ', '  "~/token": '), 'file_mounts: got ["~/token"]; want ~/.ray/auth_token'),
        (("auth:", " auth:"), "up.yaml line "),
    ],
)
def test_a_changed_cluster_file_is_refused(rendered: dict[str, str], change: tuple[str, str], told: str) -> None:
    text = rendered["ray-up local"]
    assert change[0] in text
    with pytest.raises(UserError) as error:
        ray_up.validate(text.replace(*change), "up.yaml")
    assert str(error.value).startswith("up.yaml")
    assert told in str(error.value)
