"""MAGAIL on a population game (Song et al. 2018, section 4): all its types imitate a profile together.

Type k has a policy pi_k, which its agents share, and a discriminator D_k; each learns as GAIL does (`TypeAgent`), from
episodes that the learners of all types play with each other. So no type learns among experts: the mean field is the one
that imitators make, and drifts while they learn.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mfmarl.errors import UserError
from mfmarl.imitation.acting import player
from mfmarl.imitation.adversarial_agent import one_thread
from mfmarl.imitation.bc import BCAgent
from mfmarl.imitation.demonstrations import Demonstrations
from mfmarl.imitation.discriminator import RewardForm
from mfmarl.imitation.magail.market_demonstrations import types_joint
from mfmarl.imitation.magail.market_discriminator import TypeAgent
from mfmarl.imitation.magail.market_play import MarketGame, joint_actions, play_types
from mfmarl.imitation.magail.market_settings import MarketMAGAILConfig
from mfmarl.imitation.magail.theory import RewardStyle
from mfmarl.imitation.networks import Actor
from mfmarl.imitation.plan import digest
from mfmarl.imitation.saved import load_module, module_arrays, read_agent, reading, under, with_prefix, write_agent
from mfmarl.imitation.settings import at_least_one, checked, of_spaces
from mfmarl.imitation.spaces import Spaces
from mfmarl.imitation.steps import Steps
from mfmarl.runs.sealed import Arrays
from mfmarl.seeding import stream

REWARDS: Mapping[RewardStyle, RewardForm] = {
    "non_saturating": "log D", "gail": "-log(1-D)", "airl": "log D - log(1-D)",
}  # fmt: skip
Row = dict[str, Any]


def settings_of_type(config: MarketMAGAILConfig, spaces: Spaces, joint_dim: int) -> dict[str, Any]:
    """Of one type's GAIL."""
    return of_spaces(spaces) | {
        "hidden_dims": config.hidden_dims, "policy_lr": config.policy_lr, "discriminator_lr": config.discriminator_lr,
        "discriminator_steps": config.discriminator_steps, "gradient_penalty": config.gradient_penalty,
        "dropout": config.dropout, "reward": REWARDS[config.reward_style],
        "joint_dim": joint_dim if config.discriminator == "centralised" else 0,
        "ppo": {
            "discount": config.discount, "epochs": config.epochs, "minibatch": config.minibatch, "entropy": config.beta,
        },
    }  # fmt: skip


def cloned_type(shown: Demonstrations, updates: int, seed: int, hidden: tuple[int, ...] = (64, 64)) -> BCAgent:
    """Behavioural cloning of one type with the settings of docs/imitation_inventory.md."""
    config = of_spaces(shown.spaces) | {"hidden_dims": hidden, "learning_rate": 1e-3, "batch_size": 128}
    agent = BCAgent(config, shown, seed)
    agent.train(updates)
    return agent


