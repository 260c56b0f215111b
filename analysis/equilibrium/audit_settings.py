"""What an audit is asked for."""

from __future__ import annotations

from dataclasses import dataclass

from analysis.equilibrium.gaps import By


@dataclass(frozen=True)
class Settings:
    """What an audit is asked for."""

    types: tuple[str, ...] = ()
    """Types whose deviators are trained; all where none is given. The other ways have all types at once."""
    by: tuple[By, ...] = ()
    """Ways to the best response; all that the game has where none is given."""
    policy: str = "trained"
    """Or the name of a reference policy, which is then audited in the run's game."""
    split: str | None = None
    """Of recorded data, where the game holds some out."""
    episodes: int | None = None
    """That a deviator is trained on, or as many as its copies play together; where not given, those of
    `DeviatorConfig`, fewer of more than 52 periods."""
    measured_episodes: int | None = None
    """That it is measured on, after a quarter as many to choose it on; likewise."""
    bound_episodes: int | None = None
    """That bounds are worked out on; as many as fit into a minute or two where not given."""
    seed: int = 0
    finite: bool = False
    """Also play the profile among 10 to 10,000 agents, and fit the rate at which it comes to the mean field."""
    local: bool = False
    """One deviator after another in this process, instead of in parallel on Ray."""
    address: str | None = None
