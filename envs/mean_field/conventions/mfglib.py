"""MFGLib 0.3.0: an `Environment` as a game of this folder, policies and mean fields both ways.

Its T is the index of the last decision, so there are T + 1; states and actions have shapes, and are flattened in C
order; P[s', s, a] has the successor first; rewards and transitions see L = mu pi of their own step. There are no
terminal rewards, and what happens after the last decision is not defined: flows of both agree up to there.

Tensors are 32-bit unless torch is told otherwise, so that rows sum to 1 within some 1e-7, where this folder wants
1e-12. A row of a 32-bit tensor is divided by its sum, which moves no entry further than its own rounding did; one whose
sum is further from 1 than rounding can bring it is refused, and 64-bit rows are taken as they are.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from envs.mean_field.checks import BadPolicy, check_simplex
from envs.mean_field.game import FiniteMFG
from envs.mean_field.kernel import Array, BadKernel, Kernel, check_rows, dense, moving
from envs.mean_field.two_moves import two_moves

Sees = Literal["nothing", "states", "actions"]
"""What transitions depend on: neither step nor population, the step and mu, or the step and L = mu pi."""

PROBES = 4
"""Populations of each step at which it is looked whether transitions see no more than was said."""


def game_from_environment(env: Any, *, transitions_see: Sees, name: str = "mfglib") -> FiniteMFG:
    """The game that an MFGLib environment is: its exploitability is `exploitability_score`.

    What transitions see cannot be told from outside; that they see no more than was said is probed, not proven.
    "actions" is always right, and gives a game of `two_moves`.

    Raises:
        BadKernel: for transitions that are no distributions, or that see more than was said.
        BadPolicy: for an initial distribution that is none.
    """
    S, A, last = env.n_states, env.n_actions, int(env.T)
    initial = _distributions(env.mu0, (S,), f"{name}: mu0")

    def reward(t: NDArray[np.int64], L: Array) -> Array:
        found = np.empty(L.shape)
        for place in np.ndindex(L.shape[:-2]):
            found[place] = _numbers(env.reward(int(t[place[-1]]), _tensor(env, L[place]))).reshape(S, A)
        return found

    def law(t: int, L: Array) -> Array:
        found = np.empty((*L.shape, S))
        for place in np.ndindex(L.shape[:-2]):
            found[place] = _transitions(env, t, L[place]) if t < last else np.eye(S)[:, None]
        return found

    if transitions_see not in get_args(Sees):
        raise ValueError(f"transitions_see is {transitions_see!r}; want {' or '.join(map(repr, get_args(Sees)))}")
    _probe(env, transitions_see, name)
    if transitions_see == "actions":
        return two_moves(name=name, horizon=last + 1, initial=initial, actions=A, reward=reward, law=law)
    kernel: Kernel = dense(_transitions(env, 0, np.full((S, A), 1 / (S * A))))
    if transitions_see == "states":
        everywhere = np.broadcast_to(np.arange(S), (S, A, S)).copy()
        kernel = moving(everywhere, lambda t, mu: law(t, np.repeat(mu[..., None] / A, A, -1)), initial)
    return FiniteMFG(name=name, horizon=last + 1, initial=initial, kernel=kernel, reward=reward, sees_actions=True)


def policy_from_tensor(env: Any, pi: Any) -> Array:
    """A policy [T + 1, *S, *A] of MFGLib as pi[T + 1, S, A].

    Raises:
        BadPolicy: for another shape, or a row that is no distribution (`exploitability_score` would make one of it).
    """
    return _distributions(pi, (int(env.T) + 1, env.n_states, env.n_actions), "the policy")


def tensor_from_policy(env: Any, pi: ArrayLike) -> Any:
    """A policy pi[T + 1, S, A] as MFGLib's tensor [T + 1, *S, *A], of the type that its mu0 has."""
    return env.mu0.new_tensor(np.asarray(pi, float)).reshape(env.T + 1, *env.S, *env.A)