class MarketMAGAIL:
    """Imitators of all types of a game."""

    def __init__(
        self,
        config: MarketMAGAILConfig | Mapping[str, Any],
        game: MarketGame,
        shown: tuple[Demonstrations, ...],
        seed: int = 0,
    ) -> None:
        """Args:
        shown: of each type in the game's order.

        Raises:
            UserError: for settings that are wrong, and demonstrations of other games, or of too few types.
        """
        self.config, self.game, self.seed = checked(MarketMAGAILConfig, config), game, seed
        if len(shown) != len(game.types):
            raise UserError(f"{game.name}: demonstrations are of {len(shown)} types; want {', '.join(game.type_names)}")
        width = len(game.types) * game.actions
        self.agents = {
            one.type_name: TypeAgent(
                settings_of_type(self.config, of.spaces, width),
                demonstrations=of,
                seed=stream(seed, "type", one.type_name),
            )
            for one, of in zip(game.types, shown, strict=True)
        }
        self.experts = self._experts(shown)
        self.history: list[Row] = []

    def _experts(self, shown: tuple[Demonstrations, ...]) -> list[Steps]:
        plain = [Steps.of(of.transitions) for of in shown]
        if self.config.discriminator != "centralised":
            return plain
        joint = torch.from_numpy(types_joint(self.game, shown))
        return [
            Steps(**one.tensors(), joint=joint.repeat_interleave(of.agents, 0).flatten(0, 1))
            for one, of in zip(plain, self.game.types, strict=True)
        ]

    @property
    def policies(self) -> dict[str, Actor]:
        """By type."""
        return {name: agent.policy for name, agent in self.agents.items()}

    @property
    def interactions(self) -> int:
        """Periods that agents of all types have played."""
        return sum(agent.counts.interactions for agent in self.agents.values())

    def start_from(self, actors: Mapping[str, Actor]) -> None:
        """Begin with these policies, by type, in place of `bc_start`; only before the first round.

        Raises:
            UserError: after it.
        """
        if self.history:
            raise UserError(f"start_from: {len(self.history)} rounds were played; want none")
        for name, agent in self.agents.items():
            load_module("actor", agent.policy, module_arrays("actor", actors[name]))

    def train(self, rounds: int, callback: Callable[[Row], None] | None = None) -> None:
        """Play and learn until there were so many rounds in all, each an episode of every copy.

        One that was loaded goes on where it was: of two that plan the same number, one of them through `save` and
        `load` after any round, all figures are the same.

        Args:
            callback: is given each round's row of the history; it may save.
        """
        at_least_one(rounds, "rounds")
        with one_thread():
            if not self.history:
                self._begin()
            env = self.game.types[0].subject.make(self.config.copies)
            for i in range(len(self.history), rounds):
                row: Row = {"round": i + 1} | self._round(i, rounds, env)
                self.history.append(row)
                if callback is not None:
                    callback(row)

    def _begin(self) -> None:
        for name, agent in self.agents.items():
            shown = agent.demonstrations
            assert shown is not None
            # policies that were given have seen states already
            if agent.policy.norm.count:
                continue
            if self.config.bc_start:
                started = cloned_type(
                    shown, self.config.bc_start, stream(self.seed, "clone", name), self.config.hidden_dims
                )
                load_module("actor", agent.policy, module_arrays("actor", started.actors[0]))
            else:
                agent.policy.norm.update(Steps.of(shown.transitions).states)

    def _round(self, i: int, rounds: int, env: Any) -> Row:
        game, T = self.game, self.game.horizon
        acts = [
            player(agent.policy, T, self.config.copies * one.agents, agent.generator)
            for one, agent in zip(game.types, self.agents.values(), strict=True)
        ]
        played = play_types(game, env, acts, stream(self.seed, "episode", i))
        joint: Tensor | None = None
        if self.config.discriminator == "centralised":
            each = [one.actions for one in played]
            joint = torch.from_numpy(joint_actions(each, [one.agents for one in game.types], game.actions))
        row: Row = {}
        learn_by = zip(game.types, self.agents.values(), played, self.experts, strict=True)
        for one, agent, rollout, expert in learn_by:
            beside = None if joint is None else joint.repeat_interleave(one.agents, 1).flatten(0, 1)
            agent.policy.requires_grad_(i >= self.config.critic_rounds)
            figures = agent.learn(rollout, expert, i / rounds, beside)
            figures["return"] = float(rollout.rewards.sum(0).mean())
            row |= {f"{one.type_name} {name}": value for name, value in figures.items()}
        return row | {"interactions": self.interactions}

    def save(self, folder: Path) -> None:
        """Write all that training goes on from, whole or not at all; the game and demonstrations are not in it.

        Raises:
            StorageFailed: where the disk does not take it; what was saved before stands.
        """
        words = {
            "config": self.config.model_dump(mode="json"), "seed": self.seed, "game": self.game.name,
            "history": self.history, "types": {name: agent.words() for name, agent in self.agents.items()},
            "demonstrations": {name: _shown_to(agent) for name, agent in self.agents.items()},
        }  # fmt: skip
        arrays: Arrays = {}
        for name, agent in self.agents.items():
            arrays |= with_prefix(name, agent.arrays())
        write_agent(folder, type(self).__name__, words, arrays)

    @classmethod
    def load(cls, folder: Path, game: MarketGame, shown: tuple[Demonstrations, ...]) -> MarketMAGAIL:
        """What `save` wrote last; with the same game and demonstrations it goes on bit for bit.

        Raises:
            UserError: for a folder without it, and another game or demonstrations.
            DamagedFile: names the file.
        """
        words, arrays = read_agent(folder, cls.__name__)
        if words.get("game") != game.name:
            raise UserError(f"{folder} is of {words.get('game')}; got {game.name}")
        with reading(folder):
            found = cls(words["config"], game, shown, words["seed"])
            for name, agent in found.agents.items():
                had, have = words["demonstrations"][name], _shown_to(agent)
                if had != have:
                    raise UserError(
                        f"{folder}: {name} learns from demonstrations of SHA-256 {had[:12]}; got others, of {have[:12]}"
                    )
                agent.restore(words["types"][name], under(name, arrays))
            found.history = words["history"]
        return found


def _shown_to(agent: TypeAgent) -> str:
    """SHA-256 of what was recorded, and of which steps of it the type learns from."""
    shown = agent.demonstrations
    assert shown is not None
    kept = b"" if shown.kept is None else shown.kept.tobytes()
    return sha256(digest(shown).encode() + kept).hexdigest()
