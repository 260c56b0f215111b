"""The checker: no false alarm on the games that ship, and every deliberately broken environment is caught."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from numpy.typing import NDArray

import envs
from envs.check import BrokenEnvironment, check
from envs.population import PopulationEnv, Step


class Queue:
    """A sound little game: 4 agents of 2 types; their lengths grow by chance, an action of 1 empties one's own."""

    agent_names = ("ann", "bob", "cyd", "dan")

    def __init__(self, num_envs: int = 2) -> None:
        self.num_envs, self.num_agents = num_envs, 4
        self.agent_types = np.array([0, 0, 1, 1])
        self.type_names: Sequence[str] = ("calm", "busy")
        self.observation_space = gym.spaces.Box(0.0, 50.0, (2,), np.float32)
        self.action_space: gym.spaces.Space[Any] = gym.spaces.Discrete(2)
        self.mean_action_space = gym.spaces.Box(0.0, 1.0, (2,), np.float32)
        self.neighbours: NDArray[np.bool_] | None = None
        self.seeds = [0] * num_envs
        self.episode, self.t = 0, 0
        self.length = np.zeros((num_envs, 4), np.float32)

    def arrivals(self) -> NDArray[np.float32]:
        draws = [np.random.default_rng([s, self.episode, self.t]).integers(4, size=4) for s in self.seeds]
        return np.stack(draws).astype(np.float32)

    def observe(self) -> NDArray[np.float32]:
        return np.stack([self.length, np.full_like(self.length, self.t)], -1)

    def reset(self, seed: int | Sequence[int] | None = None) -> Step:
        if seed is None:
            self.episode += 1
        else:
            self.episode = 0
            paths = [[seed, b] for b in range(self.num_envs)] if isinstance(seed, int) else [[s] for s in seed]
            self.seeds = [int(np.random.SeedSequence(p).generate_state(1)[0]) for p in paths]
        self.start()
        nothing = np.zeros(self.num_envs, np.bool_)
        shape = (self.num_envs, 4)
        return Step(self.observe(), np.zeros((*shape, 2), np.float32), np.zeros(shape, np.float32), nothing, nothing)

    def start(self) -> None:
        self.t = 0
        self.length = np.zeros((self.num_envs, 4), np.float32)

    def step(self, actions: NDArray[Any]) -> Step:
        one_hot = np.eye(2, dtype=np.float32)[actions]
        mean = (one_hot.sum(1, keepdims=True) - one_hot) / np.float32(3)
        self.length = self.length * (actions == 0) + self.arrivals()
        self.t += 1
        work = -self.length * np.float32(0.5)
        effort = -actions.astype(np.float32)
        over = self.t == 6
        final = None
        if over:
            final = self.observe()
            self.episode += 1
            self.start()
            mean = np.zeros_like(mean)
        return Step(
            obs=self.observe(),
            mean_action=mean,
            reward=work + effort,
            terminated=np.zeros(self.num_envs, np.bool_),
            truncated=np.full(self.num_envs, over),
            final_obs=final,
            metrics={"ledger/work": work, "ledger/effort": effort},
        )

    def get_state(self) -> dict[str, Any]:
        return {"seeds": np.array(self.seeds), "episode": self.episode, "t": self.t, "length": self.length.copy()}

    def set_state(self, state: Mapping[str, Any]) -> None:
        self.seeds = [int(s) for s in state["seeds"]]
        self.episode, self.t = int(state["episode"]), int(state["t"])
        self.length = np.array(state["length"])


Game = Callable[[], PopulationEnv]


def test_a_sound_game_passes() -> None:
    check(Queue)
    check(lambda: Queue(1), episodes=1)


@pytest.mark.parametrize("name", envs.names())
def test_games_that_ship_pass(name: str) -> None:
    agents = 8 if "market" in name and "orange" not in name else None
    check(lambda: envs.make(name, num_envs=2, num_agents=agents, seed=0, horizon=13))


@pytest.mark.parametrize(
    "options",
    [
        {"ending": "finite", "unmet": "backlog"},
        {"action_mode": "order_up_to", "action_grid": (0, 10, 30)},
        # demand without chance: equal copies are no fault
        {"name": "inventory/market-orange-juice", "split": "test", "horizon": 12},
    ],
)
def test_kinds_of_play_pass(options: dict[str, Any]) -> None:
    given: dict[str, Any] = {"name": "inventory/market-easy", "num_envs": 3, "horizon": 9} | options
    if "orange" not in given["name"]:
        given["num_agents"] = 5
    check(lambda: envs.make(**given), episodes=2)


