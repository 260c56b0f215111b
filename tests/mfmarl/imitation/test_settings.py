"""Settings that no network or learner can be made of are refused, in a line that names the key."""

from __future__ import annotations

import math
from typing import Any

import pytest

from mfmarl.cli import run_command
from mfmarl.errors import UserError
from mfmarl.imitation.settings import checked
from mfmarl.imitation.settings_table import rows_of
from mfmarl.registry import IMITATION, load

NUMBERED: dict[str, Any] = {"state_dim": 2, "action_dim": 2}
RATES = {"gail": "policy_lr", "airl": "policy_lr"}
NETWORKS = sorted(set(IMITATION) - {"maxent_irl"})


@pytest.mark.parametrize("method", IMITATION)
@pytest.mark.parametrize("rate", [0.0, -1.0, math.nan, math.inf])
def test_rates_are_positive_and_finite(method: str, rate: float) -> None:
    name = RATES.get(method, "learning_rate")
    with pytest.raises(UserError, match=f"{name}: got {rate}"):
        checked(load(IMITATION, method).config_type, {**NUMBERED, name: rate})


@pytest.mark.parametrize("method", NETWORKS)
@pytest.mark.parametrize("width", [0, -3])
def test_layers_have_units(method: str, width: int) -> None:
    with pytest.raises(UserError, match=rf"hidden_dims.*got {width}"):
        checked(load(IMITATION, method).config_type, {**NUMBERED, "hidden_dims": (8, width)})


@pytest.mark.parametrize("method", NETWORKS)
@pytest.mark.parametrize("bound", [math.nan, math.inf])
def test_bounds_are_finite(method: str, bound: float) -> None:
    with pytest.raises(UserError, match=rf"high.*got {bound}"):
        checked(
            load(IMITATION, method).config_type, {"state_dim": 2, "action_dim": 1, "low": (-1.0,), "high": (bound,)}
        )


@pytest.mark.parametrize(
    ("method", "section", "told"),
    [
        ("gail", {"ppo": {"clip": math.inf}}, "ppo.clip: got inf"),
        ("airl", {"ppo": {"log_std": math.nan}}, "ppo.log_std: got nan"),
        ("mega_dagger", {"world": {"hidden_dims": (0,)}}, r"world.hidden_dims.*got 0"),
        ("mega_dagger", {"kappa": math.inf}, "kappa: got inf"),
        ("mega_dagger", {"tau": math.nan}, "tau: got nan"),
        ("safety_filter", {"takeover": math.nan}, "takeover: got nan"),
    ],
)
def test_sections_too(method: str, section: dict[str, Any], told: str) -> None:
    with pytest.raises(UserError, match=told):
        checked(load(IMITATION, method).config_type, NUMBERED | section)


@pytest.mark.parametrize("method", IMITATION)
def test_all_settings_are_printed_with_a_meaning(method: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["imitate", method, "--settings"]) == 0
    printed = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()[1:]}
    rows = rows_of(method)
    assert list(printed) == [key for key, _, _ in rows]
    for key, default, meaning in rows:
        assert meaning
        assert default != "required"
        assert default in printed[key]
        assert meaning.split()[-1] in printed[key]
    fields = load(IMITATION, method).config_type.model_fields
    assert {key.split(".")[0] for key in printed} == set(fields) - {"state_dim", "action_dim", "low", "high"}


def test_settings_say_what_they_can_be() -> None:
    found = {key: (default, meaning) for key, default, meaning in rows_of("bc")}
    assert found["activation"] == ('"tanh"', "between the layers (tanh, relu)")
    assert found["hidden_dims"] == ("[256, 256]", "widths of the hidden layers")


def test_any_uncertainty_may_be_tolerated() -> None:
    assert checked(load(IMITATION, "mega_dagger").config_type, {**NUMBERED, "tau": math.inf}).tau == math.inf
