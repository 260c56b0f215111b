"""Settings that no network or learner can be made of are refused, in a line that names the key."""

from __future__ import annotations

import math
from typing import Any

import pytest

from mfmarl.errors import UserError
from mfmarl.imitation.settings import checked
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


def test_any_uncertainty_may_be_tolerated() -> None:
    assert checked(load(IMITATION, "mega_dagger").config_type, {**NUMBERED, "tau": math.inf}).tau == math.inf
