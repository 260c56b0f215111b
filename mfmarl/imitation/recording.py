"""What `mfmarl demonstrate` does: episodes of an expert, told of and stored."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mfmarl.errors import UserError
from mfmarl.imitation.demonstrated import MINARI, minari_root
from mfmarl.imitation.demonstrations import Demonstrations
from mfmarl.imitation.expert_names import expert_of
from mfmarl.imitation.labels import answered
from mfmarl.imitation.rollout import Act, episodes, spaces_of
from mfmarl.imitation.spaces import Spaces
from mfmarl.imitation.survival import random_actions
from mfmarl.seeding import stream


def demonstrate(
    *,
    env: str,
    expert: str,
    number: int,
    seed: int,
    noise: float = 0.0,
    iterations: int = 50,
    told: Callable[[str], None],
) -> Demonstrations:
    """Episodes of an expert.

    Args:
        noise: probability that an action is drawn from all alike, in place of the expert's.
        iterations: of RLlib's PPO, where that is the expert; `told` hears how it learns.

    Raises:
        UserError: for an environment or an expert that is none, or that do not fit each other.
    """
    spaces = spaces_of(env)
    by_ppo = expert == "ppo"
    act = _ppo(env, iterations, seed, told) if by_ppo else expert_of(expert, env, seed)
    played = episodes(env, noisy(act, spaces, noise, seed), number, seed)
    words = {"expert": expert, "seed": seed, "noise": noise} | ({"iterations": iterations} if by_ppo else {})
    return Demonstrations.from_episodes(played, spaces, env, words)


def store(demonstrations: Demonstrations, file: Path | None, minari: str | None) -> list[Path]:
    """Write an npz file, a data set below Minari's folder, or both; returns where they are.

    Raises:
        UserError: for a data set that is there already, or a name that Minari does not take.
        StorageFailed: where a folder takes no file.
    """
    paths = []
    if file is not None:
        demonstrations.to_npz(file)
        paths.append(file)
    if minari is not None:
        from mfmarl.imitation.minari_files import write_minari

        paths.append(write_minari(demonstrations, minari_root(), minari))
    return paths


def noisy(expert: Act, spaces: Spaces, share: float, seed: int) -> Act:
    """The expert, checked at every step, a share of whose actions are drawn from all alike."""
    drawn = random_actions(spaces, stream(seed, "noise actions"))
    rng = np.random.default_rng(stream(seed, "noise"))

    def act(states: NDArray[np.float32]) -> NDArray[Any]:
        actions = answered(expert, states, spaces)
        wrong = rng.random(len(states)) < share
        if wrong.any():
            actions = actions.copy()
            actions[wrong] = drawn(states)[wrong]
        return actions

    return act if share else lambda states: answered(expert, states, spaces)


def read_demonstrations(where: str, spaces: Spaces | None = None) -> Demonstrations:
    """Those of `FILE.npz`, or of `minari:ID`, a data set below Minari's own folder.

    Raises:
        UserError: where there are none, or an episode is wrong; names it and the field.
        DamagedFile: where the file was cut short.
    """
    if not where.startswith(MINARI):
        return Demonstrations.from_npz(Path(where), spaces)
    from mfmarl.imitation.minari_files import read_minari

    return read_minari(minari_root() / where.removeprefix(MINARI))


def _ppo(env: str, iterations: int, seed: int, told: Callable[[str], None]) -> Act:
    try:
        from mfmarl.rllib.expert import ROUND, ppo_expert
    except ImportError as error:
        raise UserError(f"--expert ppo needs Ray, which cannot be imported: {error}") from error
    steps = iterations * ROUND

    def tell(played: int, gained: float) -> None:
        told(f"PPO: {played:,} of {steps:,} steps, return {gained:.1f}")

    act = ppo_expert(env, steps, seed, tell)
    told("")
    return act
