"""A population game that imitators of all its types play together, as one rollout a type."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from envs.population import PopulationEnv, Step, type_slices
from mfmarl.errors import UserError
from mfmarl.imitation.rollout import Act, Rollout
from mfmarl.imitation.type_experts import states_of
from mfmarl.imitation.type_game import TypeGame, types_of_game


@dataclass(frozen=True)
class MarketGame:
    """All types of a population game with numbered actions; who learns as one of them sees what `TypeVectorEnv` shows.

    Learners of type k see [n, D + F + CLOCK]: their observation, the mean action of the period before, and the time.
    """

    name: str
    """GAME[,option=value...], or a run folder."""
    types: tuple[TypeGame, ...]

    @property
    def type_names(self) -> list[str]:
        """In the game's order."""
        return [one.type_name for one in self.types]

    @property
    def horizon(self) -> int:
        """Periods of an episode."""
        return self.types[0].horizon

    @property
    def actions(self) -> int:
        """Of an agent."""
        return int(cast(Any, self.types[0].one.action_space).n)


def market_game(name: str, profile: str | None = None) -> MarketGame:
    """The game of a name, and who is imitated in it: the `equilibrium` where no profile is given.

    Raises:
        UserError: for a game, option or profile that does not exist, and a game of continuous actions.
    """
    game = MarketGame(name, types_of_game(name, profile))
    if not hasattr(game.types[0].one.action_space, "n"):
        raise UserError(f"{name}: got continuous actions; MAGAIL of types wants numbered ones (action_mode=discrete)")
    return game


def play_types(game: MarketGame, env: PopulationEnv, acts: Sequence[Act], seed: int) -> tuple[Rollout, ...]:
    """Play an episode of all C copies of `env`; of each type k, T steps of C n_k agents, a copy's one after another.

    At the horizon the value goes on, unless the market's ending is `finite`.

    Args:
        acts: of each type, states [C n_k, D + F + CLOCK] -> actions [C n_k].
        seed: of the episodes.
    """
    parts, C, T = type_slices(env.agent_types), env.num_envs, game.horizon
    sizes = [C * (part.stop - part.start) for part in parts]
    seen: list[list[NDArray[np.float32]]] = [[] for _ in parts]
    chosen: list[list[NDArray[np.int64]]] = [[] for _ in parts]
    earned: list[list[NDArray[np.float32]]] = [[] for _ in parts]
    step, last = env.reset(seed), None
    for t in range(T):
        joint = np.empty((C, env.num_agents), np.int64)
        for k, part in enumerate(parts):
            seen[k].append(_states(game.types[k], step, step.obs, last, part, t, T))
            chosen[k].append(np.asarray(acts[k](seen[k][-1]), np.int64))
            joint[:, part] = chosen[k][-1].reshape(C, -1)
        step, last = env.step(joint), joint
        for k, part in enumerate(parts):
            earned[k].append(step.reward[:, part].reshape(-1))
    assert step.final_obs is not None
    finite = getattr(getattr(env, "config", None), "ending", None) == "finite"
    rollouts = []
    for k, part in enumerate(parts):
        seen[k].append(_states(game.types[k], step, step.final_obs, last, part, T, T))
        over = np.zeros((T, sizes[k]), bool)
        over[-1] = True
        ends = (over, np.zeros_like(over)) if finite else (np.zeros_like(over), over)
        states = np.stack(seen[k])
        rollouts.append(
            Rollout(states[:-1], np.stack(chosen[k]), np.stack(earned[k]).astype(np.float64), states[1:], *ends)
        )
    return tuple(rollouts)


def _states(
    game: TypeGame, step: Step, obs: NDArray[np.float32], last: NDArray[Any] | None, part: slice, t: int, horizon: int
) -> NDArray[np.float32]:
    own, shown = obs[:, part], game.sight(step, last)[:, part]
    return states_of(own.reshape(-1, own.shape[-1]), shown.reshape(-1, shown.shape[-1]), t, horizon)


def joint_actions(actions: Sequence[NDArray[np.int64]], agents: Sequence[int], number: int) -> NDArray[np.float32]:
    """[T, C, K A]: the mean one-hot action of each type, from actions [T, C n_k] of its `agents` n_k a copy.

    Raises:
        UserError: where types have unequal numbers of copies; names the two.
    """
    copies = [one.shape[1] / n for one, n in zip(actions, agents, strict=True)]
    if len(set(copies)) != 1 or copies[0] % 1:
        raise UserError(f"types were played in {', '.join(f'{c:g}' for c in copies)} copies; want as many of each")
    C = int(copies[0])
    means = [np.eye(number, dtype=np.float32)[one.reshape(len(one), C, -1)].mean(2) for one in actions]
    return np.concatenate(means, -1)