def flow_from_mean_field(env: Any, L: Any) -> Array:
    """A mean field [T + 1, *S, *A] of MFGLib, joint over states and actions, as mu[T + 1, S]: `game.deciding(flow)`.

    Raises:
        BadPolicy: for another shape, or what is no distribution.
    """
    joint = _distributions(L, (int(env.T) + 1, env.n_states * env.n_actions), "the mean field")
    return np.asarray(joint.reshape(env.T + 1, env.n_states, env.n_actions).sum(-1))


def mean_field_from_flow(env: Any, mu: ArrayLike, pi: ArrayLike) -> Any:
    """L = mu pi of a flow mu[T + 2, S] and its policy pi[T + 1, S, A], as MFGLib's tensor [T + 1, *S, *A]."""
    return tensor_from_policy(env, np.asarray(mu, float)[:-1, :, None] * np.asarray(pi, float))


def _transitions(env: Any, t: int, L: Array) -> Array:
    """P[S, A, S'] at L[S, A]."""
    S, A = L.shape
    found = _numbers(env.prob(t, _tensor(env, L))).reshape(S, S, A).transpose(1, 2, 0)
    P = _widened(found, f"MFGLib's P(. | s, a) at t={t}", BadKernel)
    check_rows(P)
    return P


def _probe(env: Any, transitions_see: Sees, name: str) -> None:
    """Refuse transitions that see more than was said.

    Raises:
        BadKernel: says at which step.
    """
    rng = np.random.default_rng(0)
    S, A = env.n_states, env.n_actions
    first = None
    for t in range(int(env.T)) if transitions_see != "actions" else ():
        mu = rng.dirichlet(np.ones(S))
        for _ in range(PROBES):
            if transitions_see == "nothing":
                mu = rng.dirichlet(np.ones(S))
            P = _transitions(env, t, mu[:, None] * rng.dirichlet(np.ones(A), S))
            first = P if first is None else first
            # which mu a population has is rounded too
            if np.abs(P - first).max() > 1e-5:
                raise BadKernel(f"{name}: transitions at t={t} see more than {transitions_see}; want what they see")
        if transitions_see == "states":
            first = None


def _tensor(env: Any, L: Array) -> Any:
    return env.mu0.new_tensor(L).reshape(*env.S, *env.A)


def _numbers(tensor: Any) -> NDArray[Any]:
    return np.asarray(tensor.detach().cpu().numpy() if hasattr(tensor, "detach") else tensor)


def _distributions(tensor: Any, shape: tuple[int, ...], what: str) -> Array:
    """A tensor's numbers as distributions [*shape] along the last axis.

    Raises:
        BadPolicy: for another number of entries, or what is no distribution.
    """
    found = _numbers(tensor)
    if found.size != np.prod(shape):
        raise BadPolicy(f"{what} has shape {found.shape}; want {np.prod(shape)} numbers, for {shape}")
    rows = _widened(found.reshape(shape), what, BadPolicy)
    check_simplex(rows, shape, what)
    return rows


def _widened(rows: NDArray[Any], what: str, error: type[ValueError]) -> Array:
    """Rows as float64 that sum to 1 as exactly: those of fewer bits are divided by their sum.

    Raises:
        ValueError: for a sum further from 1 than rounding of that many numbers can bring it.
    """
    wide = np.asarray(rows, float)
    if not np.issubdtype(rows.dtype, np.floating) or rows.dtype == np.float64:
        return wide
    total, allowed = wide.sum(-1, keepdims=True), (rows.shape[-1] + 1) * float(np.finfo(rows.dtype).eps)
    if not (np.abs(total - 1) <= allowed).all():
        worst = total.flat[int(np.argmax(np.abs(total - 1)))]
        raise error(f"{what} sums to {worst:.9g}; want 1 within {allowed:.1g}, what {rows.dtype} rounds")
    return np.asarray(wide / total)
