import copy
import math

import numpy as np
import pytest
import torch

from mfmarl.algorithms.drift import Stored
from mfmarl.algorithms.mfq import MFQ, Target
from mfmarl.config import config_from
from mfmarl.core.importance_config import ImportanceConfig
from mfmarl.core.td_gradient import TDSteps
from mfmarl.network import PolicyNetwork
from mfmarl.trainer import LocalTrainer
from tests.games import MatchingGame, make_pair
from tests.mfmarl.gradients import randomise


def run(method: str, seed: int = 0, episodes: int = 200, crowding: float = 0.0, **mfq: object):
    rollout, learner = make_pair(MatchingGame(num_envs=8, crowding=crowding), method, seed, episodes, **mfq)
    metrics: dict[str, float] = {}
    while learner.episodes < episodes:
        metrics = learner.learn([rollout.collect(5)])
    return rollout, learner, metrics


def weights(learner, sample):
    observed = learner.observed(sample)
    law = learner.policy_law(sample.obs, observed)
    return learner.drift.weights(law, Stored.here(sample, observed), learner.policy)


@pytest.mark.parametrize("method", ["mf", "is"])
@pytest.mark.parametrize("conditioning", ["observed", "played"])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_solves_the_matching_game(method: str, conditioning: str, seed: int):
    rollout, _, _ = run(method, seed, conditioning=conditioning)
    assert rollout.collect(20).reward.mean() > 0.97


def test_the_same_seed_gives_the_same_weights_and_another_does_not():
    _, first, _ = run("is", 4, 64)
    _, second, _ = run("is", 4, 64)
    _, other, _ = run("is", 5, 64)
    for a, b, c in zip(first.parameters, second.parameters, other.parameters, strict=True):
        assert torch.equal(a, b)
        assert not torch.equal(a, c) or a.numel() < 8


def test_without_drift_is_and_mf_update_bit_for_bit_alike():
    rollout, mf = make_pair(MatchingGame(num_envs=8), "mf")
    _, corrected = make_pair(MatchingGame(num_envs=8), "is")
    batch = rollout.collect(12)
    for learner in (mf, corrected):
        learner.replay.add([batch])
    sample = corrected.replay.sample(64, np.random.default_rng(0))
    weight, told = weights(corrected, sample)
    # the policy that is asked is the one that played
    assert bool((weight == 1.0).all())
    assert told == {"weight_mean": 1.0, "weight_max": 1.0, "ess": pytest.approx(1.0, abs=1e-6), "temper": 1.0}
    for learner in (mf, corrected):
        learner._gradient_steps(8, [batch])
    for a, b in zip(mf.parameters, corrected.parameters, strict=True):
        assert torch.equal(a, b)


def test_without_drift_weights_are_exactly_one_on_the_market_too():
    import envs
    from envs.population import type_slices
    from mfmarl.algorithms.learner import Setting
    from mfmarl.algorithms.mfq_config import MFQConfig
    from mfmarl.network import NetworkShape, PolicyNetwork, types_of
    from mfmarl.rollout import Rollout

    env = envs.make("inventory/market-easy", num_envs=16, seed=1)
    width, actions = env.observation_space.shape[0], env.action_space.n
    shape = NetworkShape(types_of(type_slices(env.agent_types)), width, actions, (64, 64))
    networks = [PolicyNetwork(shape, 0) for _ in range(4)]
    learners = [
        MFQ(a, b, Setting(m, ImportanceConfig(), num_episodes=100, seed=0), MFQConfig())
        for m, a, b in (("is", *networks[:2]), ("mf", *networks[2:]))
    ]
    batch = Rollout(env, learners[0].policy, discount=0.99, env_seed=0, action_seed=0).collect(13)
    for learner in learners:
        learner.replay.add([batch])
        learner._gradient_steps(26, [batch])
    for a, b in zip(learners[0].parameters, learners[1].parameters, strict=True):
        assert torch.equal(a, b)


def test_drift_moves_the_weights():
    rollout, learner = make_pair(MatchingGame(num_envs=8), "is")
    learner.replay.add([rollout.collect(12)])
    with torch.no_grad():
        learner.policy.mlp.biases[-1][0, 0] += 0.3
        learner.policy.version += 1
    sample = learner.replay.sample(64, np.random.default_rng(0))
    weight, told = weights(learner, sample)
    assert float(weight.std()) > 0.01
    assert told["ess"] < 0.999


