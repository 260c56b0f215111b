"""What a user keeps in environment variables is in no file and no line of ours."""

from __future__ import annotations

import ast
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from mfmarl import submit_command
from mfmarl.cli import run_command
from mfmarl.registry import load
from tests.faults.small_disk import CASES, make_outside, prepared
from tests.mfmarl.launch.conftest import SMALL
from tests.mfmarl.launch.manifests import all_rendered
from tests.test_project import FILES, OTHERS, ROOT

WHOLE = {
    "mfmarl/launch/local_pool.py", "scripts/demo.py", "benchmarks/easy_seeds.py", "benchmarks/env_throughput.py",
}  # fmt: skip
"""Files that hand all variables to a process they start, and do nothing else with them."""
COMMANDS = ("train", "imitate", "solve", "study run", "report", "demonstrate", "export", "evaluate", "audit",
            "magail")  # fmt: skip
ZERO_SUM = ["imitate", "magail-zero-sum", "--seeds", "1", "--epochs", "20", "--rollout_episodes", "20", "--outdir", "y"]
ONE_BY_ONE = ("get", "pop", "setdefault", "update")


@pytest.fixture
def secret(monkeypatch: pytest.MonkeyPatch) -> str:
    drawn = secrets.token_hex(16)
    monkeypatch.setenv("MFMARL_SECRET", drawn)
    return drawn


def holding(secret: str, folder: Path) -> list[str]:
    """Files below that hold the variable or its name."""
    words = (secret.encode(), b"MFMARL_SECRET")
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    assert files, f"nothing is below {folder}"
    return [str(path) for path in files if any(word in path.read_bytes() for word in words)]


def test_no_command_writes_or_says_them(
    secret: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    make_outside(tmp_path / "outside")
    for name in COMMANDS:
        case = CASES[name]
        place = tmp_path / name.replace(" ", "-")
        place.mkdir()
        prepared(place, case, tmp_path / "outside")
        monkeypatch.chdir(place)
        loud = [*(word for word in case.given if word != "--quiet"), "--verbose"]
        given = loud if name in ("train", "study run") else case.given
        assert run_command(given) == 0, name
    assert run_command(ZERO_SUM) == 0
    printed = capfd.readouterr()
    assert len(printed.err) > 200
    assert secret not in printed.out + printed.err
    assert "MFMARL_SECRET" not in printed.out + printed.err
    assert holding(secret, tmp_path) == []
    (tmp_path / "kept").write_text(f"x {secret}")
    assert holding(secret, tmp_path) == [str(tmp_path / "kept")]


class Server:
    """A job server that keeps what it is sent."""

    sent: list[str]

    def __init__(self, address: str) -> None:
        self.address = address

    def jobs(self) -> list[Any]:
        return []

    def begin(
        self, name: str, entrypoint: str, staged: Any, variables: Mapping[str, str], metadata: Mapping[str, str]
    ) -> bool:
        self.sent.append(f"{name} {entrypoint} {dict(variables)} {dict(metadata)}")
        self.sent += [path.read_text() for path in staged.work.rglob("*") if path.is_file()]
        return True


def test_no_cluster_is_sent_them(
    secret: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.yaml").write_text(SMALL)
    monkeypatch.setattr(Server, "sent", [], raising=False)
    monkeypatch.setattr(
        submit_command, "load", lambda table, name: Server if name == "job server" else load(table, name)
    )
    assert run_command(["submit", "small.yaml", "--address", "http://127.0.0.1:8265", "--no-wait"]) == 0
    printed = capfd.readouterr()
    texts = [*Server.sent, *all_rendered(tmp_path).values(), printed.out, printed.err]
    assert len(Server.sent) >= 2
    assert "OMP_NUM_THREADS" in Server.sent[0]
    for text in texts:
        assert secret not in text
        assert "MFMARL_SECRET" not in text


def takes_all(tree: ast.Module) -> bool:
    """Whether a file uses the environment as a whole, not one variable by its name."""
    single: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "os" and {a.name for a in node.names} & {"environ"}:
            return True
        if isinstance(node, ast.Subscript) or (isinstance(node, ast.Attribute) and node.attr in ONE_BY_ONE):
            single.add(id(node.value))
        if isinstance(node, ast.Compare):
            single |= {id(each) for each in node.comparators}
    return any(
        isinstance(node, ast.Attribute) and node.attr in ("environ", "environb") and id(node) not in single
        for node in ast.walk(tree)
    )


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("dict(os.environ)", True),
        ("os.environ | {}", True),
        ("{**os.environ}", True),
        ("os.environ.items()", True),
        ("from os import environ", True),
        ("os.environ.get('A')", False),
        ("os.environ['A'] = 'b'", False),
        ("'A' in os.environ", False),
    ],
)
def test_uses_of_the_whole_environment_are_found(text: str, whole: bool) -> None:
    assert takes_all(ast.parse(text)) == whole


def test_the_whole_environment_goes_to_child_processes_alone() -> None:
    programs = [path for path in OTHERS if path.relative_to(ROOT).parts[0] != "tests"]
    found = {str(path.relative_to(ROOT)) for path in [*FILES, *programs] if takes_all(ast.parse(path.read_text()))}
    assert found == WHOLE
    for name in WHOLE:
        text = (ROOT / name).read_text()
        assert text.count("os.environ |") == 1
        assert "env=environment" in text
