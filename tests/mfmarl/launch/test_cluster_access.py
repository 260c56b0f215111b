"""Another machine's cluster wants a token, whichever command goes there; a dashboard is never on all interfaces."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mfmarl.cli import run_command
from mfmarl.errors import UserError
from mfmarl.launch.cluster_access import check_access, of_this_machine
from mfmarl.launch.templates import check_not_exposed
from tests.mfmarl.launch.conftest import small_study

# of the block for documentation: no machine has it
FAR = "192.0.2.1:6379"
COMMANDS = {
    "train": ["train", "--address", FAR, "--num-agents", "4"],
    "study": ["study", "run", "small.yaml", "--address", FAR],
    "audit": ["audit", "nowhere", "--address", FAR],
}
ALL = [
    "0.0.0.0", "0", "0.0", "00000", "0x0", "0x0.0x0.0.0", "::", "[::]", "::0", "0:0:0:0:0:0:0:0", "::ffff:0.0.0.0",
    "::%eth0", "*", "'0.0.0.0'", '"::"', r"0.0.0\.0", "''",
]  # fmt: skip
FORMS = [
    "ray start --dashboard-host={} --port=1", "ray start --dashboard-host {}", "ray start --dashboard-host \\\n  {}",
    "dashboard-host: {}", "{{dashboard-host: {}}}", '"dashboard_host": {},',
]  # fmt: skip


@pytest.fixture(autouse=True)
def without_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH", "RAY_AUTH_MODE", "RAY_ADDRESS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("name", COMMANDS)
def test_no_token_for_another_machine_is_told_before_it_is_asked(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small_study(tmp_path)
    assert run_command(COMMANDS[name]) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"mfmarl: --address {FAR}: no token for another machine's cluster; put the cluster's into")
    assert err.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["small.yaml"]


def test_insecure_goes_there_and_is_warned_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    small_study(tmp_path)
    asked: list[str] = []

    def refuse(address: str) -> None:
        asked.append(address)
        raise UserError("asked")

    monkeypatch.setattr("mfmarl.rllib.job_server.JobServer", refuse)
    monkeypatch.setattr("mfmarl.rllib.quiet.check_answers", refuse)
    server = "http://192.0.2.1:8265"
    submit = ["submit", "small.yaml", "--address", server, "--runs-dir", "/shared/runs"]
    for command, address in ((submit, server), (COMMANDS["study"], FAR), (COMMANDS["train"], FAR)):
        assert run_command([*command, "--insecure"]) == 2
        told = capsys.readouterr().err.splitlines()
        assert told == [
            f"warning: {address} is used without a token; whoever reaches it can run commands there as its user",
            "mfmarl: asked",
        ]
    assert asked == [server, FAR, FAR]


def test_the_address_of_the_environment_is_checked_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", FAR)
    with pytest.raises(UserError, match=rf"^RAY_ADDRESS={FAR}: no token"):
        check_access(None, insecure=False, told=print)
    monkeypatch.delenv("RAY_ADDRESS")
    check_access(None, insecure=False, told=print)


@pytest.mark.parametrize(
    ("address", "here"),
    [
        ("auto", True), ("local", True), ("localhost:6379", True), ("127.0.0.1:6379", True), ("[::1]:6379", True),
        ("http://127.0.0.1:8265/", True), (FAR, False), ("head:6379", False), ("localhost.example.org:6379", False),
        ("0.0.0.0:6379", False), ("ray://192.0.2.1:10001", False), ("[2001:db8::1]:6379", False),
    ],
)  # fmt: skip
def test_which_addresses_are_of_this_machine(address: str, here: bool) -> None:
    assert of_this_machine(address) is here


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o640, 0o604, 0o666])
def test_a_token_that_others_can_read_is_warned_of(mode: int, tmp_path: Path) -> None:
    token = tmp_path / ".ray" / "auth_token"
    token.parent.mkdir()
    token.write_text("0" * 64)
    os.chmod(token, mode)
    told: list[str] = []
    check_access(FAR, insecure=False, told=told.append)
    warning = f"warning: others can read the cluster's token in {token} (mode {mode:04o}); chmod 600 {token}"
    assert told == ([warning] if mode & 0o077 else [])


@pytest.mark.parametrize("form", FORMS)
def test_every_way_to_write_all_interfaces_is_refused(form: str) -> None:
    for host in ALL:
        with pytest.raises(UserError, match=r"^f line 2: this binds the dashboard to all interfaces"):
            check_not_exposed("first\n" + form.format(host), "f")
    for host in ("127.0.0.1", "localhost", "::1", "10.0.0.1", "$MFMARL_POD_IP"):
        check_not_exposed("first\n" + form.format(host), "f")


@pytest.mark.parametrize("text", ["--dashboard-host= --port=1", "--dashboard-host=", 'dashboard-host: ""'])
def test_no_host_is_all_interfaces(text: str) -> None:
    with pytest.raises(UserError, match="f line 1: this binds"):
        check_not_exposed(text, "f")