def test_targets_are_the_written_formula():
    rollout, learner = make_pair(MatchingGame(num_envs=4), conditioning="played", double_q=False)
    learner.replay.add([rollout.collect(12)])
    sample = learner.replay.sample(16, np.random.default_rng(0))
    played, following = learner.mean_field.of(sample.action), learner.mean_field.of(sample.next_action)
    with torch.no_grad():
        probs = torch.softmax(learner.policy(sample.next_obs, played) / learner.policy.temperature, -1)
        value = (probs * learner.policy(sample.next_obs, following)).sum(-1)
    want = sample.reward + 0.5 * value
    torch.testing.assert_close(learner.targets(sample, learner.observed(sample), played).value, want)


@pytest.mark.parametrize("conditioning", ["observed", "played"])
def test_the_loss_of_a_sample_is_the_written_formula(conditioning: str):
    rollout, learner = make_pair(MatchingGame(num_envs=4), hidden=(5,), conditioning=conditioning)
    learner.replay.add([rollout.collect(12)])
    sample = learner.replay.sample(6, np.random.default_rng(0))
    played, observed = learner.mean_field.of(sample.action), learner.observed(sample)
    generator = torch.Generator().manual_seed(0)
    target = torch.randn(sample.reward.shape, generator=generator)
    weight = torch.rand(sample.reward.shape, generator=generator)
    value, _ = learner.loss(learner.rows(sample, observed, played, Target(target, weight, {})))
    with torch.no_grad():
        q = learner.network(sample.obs, observed if conditioning == "observed" else played)
    error = q.gather(-1, sample.action.long().unsqueeze(-1)).squeeze(-1) - target
    huber = torch.where(error.abs() < 1, 0.5 * error.square(), error.abs() - 0.5)
    assert float(value.detach()) == pytest.approx(float((weight * huber).mean()), rel=1e-5)


def test_state_goes_on_bit_for_bit():
    rollout, learner, _ = run("is", 0, 64)
    tensors, state = learner.get_state()
    tensors = {f: {k: v.copy() for k, v in t.items()} for f, t in tensors.items()}
    batches = [rollout.collect(5) for _ in range(3)]
    _, other = make_pair(MatchingGame(num_envs=8), "is", 9, 64)
    other.set_state(tensors, state)
    for batch in batches:
        assert learner.learn([batch]) == other.learn([batch])
    for a, b in zip(learner.parameters, other.parameters, strict=True):
        assert torch.equal(a, b)


