"""The environment checker: plays whole episodes and says what a PopulationEnv gets wrong, with agent and step.

Standard checkers compare one step; faults of population games show later: in the second episode, in another copy, in a
state put back, in an array that a later step overwrites.
"""

from __future__ import annotations

import copy as copies_of
import random
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NoReturn

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from envs.population import PopulationEnv, Step, type_slices

FIELDS = ("obs", "mean_action", "reward", "terminated", "truncated", "final_obs")
MAX_STEPS = 200_000


class BrokenEnvironment(ValueError):
    """An environment that does not keep the protocol of `envs.population`."""


def check(make: Callable[[], PopulationEnv], episodes: int = 3, *, seed: int = 0) -> None:
    """Play `episodes` whole episodes of every copy, several times over, under random actions.

    What holds afterwards: shapes, dtypes, finite values inside the spaces; the ledger sums to the reward; the same
    seed gives the same play, in a fresh environment and in a used one; a state put back goes on the same; no global
    generator is touched; copies and episodes have random numbers of their own; no copy feels another's actions;
    what was returned is not written to again.

    Args:
        make: builds the environment; called several times. Two copies or more are needed to compare copies.
        episodes: at least 1; repeated episodes are found from 2.

    Raises:
        BrokenEnvironment: at the first fault.
        ValueError: for fewer than one episode.
    """
    if episodes < 1:
        raise ValueError(f"episodes is {episodes}; at least one is played")
    check_members(make())
    steps = _check_determinism(make, episodes, seed)
    _check_state(make, steps, seed)
    _check_streams(make, episodes, seed)
    if make().num_envs > 1:
        _check_copies(make, steps, seed)


def check_members(env: PopulationEnv) -> None:
    """The members of the protocol: spaces, types and neighbours.

    Raises:
        BrokenEnvironment: names the member.
    """
    name = type(env).__name__
    for member in (*PopulationEnv.__annotations__, "reset", "step", "get_state", "set_state"):
        if not hasattr(env, member):
            raise BrokenEnvironment(f"{name} has no {member}")
    # an agent whose graph says that it has no neighbours may be alone
    least = 2 if env.neighbours is None else 1
    if env.num_envs < 1 or env.num_agents < least:
        raise BrokenEnvironment(
            f"{name} has {env.num_envs} copies of {env.num_agents} agents; 1 and {least} are the least"
        )
    types = np.asarray(env.agent_types)
    if types.shape != (env.num_agents,):
        raise BrokenEnvironment(f"{name}.agent_types has shape {types.shape}, must be ({env.num_agents},)")
    try:
        kinds = len(type_slices(types))
    except ValueError as error:
        raise BrokenEnvironment(f"{name}: {error}") from None
    if len(env.type_names) != kinds:
        raise BrokenEnvironment(f"{name} has {kinds} types and {len(env.type_names)} type names")
    for member in ("observation_space", "mean_action_space"):
        space = getattr(env, member)
        if not isinstance(space, gym.spaces.Box) or len(space.shape) != 1 or space.dtype != np.float32:
            raise BrokenEnvironment(f"{name}.{member} must be a float32 Box of one axis; got {space}")
        if not (np.isfinite(space.low).all() and np.isfinite(space.high).all()):
            raise BrokenEnvironment(f"{name}.{member} must have finite bounds")
    if isinstance(env.action_space, gym.spaces.Discrete) and env.mean_action_space.shape != (env.action_space.n,):
        raise BrokenEnvironment(
            f"{name}.mean_action_space has shape {env.mean_action_space.shape}, must be ({env.action_space.n},): "
            "the mean of one-hot actions"
        )
    near = env.neighbours
    if near is not None:
        if near.shape != (env.num_agents, env.num_agents) or near.dtype != np.bool_:
            raise BrokenEnvironment(f"{name}.neighbours must be a boolean [{env.num_agents}, {env.num_agents}]")
        if near.diagonal().any():
            raise BrokenEnvironment(f"{name}.neighbours: agent {int(near.diagonal().argmax())} is its own neighbour")


