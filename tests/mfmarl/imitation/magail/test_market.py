"""MAGAIL on a small market: what is played and shown, what telling apart pays, and going on bit for bit."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mfmarl.errors import UserError
from mfmarl.imitation import Demonstrations
from mfmarl.imitation.discriminator import discriminator_loss
from mfmarl.imitation.magail.market import MarketMAGAIL
from mfmarl.imitation.magail.market_demonstrations import demonstrated, path_of, read, store, types_joint
from mfmarl.imitation.magail.market_play import joint_actions, market_game, play_types
from mfmarl.imitation.rollout import episodes
from mfmarl.imitation.steps import Steps
from mfmarl.imitation.type_experts import expert_of
from mfmarl.imitation.type_game import type_game
from mfmarl.seeding import stream

NAME = "inventory/market-easy,jitter=0,num_agents=9,horizon=6"
GAME = market_game(NAME, "base_stock")
SHOWN = demonstrated(GAME, 2, seed=0)
SMALL: dict[str, Any] = {
    "copies": 2, "hidden_dims": (8,), "bc_start": 20, "critic_rounds": 1, "epochs": 2, "minibatch": 16,
    "discriminator_steps": 2,
}  # fmt: skip


def trained(rounds: int, seed: int = 0, **more: Any) -> MarketMAGAIL:
    found = MarketMAGAIL(SMALL | more, GAME, SHOWN, seed)
    found.train(rounds)
    return found


def equal(one: MarketMAGAIL, other: MarketMAGAIL) -> bool:
    pairs = [(a.arrays(), b.arrays()) for a, b in zip(one.agents.values(), other.agents.values(), strict=True)]
    same = all(a.keys() == b.keys() and all(np.array_equal(a[k], b[k]) for k in a) for a, b in pairs)
    return same and one.history == other.history


def test_all_types_of_a_game_are_there() -> None:
    assert sum(one.agents for one in GAME.types) == 9


def test_what_is_shown_is_what_demonstrating_a_type_alone_shows() -> None:
    # base stock draws nothing, so with the same seed of the episode one type's learners meet the very same game
    one = GAME.types[0]
    alone = type_game(one.name)
    env = alone.slots(one.agents, 7)
    states, _ = env.reset()
    acts = [expert_of(each, seed=1) for each in GAME.types]
    played = play_types(GAME, one.subject.make(1), acts, stream(7, "episode", 0))[0]
    expert = expert_of(alone, seed=2)
    for t in range(GAME.horizon):
        np.testing.assert_array_equal(played.states[t], states)
        actions = expert(states)
        np.testing.assert_array_equal(played.actions[t], actions)
        states, rewards, _, over, info = env.step(actions)
        np.testing.assert_array_equal(played.rewards[t], rewards)
    assert over.all()
    np.testing.assert_array_equal(played.next_states[-1], np.stack(list(info["final_obs"])))
    assert played.truncated[-1].all()
    assert not played.terminated.any()


def test_demonstrations_come_back_from_their_files_and_serve_a_type_alone(tmp_path: Path) -> None:
    store(GAME, SHOWN, tmp_path)
    again = read(GAME, tmp_path)
    for one, before, after in zip(GAME.types, SHOWN, again, strict=True):
        assert len(after) == 2 * one.agents
        np.testing.assert_array_equal(before.observations, after.observations)
        np.testing.assert_array_equal(before.actions, after.actions)
    first = GAME.types[0]
    of_one = episodes(first.name, expert_of(first), 1, seed=0)
    after = Demonstrations.from_npz(path_of(tmp_path, first.type_name))
    after.check_fits(Demonstrations.from_episodes(of_one, after.spaces).spaces, first.name)
    with pytest.raises(UserError):
        read(market_game("inventory/market-easy,jitter=0,num_agents=9,horizon=6,num_actions=5", "base_stock"), tmp_path)


def test_joint_actions_are_the_types_means() -> None:
    # two periods of one copy: a type of two agents and one of a single agent, three actions
    found = joint_actions([np.array([[0, 2], [1, 1]]), np.array([[2], [0]])], [2, 1], 3)
    np.testing.assert_array_equal(found[:, 0], np.array([[0.5, 0, 0.5, 0, 0, 1], [0, 1, 0, 1, 0, 0]]))
    shown = types_joint(GAME, SHOWN)
    assert shown.shape == (2, 6, len(GAME.types) * GAME.actions)
    np.testing.assert_allclose(shown.sum(-1), len(GAME.types))
    actions = SHOWN[1].actions.reshape(2, GAME.types[1].agents, 6)
    share = (actions == 3).mean(1)
    np.testing.assert_allclose(shown[:, :, GAME.actions + 3], share, atol=1e-7)
    with pytest.raises(UserError, match="copies"):
        joint_actions([np.zeros((2, 4), int), np.zeros((2, 1), int)], [2, 1], 3)


@pytest.mark.parametrize("sharing", ["decentralised", "centralised"])
def test_equal_data_give_a_loss_of_2_log_2(sharing: str) -> None:
    # a discriminator cannot do better on one and the same data, whatever it has learnt; its penalty on 0 slopes apart
    magail = trained(1, discriminator=sharing, gradient_penalty=0.0)
    for agent, expert in zip(magail.agents.values(), magail.experts, strict=True):
        for _ in range(300):
            agent.step(expert, expert)
        logit = agent.logit(expert)
        loss = float(discriminator_loss(logit, logit))
        assert abs(loss - 2 * math.log(2)) < 0.01


def test_a_central_discriminator_sees_what_types_do() -> None:
    magail = trained(1, discriminator="centralised")
    agent, expert = next(iter(magail.agents.values())), magail.experts[0]
    assert expert.joint is not None
    other = Steps(**(expert.tensors() | {"joint": expert.joint.flip(0) + 1}))
    assert not torch.equal(agent.logit(expert), agent.logit(other))
    with pytest.raises(ValueError, match="joint"):
        agent.logit(Steps.of(SHOWN[0].transitions))


@pytest.mark.parametrize("sharing", ["decentralised", "centralised"])
def test_training_repeats_and_goes_on_bit_for_bit(tmp_path: Path, sharing: str) -> None:
    whole = MarketMAGAIL(SMALL | {"discriminator": sharing}, GAME, SHOWN, 3)
    whole.train(3, lambda row: whole.save(tmp_path) if row["round"] == 2 else None)
    again = MarketMAGAIL.load(tmp_path, GAME, SHOWN)
    assert len(again.history) == 2
    again.train(3)
    assert equal(whole, again)
    repeated = MarketMAGAIL(SMALL | {"discriminator": sharing}, GAME, SHOWN, 3)
    repeated.train(3)
    assert equal(whole, repeated)
    assert not equal(whole, trained(3, seed=4, discriminator=sharing))


def test_policies_stay_while_critics_learn() -> None:
    magail = MarketMAGAIL(SMALL | {"critic_rounds": 2}, GAME, SHOWN, 0)
    weights: list[Any] = []

    def look(row: dict[str, Any]) -> None:
        weights.append({k: p.clone() for k, p in magail.policies["discounter"].net.named_parameters()})

    magail.train(3, look)
    assert all(torch.equal(weights[0][k], weights[1][k]) for k in weights[0])
    assert not all(torch.equal(weights[1][k], weights[2][k]) for k in weights[0])


def test_who_plays_is_counted() -> None:
    magail = trained(2)
    # rounds x copies x agents x periods
    assert [row["interactions"] for row in magail.history] == [2 * 9 * 6, 2 * 2 * 9 * 6]


def test_what_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="got one type"):
        market_game(f"{NAME}:discounter")
    with pytest.raises(UserError, match="1 or more"):
        demonstrated(GAME, 0, 0)
    with pytest.raises(UserError, match="types; want"):
        MarketMAGAIL(SMALL, GAME, SHOWN[:1])
    with pytest.raises(UserError, match="reward_style"):
        MarketMAGAIL(SMALL | {"reward_style": "least_squares"}, GAME, SHOWN)
    magail = trained(1)
    magail.save(tmp_path)
    with pytest.raises(UserError, match="rounds were played"):
        magail.start_from(magail.policies)
    fewer = tuple(of.chosen(range(len(of) // 2)) for of in SHOWN)
    # fewer steps, and as many of another seed: base stock meets another demand
    for others in (fewer, demonstrated(GAME, 2, seed=9)):
        with pytest.raises(UserError, match=r"learns from demonstrations of SHA-256 [0-9a-f]{12}; got others"):
            MarketMAGAIL.load(tmp_path, GAME, others)
    with pytest.raises(UserError, match="is of"):
        MarketMAGAIL.load(tmp_path, market_game(NAME.replace("=9", "=12"), "base_stock"), SHOWN)
