"""Manifests of every kind: quoting, nothing open to others, cluster files, the command."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from mfmarl.cli import run_command
from mfmarl.errors import UserError
from mfmarl.launch import kuberay, ray_up, slurm
from mfmarl.launch.cluster_config import read_cluster
from mfmarl.launch.templates import block, label, yaml_text
from mfmarl.strict_yaml import read_documents
from tests.mfmarl.launch.conftest import SMALL
from tests.mfmarl.launch.manifests import AWKWARD

ROOT = Path(__file__).resolve().parents[3]
CHECKS: dict[str, Callable[[str, str], None]] = {
    "slurm": slurm.validate, "kuberay": kuberay.validate,
    "ray-up local": ray_up.validate, "ray-up aws": ray_up.validate,
}  # fmt: skip


def test_no_template_opens_the_job_server(rendered: dict[str, str]) -> None:
    assert len(rendered) == len(CHECKS)
    for name, text in rendered.items():
        assert "0.0.0.0" not in text, name
        assert not {"NodePort", "LoadBalancer", "hostNetwork", "[::]"} & set(text.split()), name
        assert "dashboard-host" in text, name
        assert "RAY_AUTH_MODE" in text, name
    # where one is changed to do so, its check says it
    hosts = {"slurm": "127.0.0.1", "kuberay": "$MFMARL_POD_IP", "ray-up local": "127.0.0.1", "ray-up aws": "127.0.0.1"}
    for name, host in hosts.items():
        opened = rendered[name].replace(host, "0.0.0.0")
        assert opened != rendered[name]
        with pytest.raises(UserError, match=r"binds the dashboard to all interfaces|want \$MFMARL_POD_IP"):
            CHECKS[name](opened, name)


FULL = "cpus: 2\nmemory_gb: 4\nruns_dir: /r\n"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("nodes: 2", "c.yaml: kind is missing; want one of kuberay, slurm, ray-up-local, ray-up-aws"),
        ("kind: slrum", 'c.yaml line 1: kind: got "slrum"; want one of kuberay, slurm, ray-up-local, ray-up-aws; did'),
        ("kind: slurm\ncpus: 2\nmemory_gb: 4", "c.yaml: runs_dir is missing"),
        ("kind: slurm\n" + FULL.replace("/r", "runs"), 'line 4: runs_dir: got "runs"; want an absolute path, e.g.'),
        ("kind: slurm\n" + FULL.replace("cpus: 2", "cpus: two"), 'line 2: cpus: got "two"; want a whole number'),
        ("kind: slurm\n" + FULL.replace("cpus", "cpu"), "line 2: unknown key cpu; did you mean 'cpus'?"),
        ("kind: slurm\n" + FULL + "partition: a b", 'line 5: partition: got "a b"; want letters'),
        ("kind: slurm\n" + FULL + "hours: 24:00:00", "line 5: hours: got 24:00:00, which YAML"),
        ("kind: slurm\n" + FULL + 'setup: ["a\\nb"]', 'setup.0: got "a\\nb"; want one line of shell'),
        ("kind: kuberay\n" + FULL + "image: x\nvolume_claim: A_b", 'volume_claim: got "A_b"; want a name as of'),
        ("kind: ray-up-aws\nruns_dir: /r", "c.yaml: region is missing"),
    ],
)
def test_a_bad_cluster_file_is_told_in_one_line(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "c.yaml").write_text(text + "\n")
    with pytest.raises(UserError) as error:
        read_cluster(tmp_path / "c.yaml")
    assert told in str(error.value).replace(f"{tmp_path}/", "")
    assert "\n" not in str(error.value)


def test_values_come_through_quoting_as_they_were() -> None:
    for text in ("plain", "no", "010", "1e-3", "a: b # c", AWKWARD, "😀 \u2028 \x85 \t", "", "'", '"\\'):
        assert yaml.safe_load(yaml_text(text)) == text
        value = {text: [text, 1, None, True]}
        assert yaml.safe_load(f"a:\n  {yaml_text(value)}") == {"a": value}
    for text in ("a: 1\n\n  b\n\nc", "  a\nb", "\na", "a\tb", "# é"):
        assert read_documents(f"x:\n  y: {block(text, 4)}\n", "x") == [{"x": {"y": text.rstrip("\n") + "\n"}}]
    assert label("A study.of_7+things", "0123456789") == "a-study-of-7-things-012345"
    assert label("7" * 80, "0123456789") == "study-" + "7" * 27 + "-012345"


def test_the_command_prints_checks_and_writes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = str(ROOT / "configs" / "study" / "demo.yaml")
    for name in ("slurm", "kuberay", "ray_up_local", "ray_up_aws"):
        kind, out = name.removesuffix("_local").removesuffix("_aws").replace("_", "-"), tmp_path / name
        arguments = ["submit", study, f"--{kind}", str(ROOT / "configs" / "cluster" / f"{name}.yaml")]
        assert run_command(arguments) == 0
        printed = capsys.readouterr().out
        assert run_command([*arguments, "--out", str(out)]) == 0
        assert capsys.readouterr().out == f"{out}\n"
        assert out.read_text() == printed
        assert run_command(["submit", "--check", str(out)]) == 0
        assert capsys.readouterr().err == f"{out} is right\n"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--slurm", "CLUSTER/slurm.yaml"], "which study? e.g. mfmarl submit configs/study/demo.yaml"),
        (["STUDY"], "where to? want one of --address http://HOST:8265"),
        (["STUDY", "--slurm", "CLUSTER/slurm.yaml", "--kuberay", "x"], "--kuberay and --slurm are given; want one of"),
        (["STUDY", "--slurm", "CLUSTER/slurm.yaml", "--stop"], "are of --address; leave them out"),
        (["STUDY", "--address", "http://127.0.0.1:9", "--place"], "are of --kuberay, --slurm and --ray-up"),
        (["STUDY", "--slurm", "CLUSTER/kuberay.yaml"], "kind is kuberay; --slurm wants slurm"),
        (["STUDY", "--slurm", "nowhere.yaml"], "nowhere.yaml"),
        (["STUDY", "--ray-up", "CLUSTER/ray_up_aws.yaml", "--place"], "give --out FILE with --place"),
        (["STUDY", "--slurm", "CLUSTER/slurm.yaml", "--out", "STUDY"], "demo.yaml is there already, and mfmarl"),
        (["STUDY", "--slurm", "CLUSTER/slurm.yaml", "--out", "no/x.sbatch"], "no/x.sbatch: there is no folder no"),
        (["STUDY", "--slurm", "CLUSTER/slurm.yaml", "--runs-dir", "/x"], "here the cluster file has runs_dir"),
        (["--check", "nowhere"], "nowhere: there is no such file"),
        (["STUDY", "--check", "nowhere"], "leave the rest out"),
        (["STUDY", "--slurm", "CLUSTER/slurm.yaml", "--place"], "sbatch is not on PATH; run this on a"),
        (["STUDY", "--kuberay", "CLUSTER/kuberay.yaml", "--place"], "kubectl is not on PATH; install it"),
    ],
)
def test_mistakes_are_told_in_one_line(
    arguments: list[str], told: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bash = tmp_path / "bash"
    bash.symlink_to("/bin/bash")
    monkeypatch.setenv("PATH", str(tmp_path))
    places = {"STUDY": f"{ROOT}/configs/study/demo.yaml", "CLUSTER": f"{ROOT}/configs/cluster"}
    for name, path in places.items():
        arguments = [argument.replace(name, path) for argument in arguments]
    assert run_command(["submit", *arguments]) == 2
    shown = capsys.readouterr().err
    assert told in shown
    assert shown.count("\n") == 1


@pytest.mark.parametrize("kind", ["slurm", "kuberay"])
@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("games/coordination", "games/coordinatoin"), "did you mean 'games/coordination'?"),
        (("retries: 1", "resources: {cpus: 17}"), "resources.cpus: a cell takes 17 processors, and a node of "),
        (("retries: 1", "resources: {memory_gb: 61}"), "resources.memory_gb: a cell takes 61 GB, and a node of "),
        (
            ("games/coordination", "inventory/market-easy\n  env_options: {sales: data/sales.csv}"),
            "env_options.sales: got data/sales.csv, which no node has; want an absolute path in a folder that all",
        ),
    ],
)
def test_a_study_that_the_cluster_cannot_do_is_told_before_its_manifest(
    kind: str, change: tuple[str, str], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert change[0] in SMALL
    (tmp_path / "s.yaml").write_text(SMALL.replace(*change))
    arguments = ["submit", str(tmp_path / "s.yaml"), f"--{kind}", str(ROOT / "configs" / "cluster" / f"{kind}.yaml")]
    assert run_command(arguments) == 2
    shown = capsys.readouterr()
    assert (shown.out, shown.err.count("\n")) == ("", 1)
    assert told in shown.err


def test_what_cells_may_be_given_of_a_slurm_node_is_less_than_it_has(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["submit", str(tmp_path / "s.yaml"), "--slurm", str(ROOT / "configs" / "cluster" / "slurm.yaml")]
    for memory, code in ((48, 0), (49, 2)):
        (tmp_path / "s.yaml").write_text(SMALL.replace("retries: 1", f"resources: {{memory_gb: {memory}}}"))
        assert run_command(arguments) == code
    assert "has 48 GB for cells; want less here, or larger nodes there" in capsys.readouterr().err


def test_a_sales_table_of_the_nodes_is_not_asked_for_here(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = SMALL.replace("games/coordination", "inventory/market-easy\n  env_options: {sales: /shared/nowhere.csv}")
    (tmp_path / "s.yaml").write_text(text)
    arguments = ["submit", str(tmp_path / "s.yaml"), "--slurm", str(ROOT / "configs" / "cluster" / "slurm.yaml")]
    assert run_command(arguments) == 0
    assert capsys.readouterr().err.startswith("note: /shared/nowhere.csv is not on this machine; whether its cells")
