"""What GAIL and AIRL share: rounds of playing, telling steps apart, and learning from what the telling pays."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Generic, Self, TypeVar

import torch
from torch import Tensor

from mfmarl.errors import UserError
from mfmarl.imitation.absorbing import Absorbing, Ends, absorbing
from mfmarl.imitation.acting import player
from mfmarl.imitation.adversarial_config import MOST, AdversarialConfig
from mfmarl.imitation.checked_batches import checked_batch
from mfmarl.imitation.demonstrations import Demonstrations, Transitions
from mfmarl.imitation.discriminator import Discriminator, Inputs, RewardForm, reward_of
from mfmarl.imitation.discriminator_step import discriminator_step
from mfmarl.imitation.ended import Ended, leak_of, lengths_warning
from mfmarl.imitation.networks import Actor
from mfmarl.imitation.ppo import PPO
from mfmarl.imitation.repeatable import Place, places_as_arrays, places_of
from mfmarl.imitation.result import Counts, Result, generator
from mfmarl.imitation.rollout import Collector, MakeEnv, Rollout
from mfmarl.imitation.saved import (
    load_module,
    load_optimiser,
    module_arrays,
    optimiser_arrays,
    read_agent,
    reading,
    under,
    with_prefix,
    words_of,
    write_agent,
)
from mfmarl.imitation.settings import at_least_one, checked
from mfmarl.imitation.steps import Steps
from mfmarl.runs.sealed import Arrays
from mfmarl.seeding import stream

Row = dict[str, Any]

Config = TypeVar("Config", bound=AdversarialConfig)


class AdversarialAgent(ABC, Generic[Config]):
    """A policy, and a network that is paid to tell it from the expert."""

    config_type: type[Config]

    def __init__(
        self,
        config: Config | Mapping[str, Any],
        env: str | MakeEnv | None = None,
        demonstrations: Demonstrations | None = None,
        seed: int = 0,
    ) -> None:
        """Args:
        env, demonstrations: what `train` plays and imitates; `update` and `reward` do without.

        Raises:
            UserError: for settings that are wrong, or demonstrations of other spaces.
        """
        self.config = config = checked(self.config_type, config)
        self.env, self.demonstrations, self.seed = env, demonstrations, seed
        if demonstrations is not None:
            demonstrations.check_fits(config.spaces, "the agent")
        self.generator = generator(stream(seed, "draws"))
        self.ppo = PPO(config.spaces, config.ppo, stream(seed, "ppo"), config.hidden_dims, config.policy_lr)
        self.discriminator = self.score(Inputs(config.spaces, self.ppo.actor.norm), self.generator).eval()
        self.optimiser = torch.optim.Adam(
            self.discriminator.parameters(), config.discriminator_lr, weight_decay=config.weight_decay, fused=True
        )
        self.counts = Counts(demonstrations=0 if demonstrations is None else demonstrations.steps)
        self.history: list[Row] = []
        self.past: deque[Steps] = deque(maxlen=config.past_rollouts + 1)
        self.ended = Ended(config.num_envs)
        self.expert_ends = Ends(0, 0) if demonstrations is None else Ends.of(demonstrations)
        self.ends = Ends(0, 0)
        """Of the policy, of late."""
        self.places: list[Place] | None = None
        """Where the environments are, after `train` and between its rounds; None before them."""

    @abstractmethod
    def score(self, inputs: Inputs, generator: torch.Generator) -> Discriminator:
        """The network that tells steps apart."""

    @property
    @abstractmethod
    def reward_form(self) -> RewardForm:
        """What a step is paid."""

    @property
    def policy(self) -> Actor:
        """The policy's network."""
        return self.ppo.actor

    def update(self, policy_batch: Steps | Transitions, expert_batch: Steps | Transitions) -> dict[str, float]:
        """One gradient step of the discriminator on as many steps of each side; figures of it, in nats and shares.

        Where the log-probabilities of actions are asked for (AIRL), missing ones are those of the policy of now.

        Raises:
            UserError: for sides of unequal size, and batches that are wrong; names the side, the field and the row.
        """
        spaces = self.config.spaces
        policy = checked_batch(spaces, policy_batch, "policy_batch")
        expert = checked_batch(spaces, expert_batch, "expert_batch")
        own, theirs = len(policy.states), len(expert.states)
        if own != theirs or not own:
            raise UserError(f"update: {own} steps of the policy and {theirs} of the expert; want as many of each")
        return self.step(self._with_log_prob(policy), self._with_log_prob(expert))

    def step(self, policy: Steps, expert: Steps) -> dict[str, float]:
        """`update` on steps that are right, and have log-probabilities where they are asked for; nothing is checked."""
        return discriminator_step(self.discriminator, self.optimiser, policy, expert, self.config, self.generator)

    @torch.no_grad()
    def logit(self, steps: Steps | Transitions) -> Tensor:
        """Of D, that a step is the expert's: [n]."""
        steps = self._with_log_prob(steps)
        return self.discriminator.logit(self.discriminator.rows(steps), steps)

    def reward(self, steps: Steps | Transitions) -> Tensor:
        """What each step of the policy is paid: [n]; above what one in the absorbing state is, if that is told apart.

        The endless stay after the task's end would be worth r_0 / (1 - gamma). With r_0 taken off every reward it is
        worth nothing, as termination says, and the best policy is the same; the critic is spared a large value that
        changes with the discriminator.
        """
        logit, form, after = self.logit(steps), self.reward_form, self.absorbing
        if after is None:
            return reward_of(logit, form)
        return reward_of(logit + after.in_task, form) - reward_of(torch.tensor(after.logit), form)

    @property
    def absorbing(self) -> Absorbing | None:
        """Of the demonstrations and the policy of late; None where it is not told apart, or the task never ended."""
        expert, own = self.expert_ends, self.ends
        if not (self.config.absorbing and expert.steps and own.steps and (expert.ended or own.ended)):
            return None
        return absorbing(expert, own, self.config.ppo.discount)

    def train(self, interactions: int, callback: Callable[[Row], None] | None = None) -> Result:
        """Play and learn until there were so many steps of the environment in all; the last round may go beyond.

        An agent that was loaded, or trained before, goes on where it was. Of two runs that plan the same number, one
        through `save` and `load` after any round, all figures are the same.

        Args:
            callback: is given each round's row of the history; it may save the agent.

        Raises:
            UserError: for fewer than 1, or where the agent has no environment or no demonstrations, or they do not fit.
        """
        at_least_one(interactions, "interactions")
        if self.env is None or self.demonstrations is None:
            raise UserError(f"{type(self).__name__}.train needs env=... and demonstrations=...")
        self.ppo.batches.forget()
        rounds = -(-interactions // self.config.steps_a_round)
        collector = Collector(self.env, self.config.num_envs, stream(self.seed, "play"))
        try:
            self.demonstrations.check_fits(collector.spaces, str(self.env))
            if self.places is not None:
                collector.go_to(self.places)
            with one_thread():
                self._rounds(collector, self.demonstrations, rounds, callback)
        finally:
            collector.close()
        return Result(self.ppo.actor, self.history, self.counts)

    def _rounds(
        self, collector: Collector, demonstrations: Demonstrations, rounds: int, callback: Callable[[Row], None] | None
    ) -> None:
        config, ppo = self.config, self.ppo
        expert = Steps.of(demonstrations.transitions)
        if not self.history:
            ppo.actor.norm.update(expert.states)
            self._warn(leak_of(demonstrations))
        for i in range(len(self.history), rounds):
            act = player(ppo.actor, config.rollout, config.num_envs, self.generator)
            rollout = collector.collect(act, config.rollout)
            figures = self.learn(rollout, expert, i / rounds)
            self.places = collector.places
            counted = {name: getattr(self.counts, name) for name in ("demonstrations", "interactions", "updates")}
            ended = self.ended.take(rollout) | self.ended.apart(demonstrations)
            row = {"round": i + 1, **counted, **ended, **figures}
            self.history.append(row)
            if i + 1 == rounds and ended:
                self._warn(lengths_warning(ended["lengths_apart"], len(self.ended.last)))
            if callback is not None:
                callback(row)

    def learn(self, rollout: Rollout, expert: Steps, progress: float, joint: Tensor | None = None) -> dict[str, float]:
        """One round of learning from what was played: the discriminator's steps, then the policy's.

        Args:
            progress: the share of the planned rounds that is over.
            joint: [n, J], what others did meanwhile, where the discriminator sees it; `expert` then has it too.
        """
        plain = replace(Steps.of(rollout), joint=joint)
        steps = self.ppo.with_log_prob(plain)
        self.ends = self.ends.then(len(steps), int(steps.terminated.sum()))
        # without the log-probabilities of then: one logit has one policy, the one of now
        self.past.append(plain)
        figures, before = self._tell_apart(expert), self.ppo.updates
        figures |= self.ppo.learn(rollout, steps, self.reward(steps), self.generator, progress)
        self.counts = self.counts.plus(interactions=len(steps), updates=self.ppo.updates - before)
        return figures

    def _warn(self, why: str | None) -> None:
        if why is not None and not self.config.absorbing:
            warnings.warn(f"{type(self).__name__}: {why}", UserWarning, stacklevel=5)

    def _tell_apart(self, expert: Steps) -> dict[str, float]:
        """The discriminator's gradient steps of one round."""
        config, figures = self.config, {}
        for _ in range(config.discriminator_steps):
            own, theirs = map(self._with_log_prob, self.drawn(expert))
            figures = self.step(own, theirs)
        return figures

    def drawn(self, expert: Steps) -> tuple[Steps, Steps]:
        """As many random steps of one of the rollouts of late and of the expert's."""
        among = self.past[int(torch.randint(len(self.past), (), generator=self.generator))]
        have, of = min((len(among), "steps of a rollout"), (len(expert), "demonstrated steps"))
        asked = self.config.discriminator_batch
        number = min(MOST, have) if asked is None else self.ppo.batches.size(asked, have, "discriminator_batch", of)
        own, theirs = (x[torch.randint(len(x), (number,), generator=self.generator)] for x in (among, expert))
        return own, theirs

    def words(self) -> dict[str, Any]:
        """What is saved beside arrays."""
        return {
            **words_of(self.config, self.seed, self.counts),
            "updates": self.ppo.updates,
            "ends": asdict(self.ends),
            "expert_ends": asdict(self.expert_ends),
            "ended": self.ended.state(),
            "history": self.history,
        }

    def arrays(self) -> Arrays:
        """Networks, optimisers, the generator, past rollouts, and where the environments are."""
        past = (
            with_prefix(f"past.{i}", {name: x.numpy() for name, x in steps.tensors().items()})
            for i, steps in enumerate(self.past)
        )
        return {
            **module_arrays("actor", self.ppo.actor),
            **module_arrays("critic", self.ppo.critic.net),
            **module_arrays("discriminator", self.discriminator),
            **optimiser_arrays("policy_optimiser", self.ppo.optimiser),
            **optimiser_arrays("discriminator_optimiser", self.optimiser),
            "generator": self.generator.get_state().numpy().copy(),
            **with_prefix("environments", places_as_arrays(self.places or [])),
            **{name: array for steps in past for name, array in steps.items()},
        }

    def load_arrays(self, arrays: Arrays) -> None:
        """What `arrays` gave."""
        load_module("actor", self.ppo.actor, arrays)
        load_module("critic", self.ppo.critic.net, arrays)
        load_module("discriminator", self.discriminator, arrays)
        load_optimiser("policy_optimiser", self.ppo.optimiser, arrays)
        load_optimiser("discriminator_optimiser", self.optimiser, arrays)
        self.generator.set_state(torch.from_numpy(arrays["generator"].copy()))
        self.places = places_of(under("environments", arrays)) or None
        self.past.clear()
        i = 0
        while steps := under(f"past.{i}", arrays):
            self.past.append(Steps(**{name: torch.from_numpy(x.copy()) for name, x in steps.items()}))
            i += 1

    def restore(self, words: Mapping[str, Any], arrays: Arrays) -> None:
        """What `words` and `arrays` gave, into an agent of the same settings.

        Raises:
            KeyError, TypeError, RuntimeError: where they are not whole.
        """
        self.load_arrays(arrays)
        self.counts, self.history = Counts(**words["counts"]), words["history"]
        self.ppo.updates, self.ends = words["updates"], Ends(**words["ends"])
        self.ended.restore(words["ended"])
        if self.demonstrations is None:
            self.expert_ends = Ends(**words["expert_ends"])

    def save(self, folder: Path) -> None:
        """Write all that training goes on from, whole or not at all; environment and demonstrations are not in it.

        Raises:
            StorageFailed: where the disk does not take it; what was saved before stands.
        """
        write_agent(folder, type(self).__name__, self.words(), self.arrays())

    @classmethod
    def load(cls, folder: Path, env: str | MakeEnv | None = None, demonstrations: Demonstrations | None = None) -> Self:
        """What `save` wrote last. Environment and demonstrations are not stored; give those that it had, to go on.

        Raises:
            UserError: for a folder of another method, or none, or for other demonstrations.
            DamagedFile: names the file.
        """
        words, arrays = read_agent(folder, cls.__name__)
        with reading(folder):
            agent = cls(words["config"], env, demonstrations, words["seed"])
            agent.restore(words, arrays)
        had = agent.counts.demonstrations
        if demonstrations is not None and had != demonstrations.steps:
            raise UserError(f"{folder} was trained on {had} steps of demonstrations; these have {demonstrations.steps}")
        return agent

    def _with_log_prob(self, batch: Steps | Transitions) -> Steps:
        """As tensors; steps that have no log-probabilities get those of the policy of now, where they are asked for."""
        steps = batch if isinstance(batch, Steps) else Steps.of(batch)
        missing = self.discriminator.needs_log_prob and steps.log_prob is None
        return self.ppo.with_log_prob(steps) if missing else steps


@contextmanager
def one_thread() -> Iterator[None]:
    """Small networks are slower on several threads, and add up in another order."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