class GlobalNumpy(Queue):
    def arrivals(self) -> NDArray[np.float32]:
        return np.random.randint(4, size=(self.num_envs, 4)).astype(np.float32)  # noqa: NPY002


class GlobalRandom(Queue):
    def start(self) -> None:
        random.seed(0)
        super().start()


class OwnClock(Queue):
    """Draws from a generator that a seed does not reset."""

    rng = np.random.default_rng(0)

    def arrivals(self) -> NDArray[np.float32]:
        return self.rng.integers(4, size=(self.num_envs, 4)).astype(np.float32)


class NanAtStepTwo(Queue):
    def step(self, actions: NDArray[Any]) -> Step:
        step = super().step(actions)
        if self.t == 2:
            step.reward[1, 2] = np.nan
        return step


class OutOfSpaceLater(Queue):
    """Only in the second episode does the third agent see more than its space allows."""

    def step(self, actions: NDArray[Any]) -> Step:
        step = super().step(actions)
        if self.episode == 1:
            step.obs[0, 3, 0] = 51
        return step


class MissingAgent(Queue):
    def step(self, actions: NDArray[Any]) -> Step:
        step = super().step(actions)
        return replace(step, reward=step.reward[:, :-1])


class WrongDtype(Queue):
    def observe(self) -> NDArray[np.float32]:
        return super().observe().astype(np.float64)


class CopiesAlike(Queue):
    def arrivals(self) -> NDArray[np.float32]:
        return np.repeat(super().arrivals()[:1], self.num_envs, 0)


class EpisodesAlike(Queue):
    def arrivals(self) -> NDArray[np.float32]:
        self.episode, kept = 0, self.episode
        drawn = super().arrivals()
        self.episode = kept
        return drawn


class HalfAState(Queue):
    def set_state(self, state: Mapping[str, Any]) -> None:
        length = self.length
        super().set_state(state)
        self.length = length


class LiveState(Queue):
    """Its state is its own array, and it goes on writing to it."""

    def step(self, actions: NDArray[Any]) -> Step:
        before, step = self.length, super().step(actions)
        before[...] = self.length
        self.length = before
        return step

    def get_state(self) -> dict[str, Any]:
        return super().get_state() | {"length": self.length}


class Overwrites(Queue):
    """One observation buffer for all steps."""

    def __init__(self, num_envs: int = 2) -> None:
        super().__init__(num_envs)
        self.buffer = np.zeros((num_envs, 4, 2), np.float32)

    def observe(self) -> NDArray[np.float32]:
        self.buffer[...] = super().observe()
        return self.buffer


class Leaks(Queue):
    """What copy 1 plays is felt in copy 0."""

    def step(self, actions: NDArray[Any]) -> Step:
        step = super().step(actions)
        extra = np.float32(actions[1:].sum())
        work = step.metrics["ledger/work"] - extra
        return replace(step, reward=step.reward - extra, metrics={**step.metrics, "ledger/work": work})


class NoFinal(Queue):
    def step(self, actions: NDArray[Any]) -> Step:
        return replace(super().step(actions), final_obs=None)


class WrongLedger(Queue):
    def step(self, actions: NDArray[Any]) -> Step:
        step = super().step(actions)
        return replace(step, metrics={"ledger/work": step.metrics["ledger/work"]})


class CountsItself(Queue):
    def step(self, actions: NDArray[Any]) -> Step:
        step = super().step(actions)
        one_hot = np.eye(2, dtype=np.float32)[actions]
        mean = np.repeat(one_hot.mean(1, keepdims=True), 4, 1)
        return replace(step, mean_action=mean if step.final_obs is None else step.mean_action)


class StaleMean(Queue):
    """The mean action of the last step of an episode is seen at the start of the next one."""

    def step(self, actions: NDArray[Any]) -> Step:
        step = super().step(actions)
        one_hot = np.eye(2, dtype=np.float32)[actions]
        return replace(step, mean_action=(one_hot.sum(1, keepdims=True) - one_hot) / np.float32(3))


