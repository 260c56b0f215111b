"""Agents of a type as learners: the market's own rewards, its own ends, and places that can be gone back to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import envs
from envs.inventory.market import InventoryMarket
from envs.inventory.mean_field import mean_field
from envs.inventory.mean_field.play import _states
from envs.inventory.mean_field.profiles import random_profile
from envs.inventory.types import TYPES
from envs.population import Step, type_slices
from mfmarl.deviation import CLOCK
from mfmarl.errors import UserError
from mfmarl.imitation import DAggerAgent, Demonstrations, GAILAgent
from mfmarl.imitation.imitated import Imitated
from mfmarl.imitation.rollout import Collector, episodes, spaces_of
from mfmarl.imitation.settings import of_spaces
from mfmarl.imitation.type_env import TypeVectorEnv, copies_for
from mfmarl.imitation.type_experts import ProfileExpert, expert_of, states_of
from mfmarl.imitation.type_game import type_game
from mfmarl.imitation.type_name import is_type_game, type_name_of
from mfmarl.yardstick import EpisodeReturns

BASE = "inventory/market-easy,jitter=0,num_agents=15,horizon=6:discounter@base_stock"
"""Four discounters of fifteen agents."""


def learners(collector: Collector) -> TypeVectorEnv:
    assert isinstance(collector.envs, TypeVectorEnv)
    return collector.envs


def test_rewards_are_the_populations_own(monkeypatch: pytest.MonkeyPatch) -> None:
    collector = Collector(BASE, 8, seed=3)
    game, joint = learners(collector).game, []
    inner: Any = game.inner
    start, step = inner.get_state(), inner.step

    def seen(actions: Any) -> Step:
        joint.append(np.array(actions))
        return step(actions)  # type: ignore[no-any-return]

    monkeypatch.setattr(inner, "step", seen)
    expert = expert_of(type_game(BASE), seed=1)
    played = collector.collect(lambda states: (expert(states) + 1) % 11, 6)
    again = envs.make("inventory/market-easy", num_envs=2, num_agents=15, jitter=0, horizon=6)
    again.set_state(start)
    meter, rows = EpisodeReturns(2, 15, 1.0), None
    for actions in joint:
        rows = meter.add(again.step(actions))
    assert rows is not None
    of_type = rows["return"][:, np.asarray(again.agent_types) == 2]
    ours = played.rewards.sum(0).reshape(2, 4)
    np.testing.assert_allclose(np.sort(ours, 1), np.sort(of_type, 1), rtol=1e-6)
    # the others play base stock, the learners something else
    base = type_game(BASE).subject.player(again, 0)(again.reset(0))
    assert (joint[0][:, :11] == base[:, :11]).all()


def test_time_is_a_truncation_unless_the_game_ends() -> None:
    cut = Collector(BASE, 4, seed=0).collect(lambda states: np.zeros(len(states), np.int64), 6)
    assert cut.truncated[-1].all()
    assert not cut.terminated.any()
    assert not cut.truncated[:-1].any()
    # what followed is seen at T; the next episode begins at 0
    assert (cut.next_states[-1, :, -1] == 1).all()
    over = Collector(BASE.replace("horizon=6", "horizon=6,ending=finite"), 4, seed=0)
    ended = over.collect(lambda states: np.zeros(len(states), np.int64), 6)
    assert ended.terminated[-1].all()
    assert not ended.truncated.any()
    assert (over.states[:, -1] == 0).all()


def test_same_seed_same_episodes() -> None:
    def shown(seed: int) -> list[Any]:
        return episodes(BASE, expert_of(type_game(BASE), seed=5), 6, seed, num_envs=4)

    one, same, other = shown(1), shown(1), shown(2)
    for a, b in zip(one, same, strict=True):
        np.testing.assert_array_equal(a.observations, b.observations)
        np.testing.assert_array_equal(a.rewards, b.rewards)
    assert any((a.observations != b.observations).any() for a, b in zip(one, other, strict=True))
    # episodes of one environment differ
    assert (one[0].observations != one[4].observations).any()


def test_places_are_gone_back_to() -> None:
    rng = np.random.default_rng(0)
    one = Collector(BASE, 8, seed=4)
    one.collect(lambda states: rng.integers(11, size=len(states)), 9)
    other = Collector(BASE, 8, seed=4)
    other.go_to(one.places)
    np.testing.assert_array_equal(one.states, other.states)
    mine, theirs = (c.collect(lambda states: np.full(len(states), 3), 6).rewards for c in (one, other))
    np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize(("slots", "agents", "copies"), [(1, 4, 1), (4, 4, 1), (8, 4, 2), (6, 4, 2), (5, 4, 5)])
def test_learners_are_spread_evenly(slots: int, agents: int, copies: int) -> None:
    assert copies_for(slots, agents) == copies


MARKETS: dict[str, dict[str, Any]] = {
    "lost sales, L = 0 to 3": {"types": {name: TYPES[name] for name in ("convenience", "supermarket", "online")}},
    "backlog": {"unmet": "backlog", "types": {name: TYPES[name] for name in ("convenience", "discounter")}},
    "jitter": {"jitter": 0.2},
}


@pytest.mark.parametrize("name", MARKETS)
def test_positions_are_read_off_observations(name: str) -> None:
    options = {"horizon": 7, "jitter": 0.0} | MARKETS[name]
    env = envs.make("inventory/market-easy", num_envs=2, num_agents=20, seed=1, **options)
    assert isinstance(env, InventoryMarket)
    game = mean_field(env.config.model_copy(update={"jitter": 0.0}))
    experts = [ProfileExpert(game, random_profile(game), k, env.mean_demand) for k in range(len(game.types))]
    rng, step = np.random.default_rng(2), env.reset(3)
    taken: dict[int, Any] = {}
    for t in range(7):
        for k, part in enumerate(type_slices(env.agent_types)):
            obs = step.obs[:, part].reshape(-1, step.obs.shape[-1])
            ours = experts[k].places(obs)
            theirs = _states(game.types[k], part, env, taken)
            for mine, other in zip(ours, theirs, strict=True):
                # with jitter, orders on their way are told by their units alone
                np.testing.assert_array_equal(mine, other.ravel())
        taken[t] = rng.integers(11, size=(2, 20))
        # two levels of a small store order the same units: the first of them is read
        same = env.order_levels[np.arange(20), taken[t]][..., None] == env.order_levels
        taken[t] = same.argmax(-1)
        step = env.step(taken[t])


def test_an_imitator_that_is_the_expert_plays_the_profile() -> None:
    game = type_game(BASE)
    imitated = Imitated(game, expert_of(game).law)
    plain, ours = game.subject.make(3), imitated.subject.make(3)
    play, own = game.subject.player(plain, 0), imitated.subject.player(ours, 0)
    step, seen = plain.reset(5), ours.reset(5)
    for _ in range(13):
        actions, mine = play(step), own(seen)
        np.testing.assert_array_equal(actions, mine)
        step, seen = plain.step(actions), ours.step(mine)


def test_states_have_their_parts() -> None:
    game = type_game(BASE)
    spaces = spaces_of(BASE)
    D, M = game.one.observation_space.shape[0], 11
    assert (spaces.state_dim, spaces.action_dim) == (D + M + CLOCK, 11)
    rows = states_of(np.ones((2, D), np.float32), np.zeros(M, np.float32), 3, 6)
    assert rows.shape == (2, spaces.state_dim)
    assert rows[0, -1] == 0.5


SMALL = {"hidden_dims": (8,), "num_envs": 4, "rollout": 6}


def test_dagger_takes_it_as_any_environment() -> None:
    config = of_spaces(spaces_of(BASE)) | SMALL | {"updates": 20}
    agent = DAggerAgent(config, BASE, expert_of(type_game(BASE)), seed=0)
    found = agent.train(48)
    assert (found.counts.interactions, found.counts.queries) == (48, 48)


def test_adversarial_learning_goes_on_bit_for_bit(tmp_path: Path) -> None:
    spaces = spaces_of(BASE)
    shown = Demonstrations.from_episodes(episodes(BASE, expert_of(type_game(BASE)), 4, 0, 4), spaces, BASE)
    config = of_spaces(spaces) | SMALL | {"rollout": 9, "ppo": {"epochs": 1}}
    whole = GAILAgent(config, BASE, shown, seed=0)
    whole.train(72, lambda row: whole.save(tmp_path) if row["round"] == 1 else None)
    parts = GAILAgent.load(tmp_path, BASE, shown)
    parts.train(72)
    for mine, other in zip(whole.policy.parameters(), parts.policy.parameters(), strict=True):
        assert (mine == other).all()


def test_names() -> None:
    told = type_name_of("inventory/market-easy,jitter=0,num_agents=30:discounter@base_stock")
    assert (told.game, told.type_name, told.profile) == ("inventory/market-easy", "discounter", "base_stock")
    assert told.options == {"jitter": 0, "num_agents": 30}
    assert is_type_game("inventory/market-easy:discounter")
    assert not is_type_game("CartPole-v1")
    assert not is_type_game("my_module:CartPole-v1")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("inventory/market-easy:", r"want GAME\[,option=value...\]:TYPE\[@PROFILE\]"),
        ("inventory/market-easy,jitter:discounter", "got 'jitter'; want option=value"),
        ("inventory/market-easy,horizon=6:discount@base_stock", "no type 'discount'; .*did you mean|there are conv"),
        ("inventory/market-eazy:discounter", "did you mean 'inventory/market-easy'"),
        ("inventory/market-easy,horizon=6:discounter@base_stok", "did you mean 'base_stock'"),
        ("inventory/market-easy,horizom=6:discounter", "horizom"),
    ],
)
def test_wrong_names_say_what_is_wrong(name: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        type_game(name)


def test_a_policy_that_sees_more_is_no_expert() -> None:
    with pytest.raises(UserError, match="smoothing"):
        expert_of(type_game(BASE), "smoothing")


def test_the_network_is_such_a_game_too() -> None:
    name = "inventory/network-30,horizon=5:echelon_4@base_stock"
    played = Collector(name, 3, seed=0).collect(lambda states: np.ones(len(states), np.int64), 5)
    assert played.truncated[-1].all()
    assert np.isfinite(played.rewards).all()
    with pytest.raises(UserError, match="experts of inventory/network-30 are runs; write RUN:echelon_4"):
        expert_of(type_game(name))
