"""The documentation lists every game with the settings that it has."""

import inspect
from pathlib import Path

import pytest

from envs.mean_field import GAMES, names

TEXT = (Path(__file__).parents[3] / "docs" / "mean_field_games.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", names())
def test_settings_are_listed(name: str) -> None:
    parameters = inspect.signature(GAMES[name]).parameters.items()
    told = ", ".join(f"`{key}={p.default!r}`" for key, p in parameters if key != "name") or "none"
    assert f"| `{name}` | {told} |" in TEXT