class Raises(Queue):
    def step(self, actions: NDArray[Any]) -> Step:
        if self.t == 4:
            raise IndexError("list index out of range")
        return super().step(actions)


class WritesActions(Queue):
    def step(self, actions: NDArray[Any]) -> Step:
        step = super().step(actions)
        actions[0, 0] = 1 - actions[0, 0]
        return step


class SeedsByOrder(Queue):
    """A list of seeds is read as one seed."""

    def reset(self, seed: int | Sequence[int] | None = None) -> Step:
        return super().reset(seed if seed is None or isinstance(seed, int) else int(np.sum(seed)))


class Unsorted(Queue):
    def __init__(self) -> None:
        super().__init__()
        self.agent_types = np.array([0, 1, 0, 1])


class OwnNeighbour(Queue):
    def __init__(self) -> None:
        super().__init__()
        self.neighbours = np.eye(4, dtype=np.bool_)


class Unbounded(Queue):
    def __init__(self) -> None:
        super().__init__()
        self.observation_space = gym.spaces.Box(0.0, np.inf, (2,), np.float32)


class Narrow(Queue):
    def __init__(self) -> None:
        super().__init__()
        self.mean_action_space = gym.spaces.Box(0.0, 1.0, (3,), np.float32)


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (GlobalNumpy, r"GlobalNumpy uses the global generator of numpy\.random in step"),
        (GlobalRandom, "GlobalRandom uses the global generator of random in reset"),
        (OwnClock, r"\(agent \d, copy \d\), step 1 of episode 0, seed 0: the same seed gave another obs"),
        (NanAtStepTwo, r"cyd \(agent 2, copy 1\), step 2 of episode 0, seed 1: reward is nan; it must be finite"),
        (OutOfSpaceLater, r"dan \(agent 3, copy 0\), step \d of episode \d, seed 0: obs\[0\] is 51.0; .* in \[0, 50\]"),
        (MissingAgent, r"returned reward of shape \(2, 3\); it must be an array of shape \(2, 4\)"),
        (WrongDtype, "returned obs of dtype float64; it must be float32"),
        (CopiesAlike, "has copies 0 and 1 that play the same random numbers"),
        (EpisodesAlike, "plays the same random numbers in episode 2 as in episode 1"),
        (HalfAState, "a state put back gave another obs"),
        (LiveState, "writes to 'length' of a state"),
        (Overwrites, "writes to the obs that an earlier step returned"),
        (Leaks, "copy 0.*other actions in the other copies gave another reward"),
        (NoFinal, "copy 0, step 6 of episode 0, seed .: the episode ended without final_obs"),
        (WrongLedger, r"\(agent \d, copy \d\), step 1 .*the ledger sums to .*, the reward is"),
        (CountsItself, r"mean_action is \[.*\]; it must be the mean of the neighbours' actions"),
        (StaleMean, "it must be zeros where an episode starts"),
        (Raises, "Raises.step raised IndexError at step 4 of episode 0 .*: list index out of range"),
        (WritesActions, "writes to the actions it is given"),
        (SeedsByOrder, "a seed in another place of the list gave another obs"),
        (Unsorted, "agent_types must be sorted"),
        (OwnNeighbour, "agent 0 is its own neighbour"),
        (Unbounded, "observation_space must have finite bounds"),
        (Narrow, r"mean_action_space has shape \(3,\), must be \(2,\)"),
    ],
)
def test_broken_environments_are_caught(broken: Game, message: str) -> None:
    with pytest.raises(BrokenEnvironment, match=message):
        check(broken)


def test_a_missing_member_is_named() -> None:
    class NoState(Queue):
        get_state: Any = property()

    with pytest.raises(BrokenEnvironment, match="NoState has no get_state"):
        check(NoState)


def test_a_game_that_never_ends_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    class Endless(Queue):
        def step(self, actions: NDArray[Any]) -> Step:
            self.t = min(self.t, 4)
            return super().step(actions)

    monkeypatch.setattr("envs.check.MAX_STEPS", 50)
    with pytest.raises(BrokenEnvironment, match="did not end 3 episodes in 50 steps"):
        check(Endless)


def test_no_episodes_are_refused() -> None:
    with pytest.raises(ValueError, match="episodes is 0"):
        check(Queue, episodes=0)