def test_learning_keeps_pace_with_playing_whatever_the_fragments_length():
    counts = []
    for steps in (5, 10):
        rollout, learner = make_pair(MatchingGame(num_envs=8), gradient_steps_per_step=0.3)
        for _ in range(200 // steps):
            learner.learn([rollout.collect(steps)])
        counts.append(learner.gradient_steps)
    assert abs(counts[0] - counts[1]) <= 3
    assert counts[1] == pytest.approx(0.3 * 200, abs=3)


def test_policies_start_random_and_cool():
    rollout, learner = make_pair(MatchingGame(num_envs=8), num_episodes=64)
    assert rollout.collect(1).entropy == pytest.approx(math.log(3), rel=0.01)
    for _ in range(64):
        learner.learn([rollout.collect(5)])
    assert float(learner.policy.temperature) == pytest.approx(learner.config.temperature_end)


@pytest.mark.parametrize("method", ["fresh", "is+fresh", "mfp", "mfap", "independent"])
@pytest.mark.parametrize("seed", [0, 1])
def test_every_method_solves_the_matching_game(method: str, seed: int):
    rollout, _, _ = run(method, seed)
    assert rollout.collect(20).reward.mean() > 0.97


@pytest.mark.parametrize("draws", [0, 64])
@pytest.mark.parametrize("conditioning", ["observed", "played"])
def test_fresh_targets_are_given_the_expected_mean_action(conditioning: str, draws: int):
    rollout, learner = make_pair(MatchingGame(num_envs=4), "fresh", conditioning=conditioning)
    learner.drift.config = ImportanceConfig(fresh_samples=draws)
    learner.replay.add([rollout.collect(12)])
    with torch.no_grad():
        learner.policy.mlp.weights[-1].mul_(300.0)
    sample = learner.replay.sample(16, np.random.default_rng(0))
    observed, played = learner.observed(sample), learner.mean_field.of(sample.action)
    target = learner.targets(sample, observed, played).value
    with torch.no_grad():
        if conditioning == "observed":
            seen = given = learner.mean_field.expected(torch.softmax(learner.policy(sample.obs, observed), -1))
        else:
            seen = played
            given = learner.mean_field.expected(torch.softmax(learner.policy(sample.next_obs, played), -1))
        probs = torch.softmax(learner.policy(sample.next_obs, seen), -1)
        value = (probs * learner.policy(sample.next_obs, given)).sum(-1)
    want = sample.reward + 0.5 * value
    if draws == 0:
        torch.testing.assert_close(target, want)
    else:
        # many sampled joint actions come near to the expected one, and are not it
        assert 0 < float((target - want).abs().mean()) < 0.1 * float((want - sample.reward).abs().mean())


@pytest.mark.parametrize("conditioning", ["observed", "played"])
def test_a_bootstrap_weight_multiplies_the_next_value_only(conditioning: str):
    rollout, learner = make_pair(MatchingGame(num_envs=4), "is", conditioning=conditioning)
    learner.drift.config = ImportanceConfig(acts_on="bootstrap")
    learner.replay.add([rollout.collect(12)])
    with torch.no_grad():
        learner.policy.mlp.biases[-1][0, 0] += 0.3
        learner.policy.version += 1
    sample = learner.replay.sample(32, np.random.default_rng(0))
    observed, played = learner.observed(sample), learner.mean_field.of(sample.action)
    told = learner.targets(sample, observed, played)
    assert bool((told.weight == 1.0).all())
    plain = MFQ.targets(_as_method(learner, corrected=False), sample, observed, played)
    if conditioning == "observed":
        weight, _ = weights(learner, sample)
    else:
        law = learner.policy_law(sample.next_obs, played)
        weight, _ = learner.drift.weights(law, Stored.following(sample, played), learner.policy)
        assert bool(torch.allclose(weight[sample.ended], weight[sample.ended][:1]))
    want = sample.reward + weight * (plain.value - sample.reward)
    torch.testing.assert_close(told.value, want)
    assert float((told.value - plain.value).abs().max()) > 1e-3


def test_where_two_weights_act_both_are_told():
    config = ImportanceConfig(acts_on="both", ess_floor=0.5)
    rollout, learner = make_pair(MatchingGame(num_envs=8), "is", conditioning="played", importance=config)
    while learner.episodes < 48:
        told = learner.learn([rollout.collect(5)])
    for name in ("weight_mean", "weight_max", "ess", "k_hat", "temper"):
        assert math.isfinite(told[name])
        assert math.isfinite(told[f"{name}/bootstrap"])
    assert told["weight_mean"] != told["weight_mean/bootstrap"]


def _as_method(learner: MFQ, *, corrected: bool) -> MFQ:
    learner.corrected = corrected
    try:
        return copy.copy(learner)
    finally:
        learner.corrected = not corrected


def test_predictors_learn_the_mean_action_that_is_played():
    rollout, learner, _ = run("mfap", 0, 200)
    batch = rollout.collect(20)
    learner.replay.add([batch])
    sample = learner.replay.sample(200, np.random.default_rng(0))
    observed, played = learner.observed(sample), learner.mean_field.of(sample.action)
    predicted = learner.policy.acted_on(sample.obs, observed)
    # targets are drawn anew each step, so nothing tells more than the mean: one third each
    assert float((predicted - 1 / 3).abs().mean()) < 0.1
    assert float((played - predicted).square().sum(-1).mean()) < 1.1 * float((played - 1 / 3).square().sum(-1).mean())


def test_agents_that_learn_from_the_mean_reward_share_one_reward():
    rollout, learner = make_pair(MatchingGame(num_envs=4))
    learner.mean_reward = True
    learner.replay.add([rollout.collect(12)])
    sample = learner.replay.sample(16, np.random.default_rng(0))
    own = learner.targets(sample, learner.observed(sample), learner.mean_field.of(sample.action)).value
    learner.mean_reward = False
    alone = learner.targets(sample, learner.observed(sample), learner.mean_field.of(sample.action)).value
    torch.testing.assert_close(own - alone, sample.reward.mean(1, keepdim=True) - sample.reward)


def test_the_mean_reward_weighs_a_dollar_of_every_type_alike():
    rollout, learner = make_pair(MatchingGame(num_envs=4))
    learner.mean_reward = True
    batch = rollout.collect(12)
    batch.reward[..., learner.types[1]] *= 100
    learner.replay.add([batch])
    learner._fix_reward_scale()
    assert float(learner.reward_scale.max()) == float(learner.reward_scale.min()) > 1
    reward = torch.from_numpy(batch.reward).flatten(0, 1)
    told = learner.scaled(reward)
    torch.testing.assert_close(told[:, 0] * learner.reward_scale[0], reward.mean(1))
    assert torch.equal(told[:, 0], told[:, -1])


@pytest.mark.parametrize("conditioning", ["observed", "played"])
def test_double_q_takes_preferences_from_the_online_networks_and_values_from_the_averaged(conditioning: str):
    rollout, learner = make_pair(MatchingGame(num_envs=4), double_q=True, conditioning=conditioning)
    learner.replay.add([rollout.collect(12)])
    randomise([*learner.network.parameters(), *learner.policy.parameters()])
    sample = learner.replay.sample(16, np.random.default_rng(0))
    observed, played = learner.observed(sample), learner.mean_field.of(sample.action)
    given = played if conditioning == "observed" else learner.mean_field.of(sample.next_action)

    def value(chooses: PolicyNetwork) -> torch.Tensor:
        probs = torch.softmax(chooses.q_values(sample.next_obs, played) / learner.policy.temperature, -1)
        return (probs * learner.policy.q_values(sample.next_obs, given)).sum(-1)

    alive = (~sample.terminated).float().unsqueeze(1)
    want = sample.reward + learner.config.discount * alive * value(learner.network)
    torch.testing.assert_close(learner.targets(sample, observed, played).value, want)
    assert float((value(learner.network) - value(learner.policy)).abs().max()) > 0.05


def test_waits_until_a_step_has_both_its_neighbours():
    # a fragment of one step fills the warm-up, and holds nothing to learn from yet
    rollout, learner = make_pair(MatchingGame(num_envs=40))
    steps = []
    for _ in range(4):
        learner.learn([rollout.collect(1)])
        steps.append(learner.gradient_steps)
    assert steps[:2] == [0, 0] < steps[2:]


def test_epsilon_falls_with_the_temperature():
    rollout, learner = make_pair(MatchingGame(num_envs=8), epsilon_start=0.5, epsilon_end=0.1, num_episodes=80)
    seen = [learner.learn([rollout.collect(5)])["epsilon"] for _ in range(10)]
    assert float(learner.policy.epsilon) == pytest.approx(0.1)
    # 8 of 80 episodes an iteration; the schedule ends at 70 %
    assert seen[:3] == pytest.approx([0.5 - 0.4 * share / 0.7 for share in (0.1, 0.2, 0.3)])


ESTIMATORS = ("joint", "marginal", "gaussian", "gaussian_one_hot", "mixture")


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_every_estimator_corrects_and_goes_on_bit_for_bit(estimator: str):
    def made(seed: int):
        return make_pair(MatchingGame(num_envs=8), "is", seed, 64, importance=ImportanceConfig(estimator=estimator))

    rollout, learner = made(0)
    lines = []
    while learner.episodes < 48:
        told = learner.learn([rollout.collect(5)])
        lines.append(told)
    assert 0 < told["ess"] < 1
    assert {"weight_mean", "weight_max", "drift_tv"} <= told.keys()
    # an iteration whose largest weights are ties has no tail
    assert any("k_hat" in line for line in lines)
    tensors, state = learner.get_state()
    tensors = {f: {k: v.copy() for k, v in t.items()} for f, t in tensors.items()}
    _, other = made(9)
    other.set_state(tensors, state)
    for batch in [rollout.collect(5) for _ in range(2)]:
        assert learner.learn([batch]) == other.learn([batch])
    assert torch.equal(learner.flat, other.flat)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_without_drift_every_estimator_weighs_one(estimator: str):
    rollout, learner = make_pair(MatchingGame(num_envs=8), "is", importance=ImportanceConfig(estimator=estimator))
    learner.replay.add([rollout.collect(12)])
    learner.drift.remember(learner.policy, learner.replay)
    weight, _ = weights(learner, learner.replay.sample(64, np.random.default_rng(0)))
    assert bool((weight == 1.0).all())


def test_a_mixture_remembers_the_policies_whose_steps_are_kept():
    config = ImportanceConfig(estimator="mixture")
    rollout, learner = make_pair(MatchingGame(num_envs=8), "is", importance=config, replay_population_steps=160)
    for _ in range(12):
        learner.learn([rollout.collect(5)])
    ring = learner.replay.rings[0]
    stored = set(ring.version[: ring.size].tolist())
    # those that runners may be playing with are kept too
    assert set(learner.drift._past) >= stored
    assert min(learner.drift._past) == min(stored)
    assert sum(learner.drift._shares.values()) == pytest.approx(1.0)


@pytest.mark.parametrize("algorithm", ["mfq", "mfac"])
def test_a_mixture_knows_every_policy_of_a_run_with_stale_runners(algorithm: str):
    settings = {
        "num_agents": 9, "num_envs": 8, "num_episodes": 40, "fragment_length": 8, "seed": 0, "method": "is",
        "algorithm": algorithm, "importance": {"estimator": "mixture"},
        algorithm: {"hidden": [8], "warmup_population_steps": 100, "replay_population_steps": 400},
    }  # fmt: skip
    trainer = LocalTrainer(config_from(settings))
    told = [trainer.iterate() for _ in range(14)]
    assert set(trainer.learner.drift._shares) == set(trainer.learner.replay.version_shares())
    assert all(0 < line["ess"] <= 1 for line in told if "ess" in line)
    assert any(line["ess"] < 1 for line in told if "ess" in line)


@pytest.mark.parametrize("huber", [True, False])
def test_the_compiled_gradient_is_that_of_the_loss(huber: bool):
    rollout, learner = make_pair(MatchingGame(num_envs=8, num_agents=7), huber=huber)
    learner.replay.add([rollout.collect(12)])
    sample = learner.replay.sample(300, np.random.default_rng(0))
    observed, played = learner.observed(sample), learner.mean_field.of(sample.action)
    generator = torch.Generator().manual_seed(0)
    # errors on both sides of Huber's threshold, weights from 0 to 3
    target = 2 * torch.randn(sample.reward.shape, generator=generator)
    weight = 3 * torch.rand(sample.reward.shape, generator=generator)
    rows = learner.rows(sample, observed, played, Target(target, weight, {}))
    loss, error = learner.loss(rows)
    want = torch.autograd.grad(loss, learner.parameters)
    assert learner._compiled is not None
    learner.gradient.zero_()
    got, errors = learner._compiled(TDSteps(sample.obs, observed, sample.action, target, weight))
    assert got == pytest.approx(float(loss.detach()), rel=1e-5)
    torch.testing.assert_close(torch.cat([errors[:, agents].flatten() for agents in learner.types]), error)
    for a, b in zip(learner.slopes, want, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-7)
    assert float(learner.gradient.abs().max()) > 1e-3


@pytest.mark.parametrize("method", ["mf", "is"])
def test_ten_thousand_agents_train(method: str):
    settings = {"env": "games/congestion", "num_agents": 10_000, "num_envs": 2, "num_episodes": 8, "seed": 1}
    small = {"warmup_population_steps": 10, "batch_population_steps": 2, "replay_population_steps": 64}
    trainer = LocalTrainer(config_from(settings | {"fragment_length": 5, "method": method, "mfq": small}))
    start = trainer.learner.flat.detach().clone()
    while trainer.learner.episodes < 8:
        metrics = trainer.iterate()
    assert trainer.learner.agent_steps >= 8 * 10 * 10_000
    assert all(math.isfinite(value) for value in metrics.values())
    assert float((trainer.learner.flat.detach() - start).abs().max()) > 1e-3
    assert 0 < metrics["ess"] <= 1
