"""Steps of discriminators and policies, for all runs at once: what an epoch of MAGAIL moves."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from mfmarl.imitation.magail.neural import Nets, Tables, bounded
from mfmarl.imitation.magail.rollouts import Arena, Rollouts
from mfmarl.imitation.magail.settings import MAGAILConfig, Run
from mfmarl.imitation.magail.theory import FLOOR, Array, RewardStyle
from mfmarl.seeding import generator


def first_logits(arena: Arena, agent: int, runs: Sequence[Run], config: MAGAILConfig) -> Array:
    """Of an agent's tables at the start, [R, S, A_i]."""
    shape = (arena.states, arena.actions[agent])
    if config.policy_init_uniform:
        return np.zeros((len(runs), *shape))
    return np.stack([0.1 * generator(run.seed, "magail", "policy", agent).normal(size=shape) for run in runs])


def law(theta: Tensor) -> Array:
    """softmax over actions."""
    out: Array = torch.softmax(theta.detach(), -1).numpy()
    return out


def marginal(joint: Array, agent: int) -> Array:
    """[R, S, A_1..A_n] -> [R, S, A_i]"""
    out: Array = joint.sum(tuple(axis for axis in range(2, joint.ndim) if axis != agent + 2))
    return out


def step_discriminators(
    judges: Tables | Nets, adam: torch.optim.Optimizer, expert: Array, learners: Array, config: MAGAILConfig
) -> Array:
    """One step down mean softplus(-d) of the expert's + mean softplus(d) of the learners'; the losses before it, [R].

    Args:
        expert, learners: [R, S, A_1..A_n], shares of the batches.
    """
    losses, penalty = [], torch.zeros((), dtype=torch.float64)
    weight = config.network.gradient_penalty if config.network else 0.0
    slopes = judges.squared_slopes() if weight and isinstance(judges, Nets) else []
    for i, logits in enumerate(judges()):
        table = bounded(logits, config.lowest_logit)
        joint = table.shape == expert.shape
        own, other = (torch.from_numpy(x if joint else marginal(x, i)) for x in (expert, learners))
        each = own * functional.softplus(-table) + other * functional.softplus(table)
        losses.append(each.flatten(1).sum(1))
        if slopes:
            penalty = penalty + weight / 2 * ((own + other) * slopes[i]).sum()
    adam.zero_grad()
    # sums, so that no run and no table is told of another
    (torch.stack(losses).sum() + penalty).backward()  # type: ignore[no-untyped-call]
    adam.step()
    mean: Array = torch.stack(losses).detach().mean(0).numpy()
    return mean


def rewards_of_tables(logits: Tensor, style: RewardStyle) -> Tensor:
    """`theory.reward_of_logit` of tensors."""
    for_expert = (torch.sigmoid(logits) + FLOOR).log()
    against = -(torch.sigmoid(-logits) + FLOOR).log()
    if style == "non_saturating":
        return for_expert
    return against if style == "gail" else for_expert + against


def payments(tables: Sequence[Tensor], arena: Arena, config: MAGAILConfig) -> list[Array]:
    """A discriminator each, [R, S, A_1..A_n]."""
    shape = (len(tables[0]), arena.states, *arena.actions)
    paid = []
    for i, table in enumerate(tables):
        r = rewards_of_tables(table.detach(), config.reward_style).numpy()
        if config.discriminator == "decentralised":
            r = r.reshape(*r.shape[:2], *(size if j == i else 1 for j, size in enumerate(arena.actions)))
        paid.append(np.broadcast_to(r, shape))
    return paid


def step_policies(
    thetas: Sequence[Tensor],
    adam: torch.optim.Optimizer,
    rollouts: Rollouts,
    paid: Sequence[Array],
    betas: Tensor,
    baseline: bool,
) -> Array:
    """One step up the mean over steps of log pi_i(a|s) x the return from there + beta x entropy.

    Gives the entropies before it, [R, n]. Entropy is weighted by the states that were met, and does not itself pay for
    coming to a state.
    """
    steps = rollouts.steps
    sums = [rollouts.returns(r) for r in paid]
    entropies = []
    objective = torch.zeros((), dtype=torch.float64)
    for i, theta in enumerate(thetas):
        met = marginal(rollouts.counts.astype(np.float64), i)
        returns = marginal(sums[i if len(sums) > 1 else 0], i)
        visits = met.sum(-1, keepdims=True)
        if baseline:
            returns = returns - met * returns.sum(-1, keepdims=True) / np.maximum(visits, 1)
        weight = torch.from_numpy(returns / steps[:, None, None])
        log_pi = torch.log_softmax(theta, -1)
        entropy = -(log_pi.exp() * log_pi).sum(-1)
        entropies.append((torch.from_numpy(visits[..., 0] / steps[:, None]) * entropy).sum(-1))
        objective = objective + (weight * log_pi).sum() + (betas * entropies[i]).sum()
    adam.zero_grad()
    (-objective).backward()  # type: ignore[no-untyped-call]
    adam.step()
    out: Array = torch.stack(entropies, -1).detach().numpy()
    return out
