"""MaxEnt inverse reinforcement learning as an agent: a reward of numbered states under which the expert is likeliest.

Rewards are theta . phi. The expert's discounted feature expectation less the soft-optimal policy's is the slope of the
log-likelihood (Ziebart, Bagnell and Dey 2010); both are taken with one discount. `maxent_irl.maxent_irl` does the same
to the last digit where expectations are exact.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from scipy.optimize import minimize
from torch import Tensor

from mfmarl.core.laws import Categorical
from mfmarl.errors import UserError
from mfmarl.imitation.checked_batches import checked_transitions
from mfmarl.imitation.demonstrations import Demonstrations, Transitions
from mfmarl.imitation.maxent_likelihood import Likelihood
from mfmarl.imitation.networks import Policy
from mfmarl.imitation.result import Counts, Result
from mfmarl.imitation.rollout import Collector, MakeEnv
from mfmarl.imitation.saved import read_agent, reading, words_of, write_agent
from mfmarl.imitation.settings import SpacesConfig, at_least_one, checked
from mfmarl.imitation.soft_values import Array, Unsettled, soft_values
from mfmarl.imitation.spaces import Spaces
from mfmarl.imitation.survival import random_actions
from mfmarl.imitation.tabular_model import TabularModel, counted, expert_occupancy, model_of, numbers
from mfmarl.seeding import stream

ENVS = 8
"""Environments played side by side where transitions are counted."""


class MaxEntIRLConfig(SpacesConfig):
    """Settings of MaxEnt IRL."""

    features: Literal["state", "action"] = Field(
        "state", description="what rewards are of: the state, or the state and action; phi=... of the agent overrides"
    )
    discount: float = Field(0.95, ge=0, lt=1, description="of both feature expectations")
    learning_rate: float = Field(1.0, gt=0, description="of `update`, a step along the slope; `train` searches lines")
    weight_decay: float = Field(1e-4, ge=0, description="half of it times |theta|^2 is taken off the log-likelihood")
    tol: float = Field(1e-5, gt=0, description="largest slope at which features count as matched")
    round: int = Field(20, ge=1, description="steps of L-BFGS in one update of `train`")


class TabularPolicy(Policy):
    """pi[S, A] of one-hot states."""

    log_pi: Tensor

    def __init__(self, pi: Array) -> None:
        super().__init__()
        self.spaces = Spaces(*pi.shape)
        self.register_buffer("log_pi", torch.from_numpy(pi).log())

    def law(self, states: Tensor) -> Categorical:
        """Of states [R, S]."""
        return Categorical(self.log_pi[states.argmax(-1)].float())


class MaxEntIRLAgent:
    """A reward, and the policy that is soft-optimal for it."""

    config_type = MaxEntIRLConfig

    def __init__(
        self,
        config: MaxEntIRLConfig | Mapping[str, Any],
        env: str | MakeEnv | None = None,
        demonstrations: Demonstrations | None = None,
        seed: int = 0,
        *,
        transitions: Array | None = None,
        start: Array | None = None,
        phi: Array | None = None,
    ) -> None:
        """Args:
        env: whose `P` is read where it has one; else `train` plays it, and counts.
        transitions, start: P[S, A, S'] and [S], where the user knows them; `env` is then not asked.
        phi: [S, A, F], features of the user's own.

        Raises:
            UserError: for settings that are wrong, states that are not numbered, or shapes that do not fit.
        """
        self.config = checked(MaxEntIRLConfig, config)
        self.spaces, self.env, self.demonstrations, self.seed = self.config.spaces, env, demonstrations, seed
        self.phi = phi
        S, A = self.spaces.state_dim, self.spaces.action_dim
        if self.spaces.continuous:
            raise UserError("maxent_irl takes numbered actions; these are continuous")
        if phi is not None and phi.shape[:2] != (S, A):
            raise UserError(f"phi has shape {phi.shape}; want [{S}, {A}, F]")
        self.theta: Array = np.zeros(S * A if self.config.features == "action" else S) if phi is None else np.zeros(
            phi.shape[2]
        )  # fmt: skip
        self.policy = TabularPolicy(np.full((S, A), 1 / A))
        self.counts = Counts()
        self.ended = False
        """Whether features are matched, or no step makes them more so."""
        self.model: TabularModel | None = None
        if transitions is not None:
            self.model = _given_model(transitions, start, S, A)
        elif env is not None:
            self.model = model_of(env)
        if demonstrations is not None:
            demonstrations.check_fits(self.spaces, "the agent")
            numbers(demonstrations.observations)
            self.counts = Counts(demonstrations=demonstrations.steps)

    @property
    def reward(self) -> Array:
        """r[S, A] = theta . phi."""
        return self._reward(self.theta)

    def _reward(self, theta: Array) -> Array:
        S, A = self.spaces.state_dim, self.spaces.action_dim
        if self.phi is not None:
            found: Array = self.phi @ theta
            return found
        return theta.reshape(S, A) if self.config.features == "action" else np.repeat(theta[:, None], A, 1)

    def expectation(self, x: Array) -> Array:
        """[F] of an occupancy x[S, A] that sums to 1."""
        if self.phi is not None:
            return np.asarray(np.einsum("sa,saf->f", x, self.phi))
        return x.ravel() if self.config.features == "action" else x.sum(1)

    def update(self, policy_batch: Transitions, expert_batch: Transitions) -> dict[str, float]:
        """One step along the difference of mean features of steps of the expert and of the policy.

        All steps of both count alike; the policy of now follows from theta and the model.

        Raises:
            UserError: for states that are not numbered, batches that are wrong, or where no transitions are known.
        """
        model = self._known()
        policy_batch = checked_transitions(self.spaces, policy_batch, "policy_batch")
        expert_batch = checked_transitions(self.spaces, expert_batch, "expert_batch")
        missing = self.expectation(self._shares(expert_batch)) - self.expectation(self._shares(policy_batch))
        self.theta = self.theta + self.config.learning_rate * (missing - self.config.weight_decay * self.theta)
        self.policy = TabularPolicy(soft_values(model.transitions, self.reward, self.config.discount).pi)
        self.counts = self.counts.plus(updates=1)
        return {"mismatch": float(np.abs(missing).max())}

    def _shares(self, steps: Transitions) -> Array:
        x = np.zeros((self.spaces.state_dim, self.spaces.action_dim))
        np.add.at(x, (numbers(steps.states), steps.actions), 1 / len(steps.actions))
        return x

    def train(
        self, updates: int = 100, interactions: int = 0, callback: Callable[[dict[str, Any]], None] | None = None
    ) -> Result:
        """Climb the log-likelihood until features are matched, for so many updates in all at most.

        Args:
            interactions: random steps that transitions are counted from, besides demonstrations, where none are known.
            callback: is given each update's row of the history; it may save the agent.

        Raises:
            UserError: for fewer than 1, where the agent has no demonstrations, or so few that rewards grow without end.
        """
        at_least_one(updates, "updates")
        if self.demonstrations is None:
            raise UserError("MaxEntIRLAgent.train needs demonstrations=...")
        figures = {} if self.model is not None else self._count(interactions)
        model, config = self._known(), self.config
        seen = self.expectation(expert_occupancy(self.demonstrations, config.discount))
        likely = Likelihood(
            model.transitions, model.start, config.discount, seen, self._reward, self.expectation, config.weight_decay
        )
        history: list[dict[str, Any]] = []
        while self.counts.updates < updates and not self.ended:
            try:
                found = minimize(
                    likely.loss, self.theta, jac=True, method="L-BFGS-B",
                    options={"maxiter": config.round, "ftol": 0.0, "gtol": config.tol},
                )  # fmt: skip
            except Unsettled as error:
                raise UserError(
                    f"maxent_irl: {error}, as where few steps are shown; show more episodes, or set weight_decay "
                    f"higher, to 1e-3 or more (it is {config.weight_decay:g})"
                ) from error
            slope = float(np.abs(found.jac).max())
            self.ended = slope <= config.tol or np.array_equal(found.x, self.theta)
            self.theta = found.x
            best = likely.optimum(self.theta)
            self.policy = TabularPolicy(best.pi)
            self.counts = self.counts.plus(updates=1)
            mismatch = float(np.abs(best.features - seen).max())
            figures |= {"loss": float(found.fun), "mismatch": mismatch, "slope": slope, "iterations": int(found.nit)}
            row = {**asdict(self.counts), **figures}
            history.append(row)
            if callback is not None:
                callback(row)
        return Result(self.policy, history, self.counts)

    def _known(self) -> TabularModel:
        if self.model is None:
            raise UserError("no transitions are known: give transitions=..., or an env with P, or train with one")
        return self.model

    def _count(self, interactions: int) -> dict[str, float]:
        assert self.demonstrations is not None
        played = None
        if interactions and self.env is not None:
            collector = Collector(self.env, ENVS, stream(self.seed, "play"))
            try:
                act = random_actions(self.spaces, stream(self.seed, "random"))
                rollout = collector.collect(act, -(-interactions // ENVS))
            finally:
                collector.close()
            rows = (rollout.states, rollout.actions, rollout.next_states, rollout.terminated)
            played = Transitions(*(_flat(part) for part in rows))
            self.counts = self.counts.plus(interactions=collector.interactions)
        self.model, unseen = counted(self.demonstrations, played)
        return {"unseen_pairs": float(unseen)}

    def save(self, folder: Path) -> None:
        """Write all that training goes on from, transitions that were counted or given among it.

        Raises:
            StorageFailed: where the folder takes no file.
        """
        words = {**words_of(self.config, self.seed, self.counts), "ended": self.ended}
        arrays = {"theta": self.theta, "pi": self.policy.log_pi.exp().numpy()}
        if self.phi is not None:
            arrays["phi"] = self.phi
        if self.model is not None and self.model.rewards is None:
            arrays |= {"transitions": self.model.transitions, "start": self.model.start}
        write_agent(folder, type(self).__name__, words, arrays)

    @classmethod
    def load(cls, folder: Path, env: str | MakeEnv | None = None, demonstrations: Demonstrations | None = None) -> Self:
        """What `save` wrote; demonstrations are not in it, nor the P of an environment that has one.

        Raises:
            UserError: where there is none, or demonstrations have other spaces.
            DamagedFile: where it was cut short or changed.
        """
        words, arrays = read_agent(folder, cls.__name__)
        known = {name: arrays.get(name) for name in ("transitions", "start", "phi")}
        with reading(folder):
            agent = cls(words["config"], env, demonstrations, words["seed"], **known)
            agent.theta, agent.policy = arrays["theta"], TabularPolicy(arrays["pi"])
            agent.counts, agent.ended = Counts(**words["counts"]), words["ended"]
        return agent


def _given_model(transitions: Array, start: Array | None, states: int, actions: int) -> TabularModel:
    if transitions.shape != (states, actions, states):
        raise UserError(f"transitions have shape {transitions.shape}; want ({states}, {actions}, {states})")
    if start is None or start.shape != (states,):
        raise UserError(f"start has shape {None if start is None else start.shape}; want ({states},) with transitions")
    return TabularModel(transitions, start)


def _flat(rows: NDArray[Any]) -> NDArray[Any]:
    """[T, B, ...] -> [T B, ...]"""
    return rows.reshape(-1, *rows.shape[2:])
