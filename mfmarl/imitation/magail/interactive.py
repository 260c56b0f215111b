"""Interactive imitation of a Markov game's equilibrium: the expert is asked where a deviator would lead the learners.

What others would do against the learners decides how well these can be exploited, and an expert that plays with
experts does not show it. Freihaut et al. 2025 ("Learning Equilibria from Data", algorithms 1 and 2) ask it in states
that are drawn from play of the learners against a response: a best response by the game's rewards (MAIL-BRO), or the
one that comes to where learner and expert differ most (MURMAIL), for which no reward need be known.

Here transitions are known, so that responses and occupancies are exact, and for n agents every agent deviates in turn.
The paper finds MURMAIL's response by reinforcement learning, with two answers of the expert at every step as reward;
here the squared distance is what all answers so far let expect, which is most where there are none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import BaseModel, ConfigDict, Field

from envs.markov import MarkovGame
from envs.markov.solving import policy_iteration
from mfmarl.errors import UserError
from mfmarl.imitation.magail.theory import Array
from mfmarl.seeding import generator

Ask = Literal["best_response", "uncertainty", "own", "expert"]


class InteractiveConfig(BaseModel):
    """Settings that all seeds of a batch share."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    ask: Ask = Field(
        "best_response",
        description="where: play of the learners against an agent's best_response (MAIL-BRO), or against its way to "
        "where they are least known (uncertainty: MURMAIL); of the learners alone (own: DAgger), or of the expert",
    )
    rounds: int = Field(50, ge=1, description="times that policies are learnt anew")
    queries: int = Field(10, ge=1, description="states of a round in which an agent's expert is asked, a deviator each")
    update: Literal["counting", "mirror"] = Field(
        "counting", description="policies are shares of all answers, or take a step of mirror descent by each round's"
    )
    lr: float = Field(0.5, gt=0, description="mirror descent's rate")
    start: Literal["random", "uniform"] = Field(
        "random", description="policies before anything is asked: Dirichlet(1) in each state, or uniform"
    )


@dataclass(frozen=True)
class InteractiveHistory:
    """K = rounds + 1 moments of R seeds, the first before anything was asked."""

    seeds: tuple[int, ...]
    queries: NDArray[np.int64]
    """[K]: answers of all agents' experts together so far, of one seed."""
    policies: tuple[Array, ...]
    """An agent each: [K, R, S, A_i]."""
    gaps: Array
    """[K, R, n]: what each agent would gain by its best response."""
    asked: NDArray[np.int64]
    """[R, n, S]: how often each expert was asked in each state."""

    @property
    def nash_conv(self) -> Array:
        """[K, R]"""
        out: Array = self.gaps.sum(-1)
        return out

    @property
    def exploitability(self) -> Array:
        """[K, R]: the largest gap."""
        out: Array = self.gaps.max(-1)
        return out


def interactive(
    game: MarkovGame, expert: Sequence[ArrayLike], seeds: Sequence[int], config: InteractiveConfig | None = None
) -> InteractiveHistory:
    """Every seed learns, all in one batch; a seed is the same alone and in a batch.

    Args:
        expert: whom to ask, an equilibrium of the game: [S, A_i] of each agent.

    Raises:
        BadPolicy: where the expert is no profile of the game.
        UserError: for several experts, or no seeds.
    """
    settings = InteractiveConfig() if config is None else config
    experts = game.check_policies(expert)
    if experts[0].ndim != 2:
        raise UserError(f"interactive: policies of the expert have shape {experts[0].shape}; want one [S, A] each")
    if not seeds:
        raise UserError("interactive: no seeds; want one or more")
    S, R = game.num_states, len(seeds)
    drawing = [generator(seed, "interactive", "queries") for seed in seeds]
    first = _first_policies(game, seeds, settings.start)
    pis = [pi.copy() for pi in first]
    counts = [np.zeros((R, S, a), np.int64) for a in game.num_actions]
    kept, gaps, told = [[pi.copy() for pi in pis]], [game.gaps(pis)], [0]
    for _ in range(settings.rounds):
        round_counts = [np.zeros_like(count) for count in counts]
        for law, asked in _where(game, experts, pis, counts, settings.ask):
            for r, rng in enumerate(drawing):
                states = rng.multinomial(settings.queries, law[r])
                for i in asked:
                    round_counts[i][r] += rng.multinomial(states, experts[i])
        for i, new in enumerate(round_counts):
            counts[i] += new
            if settings.update == "counting":
                pis[i] = counted(counts[i], first[i])
            else:
                pis[i] = mirror_step(pis[i], new, settings.lr)
        kept.append([pi.copy() for pi in pis])
        gaps.append(game.gaps(pis))
        told.append(told[-1] + int(sum(new[0].sum() for new in round_counts)))
    return InteractiveHistory(
        seeds=tuple(seeds),
        queries=np.array(told),
        policies=tuple(np.stack(pi) for pi in zip(*kept, strict=True)),
        gaps=np.stack(gaps),
        asked=np.stack([count.sum(-1) for count in counts], 1),
    )


