"""A study as a Ray Job: its name, what goes along, what is refused before anything is sent, and a log that is cut."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from mfmarl.cli import run_command
from mfmarl.errors import TrainingFailed, UserError
from mfmarl.launch.ray_job import (
    JobView,
    Unreachable,
    attempt_name,
    check_url,
    entrypoint,
    exit_code,
    follow,
    job_key,
    last_attempt,
)
from mfmarl.launch.staging import stage
from tests.mfmarl.launch.conftest import SMALL, small_study

NO_TOKEN = ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH", "RAY_AUTH_MODE", "RAY_ADDRESS")


@pytest.fixture
def without_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NO_TOKEN:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


def test_the_name_is_that_of_the_cells_and_their_folder(tmp_path: Path) -> None:
    study = small_study(tmp_path)
    key = job_key(study, Path("/shared/runs"))
    assert key.startswith("small-")
    assert len(key) == len("small-") + 12
    # what does not change the cells does not change the name
    changed = small_study(tmp_path, SMALL.replace("retries: 1", "retries: 5").replace("[mf, is]", "[is, mf]"))
    assert job_key(changed, Path("/shared/runs")) == key
    more = small_study(tmp_path, SMALL.replace("seed: [1, 2]", "seed: [1, 2, 3]"))
    assert job_key(more, Path("/shared/runs")) != key
    assert job_key(study, Path("/shared/other")) != key


def test_attempts_are_counted_and_other_jobs_are_none() -> None:
    names = ["a-0123", "a-0123-2", "a-0123-10", "a-0123-x", "b-a-0123-11", "a-01234", "raysubmit_x"]
    jobs = [JobView(name, "FAILED") for name in names]
    assert last_attempt(jobs, "a-0123") == (10, jobs[2])
    assert last_attempt(jobs[:1], "a-0123") == (1, jobs[0])
    assert last_attempt(jobs[3:], "a-0123") == (0, None)
    assert [attempt_name("a", n) for n in (1, 2)] == ["a", "a-2"]


def test_exit_codes_are_passed_on() -> None:
    ended = [("SUCCEEDED", 0), ("FAILED", 3), ("FAILED", 2), ("FAILED", 4), ("FAILED", -9), ("FAILED", None)]
    assert [exit_code(JobView("a", *end)) for end in ended] == [0, 3, 2, 4, 3, 3]
    assert exit_code(JobView("a", "STOPPED")) == 130


def test_the_entry_point_is_one_command_whatever_the_folder_is_called() -> None:
    folder = "/shared/it's $HOME; `x`"
    told = shlex.split(entrypoint(Path(folder)))
    assert told[:3] == ["exec", "python", "-m"]
    assert told[told.index("--runs-dir") + 1] == folder
    assert told.count("--verbose") == 0
    assert shlex.split(entrypoint(Path(folder), verbose=True))[-1] == "--verbose"


@pytest.mark.parametrize(
    ("address", "here"),
    [
        ("http://127.0.0.1:8265", True),
        ("http://localhost:8265/", True),
        ("http://[::1]:8265", True),
        ("https://head.example.org", False),
        ("http://10.0.0.1:8265", False),
        ("http://localhost.example.org:8265", False),
        ("http://0.0.0.0:8265", False),
    ],
)
def test_which_addresses_are_of_this_machine(address: str, here: bool) -> None:
    assert check_url(address) is here


@pytest.mark.parametrize(
    "address",
    [
        "head:8265", "ray://head:10001", "auto", "htp://head:8265", "http://", "http://head:x", "http://head:99999",
        "http://head:0", "http://head:8265/jobs", "http://user:word@head:8265", "http://[::1", "http://head:8265?a=1",
    ],
)  # fmt: skip
def test_other_addresses_are_refused(address: str) -> None:
    with pytest.raises(UserError, match="want the address of the cluster's job server, http://HOST:8265"):
        check_url(address)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ([], "submit: where to? want one of --address http://HOST:8265"),
        (["--address", "http://10.0.0.1:8265"], "want the absolute path of a folder that all its nodes see"),
        (["--address", "http://10.0.0.1:8265", "--runs-dir", "/shared/runs"], "no token for another machine's cluster"),
        (["--address", "http://127.0.0.1:1", "--stop", "--no-wait"], "leave one out"),
    ],
)
def test_what_cannot_be_sent_is_told_in_one_line(
    options: list[str], told: str, tmp_path: Path, without_token: None, capsys: pytest.CaptureFixture[str]
) -> None:
    small_study(tmp_path)
    assert run_command(["submit", str(tmp_path / "small.yaml"), *options]) == 2
    shown = capsys.readouterr()
    assert (shown.out, len(shown.err.splitlines())) == ("", 1)
    assert told in shown.err


def test_a_bad_study_is_told_before_the_cluster_is_asked(
    tmp_path: Path, without_token: None, capsys: pytest.CaptureFixture[str]
) -> None:
    small_study(tmp_path, SMALL.replace("games/coordination", "games/coordinatoin"))
    # nothing listens there
    assert run_command(["submit", str(tmp_path / "small.yaml"), "--address", "http://127.0.0.1:1"]) == 2
    assert "did you mean 'games/coordination'?" in capsys.readouterr().err
    assert run_command(["submit", str(tmp_path / "none.yaml"), "--address", "http://127.0.0.1:1"]) == 2
    assert "there is no such file" in capsys.readouterr().err


def test_a_token_counts_where_ray_looks_for_one(
    tmp_path: Path, without_token: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mfmarl.rllib.quiet import find_token, take_token

    assert find_token() is None
    take_token("10.0.0.1:6379")
    assert "RAY_AUTH_MODE" not in os.environ
    monkeypatch.setenv("RAY_AUTH_TOKEN", "")
    assert find_token() is None
    (tmp_path / ".ray").mkdir()
    (tmp_path / ".ray" / "auth_token").write_text("0" * 64)
    assert find_token() == str(tmp_path / ".ray" / "auth_token")
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", "/elsewhere")
    assert find_token() == "/elsewhere"
    monkeypatch.setenv("RAY_AUTH_TOKEN", "0" * 64)
    assert find_token() == "RAY_AUTH_TOKEN"
    # a Ray of this machine's own needs none
    take_token(None)
    assert "RAY_AUTH_MODE" not in os.environ
    monkeypatch.setenv("RAY_AUTH_MODE", "")
    monkeypatch.delenv("RAY_AUTH_MODE")
    take_token("10.0.0.1:6379")
    assert os.environ["RAY_AUTH_MODE"] == "token"


def test_what_goes_along_runs_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "sales.csv").write_text("agent,period,units\n")
    text = SMALL.replace("games/coordination", "inventory/market-easy\n  env_options: {sales: data/sales.csv}")
    study = small_study(tmp_path, text)
    monkeypatch.chdir(tmp_path)
    (to := tmp_path / "to").mkdir()
    staged = stage(study, tmp_path / "small.yaml", to)
    assert {p.name for p in staged.work.iterdir()} == {"study.yaml", "data"}
    assert (staged.work / "study.yaml").read_text() == text
    assert (staged.work / "data" / "sales.csv").is_file()
    assert [p.name for p in staged.packages] == ["mfmarl", "envs", "analysis"]
    code = staged.packages[0].parent
    assert (code / "envs/inventory/data/dominicks_orange_juice/sales.csv.gz").is_file()
    assert not list(to.rglob("__pycache__"))
    assert sum(p.stat().st_size for p in to.rglob("*")) < 10e6
    # its own code, in a process that sees no other
    environment = os.environ | {"PYTHONPATH": str(code)}
    script = "import mfmarl, envs, analysis; print(mfmarl.__file__, envs.__file__, analysis.__file__)"
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=staged.work, env=environment, capture_output=True, text=True, check=True)
    assert [Path(f).parent for f in done.stdout.split()] == list(staged.packages)


def test_a_sales_table_elsewhere_is_refused(tmp_path: Path) -> None:
    text = SMALL.replace("games/coordination", "inventory/market-easy\n  env_options: {sales: ../sales.csv}")
    study = small_study(tmp_path, text)
    (to := tmp_path / "to").mkdir()
    with pytest.raises(UserError, match=r"cell \(seed 1, method mf\): env_options.sales ../sales.csv cannot go along"):
        stage(study, tmp_path / "small.yaml", to)


class CutServer:
    """A job server that hangs up in the middle of a log, is away for a while, and then has the rest."""

    def __init__(self, *scripts: Sequence[str | Exception]) -> None:
        self.scripts = list(scripts)
        self.status = "RUNNING"

    def jobs(self) -> Sequence[JobView]:
        return [JobView("a", self.status)]

    def job(self, name: str) -> JobView | None:
        return None if self.status == "GONE" else JobView(name, self.status, 0)

    async def log(self, name: str) -> AsyncIterator[str]:
        for piece in self.scripts.pop(0):
            if isinstance(piece, Exception):
                raise piece
            yield piece
        if not self.scripts:
            self.status = "SUCCEEDED" if self.status == "RUNNING" else self.status


def test_a_log_that_is_cut_goes_on_without_saying_anything_twice() -> None:
    away = Unreachable("the job server does not answer")
    server = CutServer(["one\ntw"], ["one\n", away], [away], [], ["one\ntwo\nth", "ree\n"])
    shown: list[str] = []
    told: list[str] = []
    job = follow(server, "a", write=shown.append, told=told.append, rest_s=0.0)
    assert job.status == "SUCCEEDED"
    assert "".join(shown) == "one\ntwo\nthree\n"
    assert told == ["the job server does not answer; trying again, the job goes on", "connected again"]


def test_a_server_that_stays_away_or_forgot_the_job_is_told() -> None:
    away = Unreachable("the job server does not answer")
    with pytest.raises(Unreachable):
        follow(CutServer(*[[away]] * 50), "a", write=str, told=str, patience_s=0.0, rest_s=0.01)
    # ended, and with it the node that had the log
    ended = CutServer([away])
    ended.status = "FAILED"
    assert follow(ended, "a", write=str, told=str, rest_s=0.0).status == "FAILED"
    forgot = CutServer(["one\n"])
    forgot.status = "GONE"
    with pytest.raises(TrainingFailed, match="the cluster knows no job a any more"):
        follow(forgot, "a", write=str, told=str, rest_s=0.0)


@pytest.mark.ray
@pytest.mark.parametrize("address", ["http://127.0.0.1:1", "http://no-such-host.invalid:8265"])
def test_an_address_where_nothing_answers_is_told(address: str, without_token: None) -> None:
    pytest.importorskip("ray")
    from mfmarl.rllib.job_server import JobServer

    with pytest.raises(UserError, match=r"does not answer.*is the cluster up, and the address that of its dashboard"):
        JobServer(address)


@pytest.mark.ray
@pytest.mark.parametrize(("scheme", "lines"), [("http", 2), ("https", 1)])
def test_a_token_that_goes_in_the_clear_is_warned_of(
    scheme: str, lines: int, tmp_path: Path, without_token: None, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    pytest.importorskip("ray")
    small_study(tmp_path)
    (tmp_path / "token").write_text("0" * 64)
    (tmp_path / "token").chmod(0o600)
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(tmp_path / "token"))
    # Ray's mode is taken back afterwards
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    address = f"{scheme}://no-such-host.invalid:8265"
    assert run_command(["submit", str(tmp_path / "small.yaml"), "--address", address, "--runs-dir", "/x"]) == 2
    shown = capsys.readouterr().err.splitlines()
    assert len(shown) == lines
    assert "does not answer" in shown[-1]
    warning = f"warning: {address} takes the token in the clear; better https, or an ssh tunnel: ssh -N -L 8265:"
    assert shown[0].startswith(warning) is (scheme == "http")


@pytest.mark.ray
def test_a_server_that_is_silent_or_none_of_rays_is_told(without_token: None, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ray")
    import socket
    import threading
    from http.server import HTTPServer, SimpleHTTPRequestHandler

    from mfmarl.rllib import job_server

    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setattr(job_server, "CONNECT_S", 0.5)
        with pytest.raises(UserError, match=r"did not answer within 0.5 s"):
            job_server.JobServer(f"http://127.0.0.1:{silent.getsockname()[1]}")
    monkeypatch.undo()
    with HTTPServer(("127.0.0.1", 0), SimpleHTTPRequestHandler) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        with pytest.raises(UserError, match="is no Ray job server"):
            job_server.JobServer(f"http://127.0.0.1:{other.server_port}")
        other.shutdown()