def _check_determinism(make: Callable[[], PopulationEnv], episodes: int, seed: int) -> int:
    """A fresh and a used environment play the same; returns how many steps `episodes` episodes of all copies took."""
    fresh, used = _Watched(make(), seed), _Watched(make(), seed)
    used.reset(seed + 1)
    for actions in _random_actions(used.env, seed + 1, 3):
        used.step(actions)
    _compare(fresh, fresh.reset(seed), used.reset(seed), "the same seed gave")
    rng = np.random.default_rng([seed, 1])
    steps = 0
    while fresh.episode.min() < episodes:
        if steps == MAX_STEPS:
            fresh.fail(f"has a copy that did not end {episodes} episodes in {MAX_STEPS} steps")
        actions = _draw(fresh.env, rng)
        _compare(fresh, fresh.step(actions), used.step(actions), "the same seed gave")
        steps += 1
    _compare(fresh, fresh.reset(None), used.reset(None), "reset() after the same play gave")
    return steps


def _check_state(make: Callable[[], PopulationEnv], steps: int, seed: int) -> None:
    """A state put back into another environment goes on the same, and neither side writes to it."""
    for cut in sorted({0, 1, steps // 2}):
        played, restored = _Watched(make(), seed), _Watched(make(), seed)
        restored.reset(seed + 1)
        played.reset(seed)
        actions = list(_random_actions(played.env, seed, steps))
        for action in actions[:cut]:
            played.step(action)
        state = played.env.get_state()
        for key, value in state.items():
            if not isinstance(value, (np.ndarray, np.generic, int, float, str, bool)):
                played.fail(f"get_state()[{key!r}] is a {type(value).__name__}, must be an array, number or string")
        taken = copies_of.deepcopy(state)
        restored.env.set_state(state)
        restored.episode[:], restored.age[:] = played.episode, played.age
        for action in actions[cut:]:
            _compare(played, played.step(action), restored.step(action), "a state put back gave")
            for key, value in taken.items():
                if not np.array_equal(value, state[key]):
                    played.fail(f"writes to {key!r} of a state that was taken or put back; states must be copies")


def _check_streams(make: Callable[[], PopulationEnv], episodes: int, seed: int) -> None:
    """Where chance plays a part, copies and episodes differ under equal actions."""
    env = make()
    one = _draw(env, np.random.default_rng([seed, 2]))[:1]
    actions = np.repeat(one, env.num_envs, 0)
    first, other = (_played(_Watched(make(), s), s, actions, episodes) for s in (seed, seed + 1))
    if first == other:
        # nothing is random under these actions, so there is nothing to compare
        return
    watched = _Watched(env, seed)
    for b in range(1, env.num_envs):
        for a in range(b):
            if first[a] == first[b]:
                watched.fail(f"has copies {a} and {b} that play the same random numbers")
    if episodes > 1 and all(play[0] == play[1] for play in first) and not all(play[0] == first[0][0] for play in other):
        watched.fail("plays the same random numbers in episode 2 as in episode 1")


def _check_copies(make: Callable[[], PopulationEnv], steps: int, seed: int) -> None:
    """No copy feels another's actions, and a list of seeds names each copy's stream."""
    calm, stirred = _Watched(make(), seed), _Watched(make(), seed)
    calm.reset(seed)
    stirred.reset(seed)
    others = np.random.default_rng([seed, 3])
    for actions in _random_actions(calm.env, seed, steps):
        stirring = _draw(calm.env, others)
        stirring[0] = actions[0]
        _compare(calm, calm.step(actions), stirred.step(stirring), "other actions in the other copies gave", only=0)
    seeds = [seed + 10 + b for b in range(calm.env.num_envs)]
    forward, backward = _Watched(make(), seed), _Watched(make(), seed)
    what = "a seed in another place of the list gave"
    _compare(forward, forward.reset(seeds), _reversed(backward.reset(seeds[::-1])), what)
    for actions in _random_actions(forward.env, seed, steps):
        _compare(forward, forward.step(actions), _reversed(backward.step(actions[::-1].copy())), what)


def _played(watched: _Watched, seed: int, actions: NDArray[Any], episodes: int) -> list[list[bytes]]:
    """What each copy saw and earned in each of its first episodes under constant actions, as bytes [B][episodes]."""
    log: list[list[list[bytes]]] = [[[]] for _ in range(watched.env.num_envs)]
    watched.reset(seed)
    for _ in range(MAX_STEPS):
        if watched.episode.min() >= episodes:
            break
        step = watched.step(actions)
        for b, told in enumerate(log):
            ended = bool(step.terminated[b] or step.truncated[b])
            seen = step.final_obs if ended and step.final_obs is not None else step.obs
            told[-1].append(seen[b].tobytes() + step.reward[b].tobytes())
            if ended:
                told.append([])
    return [[b"".join(episode) for episode in told[:episodes]] for told in log]


class _Watched:
    """An environment whose every step is checked; it knows where in which episode each copy is."""

    def __init__(self, env: PopulationEnv, seed: int) -> None:
        self.env = env
        self.seed: int | list[int] = seed
        self.episode = np.zeros(env.num_envs, np.int64)
        self.age = np.zeros(env.num_envs, np.int64)
        self._last: tuple[Step, Step] | None = None

    def fail(self, what: str) -> NoReturn:
        raise BrokenEnvironment(f"{type(self.env).__name__} {what} (seed {self.seed})")

    def fail_at(self, what: str, copy: int, agent: int | None = None) -> NoReturn:
        names = getattr(self.env, "agent_names", None)
        name = names[agent] if names is not None and agent is not None else f"agent {agent}"
        who = f"copy {copy}" if agent is None else f"{name} (agent {agent}, copy {copy})"
        when = f"step {self.age[copy]} of episode {self.episode[copy]}"
        raise BrokenEnvironment(f"{type(self.env).__name__}: {who}, {when}, seed {self.seed}: {what}")

    def reset(self, seed: int | list[int] | None) -> Step:
        self.episode[:] = 0
        self.age[:] = 0
        self.seed = self.seed if seed is None else seed
        self._last = None
        step = self._guarded(lambda: self.env.reset(seed), "reset")
        if step.terminated.any() or step.truncated.any():
            self.fail("ends a copy in reset")
        self._check(step, None)
        return step

    def step(self, actions: NDArray[Any]) -> Step:
        given = actions.copy()
        step = self._guarded(lambda: self.env.step(actions), "step")
        if not np.array_equal(given, actions):
            self.fail("writes to the actions it is given")
        if self._last is not None:
            returned, then = self._last
            for field in FIELDS:
                if not np.array_equal(getattr(returned, field), getattr(then, field)):
                    self.fail(f"writes to the {field} that an earlier step returned; return new arrays")
        self.age += 1
        self._check(step, actions)
        ended = step.terminated | step.truncated
        self.episode += ended
        self.age[ended] = 0
        self._last = (step, copies_of.deepcopy(replace(step, metrics={})))
        return step

    def _guarded(self, call: Callable[[], Step], what: str) -> Step:
        before = _global_generators()
        try:
            step = call()
        except Exception as error:
            where = f"step {self.age[0]} of episode {self.episode[0]}"
            raise BrokenEnvironment(
                f"{type(self.env).__name__}.{what} raised {type(error).__name__} at {where} (seed {self.seed}): {error}"
            ) from error
        for name, state in _global_generators().items():
            if name in before and before[name] != state:
                self.fail(f"uses the global generator of {name} in {what}; draw from a generator of its own")
        return step

    def _check(self, step: Step, actions: NDArray[Any] | None) -> None:
        env = self.env
        lead = (env.num_envs, env.num_agents)
        observed, mean = (*lead, *env.observation_space.shape), (*lead, *env.mean_action_space.shape)
        self._array(step.terminated, "terminated", (env.num_envs,), np.bool_)
        self._array(step.truncated, "truncated", (env.num_envs,), np.bool_)
        self._array(step.reward, "reward", lead)
        self._array(step.obs, "obs", observed, space=env.observation_space)
        self._array(step.mean_action, "mean_action", mean, space=env.mean_action_space)
        ended = step.terminated | step.truncated
        if step.final_obs is not None:
            self._array(step.final_obs, "final_obs", observed, space=env.observation_space)
        elif ended.any():
            self.fail_at("the episode ended without final_obs", int(ended.argmax()))
        self._check_mean_action(step, actions, ended)
        for name, value in step.metrics.items():
            self._array(value, f"metrics[{name!r}]", lead)
        terms = [v.astype(np.float64) for name, v in step.metrics.items() if name.startswith("ledger/")]
        if terms:
            gap = np.abs(np.sum(terms, 0) - step.reward)
            wrong = gap > 1e-5 * np.maximum(np.sum(np.abs(terms), 0), 1.0)
            if wrong.any():
                b, n = (int(i) for i in np.argwhere(wrong)[0])
                self.fail_at(f"the ledger sums to {np.sum(terms, 0)[b, n]}, the reward is {step.reward[b, n]}", b, n)

    def _array(
        self,
        value: Any,
        name: str,
        shape: tuple[int, ...],
        dtype: type[np.generic] = np.float32,
        space: gym.spaces.Box | None = None,
    ) -> None:
        if not isinstance(value, np.ndarray) or value.shape != shape:
            self.fail(f"returned {name} of shape {np.shape(value)}; it must be an array of shape {shape}")
        if value.dtype != dtype:
            self.fail(f"returned {name} of dtype {value.dtype}; it must be {np.dtype(dtype)}")
        if dtype is np.bool_:
            return
        fine = np.isfinite(value)
        if space is not None:
            fine &= (value >= space.low) & (value <= space.high)
        if not fine.all():
            place = tuple(int(i) for i in np.argwhere(~fine)[0])
            range_ = "" if space is None else f" in [{space.low[place[2]]:g}, {space.high[place[2]]:g}]"
            entry = f"[{place[2]}]" if len(place) > 2 else ""
            self.fail_at(f"{name}{entry} is {value[place]}; it must be finite{range_}", place[0], place[1])

    def _check_mean_action(self, step: Step, actions: NDArray[Any] | None, ended: NDArray[np.bool_]) -> None:
        env = self.env
        expected = np.zeros_like(step.mean_action)
        if actions is not None:
            if not isinstance(env.action_space, gym.spaces.Discrete):
                return
            one_hot = np.eye(int(env.action_space.n))[actions]
            if env.neighbours is None:
                others = (one_hot.sum(1, keepdims=True) - one_hot) / (env.num_agents - 1)
            else:
                others = env.neighbours @ one_hot / np.maximum(env.neighbours.sum(1), 1)[:, None]
            expected = np.where(ended[:, None, None], 0.0, others).astype(np.float32)
        wrong = np.abs(step.mean_action - expected).max(-1) > 1e-5
        if wrong.any():
            b, n = (int(i) for i in np.argwhere(wrong)[0])
            starts = actions is None or ended[b]
            what = "zeros where an episode starts" if starts else "the mean of the neighbours' actions"
            self.fail_at(f"mean_action is {step.mean_action[b, n].tolist()}; it must be {what}", b, n)


def _compare(watched: _Watched, expected: Step, got: Step, what: str, only: int | None = None) -> None:
    """Both steps are equal, in all copies or in one."""
    for field in FIELDS:
        one, two = getattr(expected, field), getattr(got, field)
        if only is not None and one is not None and two is not None:
            one, two = one[[only]], two[[only]]
        if field == "final_obs" and (one is None or two is None):
            # what ended is compared by terminated and truncated
            continue
        if field == "final_obs":
            ended = (expected.terminated | expected.truncated)[slice(None) if only is None else [only]]
            one, two = one[ended], two[ended]
        if np.array_equal(one, two):
            continue
        place = tuple(int(i) for i in np.argwhere(one != two)[0])
        agent = place[1] if len(place) > 1 else None
        copy = place[0] if only is None else only
        watched.fail_at(f"{what} another {field}: {one[place]} and {two[place]}", copy, agent)


def _reversed(step: Step) -> Step:
    """The copies of a step in reverse order."""
    return Step(
        obs=step.obs[::-1],
        mean_action=step.mean_action[::-1],
        reward=step.reward[::-1],
        terminated=step.terminated[::-1],
        truncated=step.truncated[::-1],
        final_obs=None if step.final_obs is None else step.final_obs[::-1],
    )


def _draw(env: PopulationEnv, rng: np.random.Generator) -> NDArray[Any]:
    """Uniform actions [B, N] of a Discrete space, or [B, N, ...] inside a Box."""
    shape = (env.num_envs, env.num_agents)
    space = env.action_space
    if isinstance(space, gym.spaces.Discrete):
        return rng.integers(int(space.n), size=shape)
    if isinstance(space, gym.spaces.Box):
        return rng.uniform(space.low, space.high, (*shape, *space.shape)).astype(space.dtype)
    raise BrokenEnvironment(f"{type(env).__name__}.action_space must be Discrete or Box; got {space}")


def _random_actions(env: PopulationEnv, seed: int, steps: int) -> list[NDArray[Any]]:
    rng = np.random.default_rng([seed, 1])
    return [_draw(env, rng) for _ in range(steps)]


def _global_generators() -> Mapping[str, Any]:
    """States of the process-wide generators, comparable."""
    numpys: Any = np.random.get_state()  # noqa: NPY002
    states: dict[str, Any] = {"numpy.random": (numpys[1].tobytes(), *numpys[2:]), "random": random.getstate()}
    if "torch" in sys.modules:
        states["torch"] = sys.modules["torch"].get_rng_state().numpy().tobytes()
    return states
