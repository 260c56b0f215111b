"""What the benchmarks count and leave out; how fast anything is is not tested."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import easy_seeds, env_throughput, peers


def test_runs_of_another_configuration_have_another_name() -> None:
    names = {easy_seeds.run_name(m, s, e) for m in ("is", "mf") for s in (1, 2) for e in (64, 1600)}
    assert len(names) == 8
    assert easy_seeds.run_name("mf", 1, 64) == easy_seeds.run_name("mf", 1, 64)


def test_processor_time_is_that_of_all_parts(tmp_path: Path) -> None:
    for name, used in (("a.part000", "1.5"), ("a.part001", "2.25"), ("ab.part000", "100")):
        (tmp_path / f"{name}.cpu").write_text(used)
    assert easy_seeds.cpu_seconds(tmp_path, "a") == 3.75


def test_every_size_is_measured_with_and_without_observations() -> None:
    rows = list(env_throughput.population("inventory/market-easy", 2, 30, 0.001))
    assert [r["through"] for r in rows] == ["population", "population, state"]
    assert all(r["rate"] > 0 and (r["copies"], r["agents"]) == (2, 30) for r in rows)
    assert env_throughput.pettingzoo("inventory/market-easy", 30, 0.001)["rate"] > 0


def test_peers_that_are_not_installed_are_named_and_left_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken() -> peers.Play:
        raise ImportError("no module named x")

    table = {
        "absent": ("no-such-package-here", broken),
        "broken": ("numpy", broken),
        "counted": ("numpy", lambda: lambda: 30),
    }
    monkeypatch.setattr(peers, "PEERS", table)
    peers.main(0.001)
    absent, fails, counted = map(json.loads, capsys.readouterr().out.splitlines())
    assert absent == {"peer": "absent", "package": "no-such-package-here", "skipped": "not installed"}
    assert fails["skipped"] == "ImportError: no module named x"
    assert counted["rate"] > 0
