"""The games of a study: that every cell can play its own is known before the first is begun, and how long each is."""

from __future__ import annotations

from dataclasses import dataclass

from mfmarl.config import TrainConfig, config_hash
from mfmarl.errors import UserError
from mfmarl.launch.study import Cell, Study
from mfmarl.trainer import make_env, network_shape


@dataclass(frozen=True)
class Game:
    """What one environment with one number of agents is."""

    num_agents: int
    horizon: int
    """Steps of an episode."""


def kind_of(config: TrainConfig) -> str:
    """Cells of one kind differ by their seed alone, and take the same time."""
    return config_hash(config.model_copy(update={"seed": None}))


def games_of(study: Study) -> dict[str, Game]:
    """Hash of each cell -> its game; each kind of cell is checked once.

    Raises:
        UserError: names the cell and what it cannot play.
    """
    games: dict[str, Game] = {}
    checked: dict[str, Game] = {}
    for cell in study.cells:
        kind = kind_of(cell.config)
        if kind not in checked:
            checked[kind] = _game(cell)
        games[cell.digest] = checked[kind]
    return games


def _game(cell: Cell) -> Game:
    config = cell.config
    try:
        env = make_env(config, num_envs=1)
        if not config.is_baseline:
            network_shape(config, env)
    except ValueError as error:
        raise UserError(f"cell ({cell.label}): {error}") from None
    return Game(env.num_agents, int(getattr(env, "horizon", 1)))


def agent_steps(study: Study) -> dict[str, float]:
    """Hash of each cell -> agent steps of its training; every kind of cell is checked.

    Raises:
        UserError: names the cell and what it cannot play.
    """
    games = games_of(study)
    return {
        cell.digest: float(cell.config.num_episodes * games[cell.digest].horizon * games[cell.digest].num_agents)
        for cell in study.cells
    }
