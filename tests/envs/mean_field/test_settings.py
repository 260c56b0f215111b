"""Settings of games: every one refuses what it cannot be, in one line that names the game and the setting."""

import inspect
import math

import numpy as np
import pytest

from envs import UnknownName
from envs.mean_field import GAMES, AttractorMFG, TriStateCongestionMFG, make, names, settings

FREE = {
    ("building-evacuation", "crowd"), ("garnet", "crowd"), ("linear-quadratic", "q"), ("linear-quadratic", "kappa"),
    ("linear-quadratic", "cost"), ("linear-quadratic", "end"),
}  # fmt: skip
"""Numbers that may be below 0."""
NO_DEFAULT = {("inventory-market", "initial_stock")}
EVERY = [(name, setting) for name in names() for setting in settings(name)]


@pytest.mark.parametrize(("name", "setting"), EVERY)
def test_every_setting_refuses_what_it_cannot_be(name: str, setting: str) -> None:
    default = inspect.signature(GAMES[name]).parameters[setting].default
    if isinstance(default, str):
        with pytest.raises(UnknownName, match=f"unknown {setting} of {name} 'ring': known are "):
            make(name, **{setting: "ring"})
        return
    values = [math.nan, math.inf, "x", True]
    values += [] if (name, setting) in FREE else [-1]
    values += [] if (name, setting) in NO_DEFAULT else [None]
    values += [2.5, 0] if isinstance(default, int) and setting not in ("seed", "push", "lead") else []
    for value in values:
        with pytest.raises(ValueError, match=rf"^{name}: {setting} is {value!r}; want ") as refused:
            make(name, **{setting: value})
        assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "given", "told"),
    [
        ("attractor", {"rho0": 1.5}, "rho0 is 1.5; want a number 0 or more, 1 or less"),
        ("beach-bar", {"size": 0}, "size is 0; want a whole number, 1 or more"),
        ("beach-bar", {"noise": 0.6}, "noise is 0.6; want a number 0 or more, 0.5 or less"),
        ("crowd-2d", {"size": 6}, "size is 6; want an odd number"),
        ("equilibrium-price", {"elasticity": 0}, "elasticity is 0; want a number above 0"),
        ("equilibrium-price", {"costs": (1.0, 2.0)}, "costs has 2 entries; want 5"),
        ("equilibrium-price", {"costs": (1.0, 2.0, math.nan, 1.0, 1.0)}, r"costs\[2\] is nan; want a finite number"),
        ("garnet", {"states": 3}, "4 successors of 3 states"),
        ("inventory-market", {"multiples": (-1.0, 1.0)}, r"multiples\[0\] is -1.0; want a number 0 or more"),
        ("inventory-market", {"multiples": ()}, "multiples has 0 entries; want 1 or more"),
        ("inventory-market", {"initial_stock": 9.5}, "initial_stock is 9.5; want a number 0 or more, 9 or less"),
        ("inventory-market", {"stock_cap": 0.01}, "want room for a unit or more"),
        ("left-right-stationary", {"discount": 1}, "discount is 1; want a number 0 or more, below 1"),
        ("linear-quadratic", {"reach": 0}, "reach is 0; want a whole number, 1 or more"),
        ("predator-prey", {"size": 1}, "size is 1; want a whole number, 2 or more"),
        ("sis", {"imported": 0.2}, "imported is 0.2; want a number 0 or more, 0.19 or less"),
    ],
)
def test_the_ends_of_ranges(name: str, given: dict[str, object], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        make(name, **given)


def test_settings_that_there_are_not() -> None:
    with pytest.raises(
        UnknownName, match=r"^unknown setting of attractor 'l': did you mean 'L'\? known are L, horizon"
    ):
        make("attractor", l=0.8)
    with pytest.raises(UnknownName, match=r"^unknown setting of braess 'horizon': there are none$"):
        make("braess", horizon=3)


def test_the_first_bad_learner_is_named() -> None:
    toy = AttractorMFG(3, 0.5)
    with pytest.raises(ValueError, match=r"^attractor: alpha\[2\] is 1\.5; want probabilities, their sum at most 1$"):
        toy.NIG(np.linspace(0, 2, 401)[[0, 200, 300, 400]])
    with pytest.raises(ValueError, match=r"^attractor: alpha is nan; want"):
        toy.NIG(math.nan)
    with pytest.raises(ValueError, match=r"alpha\[1\] is \[nan, nan\]"):
        TriStateCongestionMFG(3, 0.5, 0.5).NIG(np.array([[0.5, 0.0], [math.nan, 0.0]]))
