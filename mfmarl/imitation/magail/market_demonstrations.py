"""Demonstrations of a whole profile of a population game: a file a type, as `mfmarl demonstrate` writes of one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mfmarl.errors import UserError
from mfmarl.imitation.demonstrations import Demonstrations, Episode
from mfmarl.imitation.magail.market_play import MarketGame, joint_actions, play_types
from mfmarl.imitation.rollout import spaces_of
from mfmarl.imitation.type_experts import expert_of
from mfmarl.seeding import stream


def demonstrated(game: MarketGame, episodes: int, seed: int) -> tuple[Demonstrations, ...]:
    """All types' experts play so many episodes of the game together: of each type `episodes` x n_k, copy by copy.

    Raises:
        UserError: for a profile that looks at more than agents are shown, or fewer than one episode.
    """
    if episodes < 1:
        raise UserError(f"demonstrations: got {episodes} episodes of the game; want 1 or more")
    acts = [expert_of(one, seed=stream(seed, "expert", one.type_name)) for one in game.types]
    played = play_types(game, game.types[0].subject.make(episodes), acts, stream(seed, "shown"))
    found = []
    for one, rollout in zip(game.types, played, strict=True):
        spaces = spaces_of(one.name)
        agents = [
            Episode(
                np.concatenate([rollout.states[:, i], rollout.next_states[-1:, i]]),
                rollout.actions[:, i],
                rollout.rewards[:, i],
                bool(rollout.terminated[-1, i]),
                bool(rollout.truncated[-1, i]),
            )
            for i in range(rollout.actions.shape[1])
        ]
        told = {"expert": one.profile, "episodes_of_the_game": episodes, "seed": seed}
        found.append(Demonstrations.from_episodes(agents, spaces, one.name, told))
    return tuple(found)


def path_of(folder: Path, type_name: str) -> Path:
    """Where the demonstrations of a type are."""
    return folder / f"{type_name}.npz"


def store(game: MarketGame, shown: tuple[Demonstrations, ...], folder: Path) -> None:
    """Write a file a type, each whole or not at all.

    Raises:
        StorageFailed: where the folder takes none.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for one, of in zip(game.types, shown, strict=True):
        of.to_npz(path_of(folder, one.type_name))


def read(game: MarketGame, folder: Path) -> tuple[Demonstrations, ...]:
    """What `store` wrote, checked against the game.

    Raises:
        UserError: for a file that is missing, or of another game.
    """
    found = []
    for one in game.types:
        shown = Demonstrations.from_npz(path_of(folder, one.type_name))
        shown.check_fits(spaces_of(one.name), one.name)
        found.append(shown)
    return tuple(found)


def types_joint(game: MarketGame, shown: tuple[Demonstrations, ...]) -> NDArray[np.float32]:
    """[E, T, K A]: the types' mean actions in the E demonstrated episodes of the game.

    Raises:
        UserError: for episodes that are not whole, or more of one type than of another.
    """
    actions = []
    for one, of in zip(game.types, shown, strict=True):
        of.check_whole(f"{one.type_name}: a centralised discriminator")
        if (of.lengths != game.horizon).any():
            raise UserError(f"{one.type_name}: got episodes of {of.lengths.min()} periods; want {game.horizon}")
        actions.append(of.actions.reshape(len(of), game.horizon).T)
    return joint_actions(actions, [one.agents for one in game.types], game.actions).swapaxes(0, 1)