def counted(counts: NDArray[np.int64], unseen: Array) -> Array:
    """Shares of answers counts[..., S, A]; `unseen` [..., S, A] in states without an answer."""
    total = counts.sum(-1, keepdims=True)
    out: Array = np.where(total > 0, counts / np.maximum(total, 1), unseen)
    return out


def mirror_step(policy: Array, answers: NDArray[np.int64], rate: float) -> Array:
    """pi(a|s) exp(-rate g(a|s)), normed, for g = sum over the answers there of pi(.|s) - e_answer.

    The slope of half the squared distance of policy and expert, without bias. All [..., S, A].
    """
    slope = answers.sum(-1, keepdims=True) * policy - answers
    new = np.log(np.maximum(policy, np.finfo(float).tiny)) - rate * slope
    new = np.exp(new - new.max(-1, keepdims=True))
    out: Array = new / new.sum(-1, keepdims=True)
    return out


def squared_distance(counts: NDArray[np.int64], policy: Array) -> Array:
    """[..., S]: the mean of |expert(.|s) - policy(.|s)|^2 over what the expert may be after answers counts[..., S, A].

    That is a Dirichlet law with 1/2 + counts: its mean's squared distance and its variances. An estimate from the
    answers alone would be of no use where the policy is their shares, as they are then told to be right.
    """
    weights = counts + 0.5
    total = weights.sum(-1, keepdims=True)
    mean = weights / total
    found: Array = ((mean - policy) ** 2 + mean * (1 - mean) / (total + 1)).sum(-1)
    return found


def way_to(game: MarkovGame, policies: Sequence[Array], agent: int, rewards: Array) -> Array:
    """The policy [R, S, A_i] of an agent that meets most of rewards[R, S], while the others play [R, S, A_j]."""
    moves = np.moveaxis(game.transitions, agent + 1, -2)
    moves = np.broadcast_to(moves, (len(rewards), *moves.shape))
    for i in reversed(range(game.num_agents)):
        if i != agent:
            # the last of the others' axes, [R, S, .., A_i, A_agent, S]
            lead = policies[i].reshape(*policies[i].shape[:2], *[1] * (moves.ndim - 5), -1, 1, 1)
            moves = (moves * lead).sum(-3)
    gain = np.broadcast_to(rewards[..., None], moves.shape[:-1])
    _, chosen = policy_iteration(game.discount * moves, np.ascontiguousarray(gain))
    out: Array = np.eye(game.num_actions[agent])[chosen]
    return out


def _where(
    game: MarkovGame, experts: Sequence[Array], pis: Sequence[Array], counts: Sequence[NDArray[np.int64]], ask: Ask
) -> list[tuple[Array, list[int]]]:
    """(law [R, S] of the states to ask in, agents whose experts are asked there)."""
    n, R = game.num_agents, len(pis[0])
    if ask == "own":
        return [(_law(game, pis), list(range(n)))]
    if ask == "expert":
        return [(np.broadcast_to(_law(game, experts), (R, game.num_states)), list(range(n)))]
    if ask == "best_response":
        responses = game.best_responses(pis).policies
    else:
        apart = [squared_distance(count, pi) for count, pi in zip(counts, pis, strict=True)]
        responses = [way_to(game, pis, j, sum(apart[i] for i in range(n) if i != j) + np.zeros(1)) for j in range(n)]
    found = []
    for j, response in enumerate(responses):
        profile = [response if i == j else pi for i, pi in enumerate(pis)]
        found.append((_law(game, profile), [i for i in range(n) if i != j]))
    return found


def _law(game: MarkovGame, profile: Sequence[Array]) -> Array:
    """The states' part of a profile's occupancy, [..., S]; rounding below 0 is taken off."""
    states = np.maximum(game.occupancy(profile).states, 0.0)
    out: Array = states / states.sum(-1, keepdims=True)
    return out


def _first_policies(game: MarkovGame, seeds: Sequence[int], start: str) -> list[Array]:
    S, R = game.num_states, len(seeds)
    if start == "uniform":
        return [np.broadcast_to(pi, (R, *pi.shape)) for pi in game.uniform_policies()]
    return [
        np.stack([generator(seed, "interactive", "start", i).dirichlet(np.ones(a), S) for seed in seeds])
        for i, a in enumerate(game.num_actions)
    ]
