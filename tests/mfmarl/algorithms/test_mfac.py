import dataclasses
import math
from typing import get_args

import numpy as np
import pytest
import torch

from mfmarl.algorithms.drift import Stored
from mfmarl.algorithms.methods import Method
from mfmarl.algorithms.mfac import NUMBERS, Experience, Rows
from mfmarl.core.importance_config import ImportanceConfig
from tests.games import AimingGame, MatchingGame, make_actors

GAMES = {"discrete": MatchingGame, "continuous": AimingGame}


def run(game: str = "discrete", method: str = "mf", seed: int = 0, episodes: int = 400, **mfac: object):
    rollout, learner = make_actors(GAMES[game](num_envs=8), method, seed, episodes, **mfac)
    while learner.episodes < episodes:
        learner.learn([rollout.collect(5)])
    return rollout, learner


def with_steps(game: str = "discrete", method: str = "mf", fragments: int = 3, **mfac: object):
    rollout, learner = make_actors(GAMES[game](num_envs=4), method, **mfac)
    for _ in range(fragments):
        learner._store([rollout.collect(6)])
    segments = learner._segments(6)
    assert segments is not None
    return rollout, learner, segments


def drift(learner) -> None:
    """Policies move on from those that played."""
    with torch.no_grad():
        for network in (learner.network, learner.policy):
            network.mlp.biases[-1][0, 0] += 0.4
        learner.policy.version += 1


@pytest.mark.parametrize("method", get_args(Method))
def test_every_method_solves_the_matching_game(method: str):
    rollout, _ = run("discrete", method, episodes=240, replayed=1.0)
    assert rollout.collect(20).reward.mean() > 0.95


@pytest.mark.parametrize("seed", [0, 1])
def test_learns_to_aim_with_continuous_actions(seed: int):
    rollout, _ = run("continuous", "mf", seed)
    # the best action knows the target; one that does not scores 1 - 4/6 = 1/3
    assert rollout.collect(20).reward.mean() > 0.93


def test_the_actors_gradient_is_that_of_the_expected_reward():
    # a one-step game of three actions: every agent takes each once, weighted by its probability
    _, learner, segments = with_steps(entropy_start=0.0)
    learner.network.double()
    learner.critic.double()
    reward = torch.tensor([1.0, 4.0, 2.0], dtype=torch.float64)
    inputs = torch.cat([segments.steps.obs, learner.observed(segments.steps)], -1)[:2].double()
    rows = []
    before = torch.log_softmax(learner.network.mlp(inputs), -1).detach()
    for k, agents in enumerate(learner.types):
        mine, law = inputs[:, agents].flatten(0, 1), before[:, agents].flatten(0, 1)
        for action in range(3):
            column = dict.fromkeys(NUMBERS, torch.zeros(mine.shape[0], dtype=torch.float64))
            column |= {"action": torch.full_like(column["value"], action), "log_prob": law[:, action]}
            column |= {"advantage": (reward[action] - 2.5).expand(mine.shape[0]), "actor_weight": law[:, action].exp()}
            rows.append((k, Rows(mine, torch.stack([column[name] for name in NUMBERS], -1))))
    by_type = [
        Rows(torch.cat([r.inputs for j, r in rows if j == k]), torch.cat([r.numbers for j, r in rows if j == k]))
        for k in range(2)
    ]
    count = sum(r.numbers.shape[0] for r in by_type)

    def expected_reward() -> float:
        with torch.no_grad():
            return float((torch.softmax(learner.network.mlp(inputs), -1) * reward).sum()) / count

    loss, parts = learner.loss(by_type)
    gradients = torch.autograd.grad(loss, list(learner.network.parameters()))
    largest = 0.0
    for parameter, gradient in zip(learner.network.parameters(), gradients, strict=True):
        flat = parameter.data.view(-1)
        for i in range(0, flat.numel(), max(1, flat.numel() // 4)):
            kept, step = float(flat[i]), 1e-6
            flat[i] = kept + step
            above = expected_reward()
            flat[i] = kept - step
            below = expected_reward()
            flat[i] = kept
            assert -float(gradient.view(-1)[i]) == pytest.approx((above - below) / (2 * step), abs=1e-8)
            largest = max(largest, abs(float(gradient.view(-1)[i])))
    assert largest > 1e-3
    assert float(parts.kl) == pytest.approx(0.0, abs=1e-12)


def test_without_drift_is_and_mf_update_bit_for_bit_alike():
    told = []
    for method in ("mf", "is"):
        _, learner, segments = with_steps("discrete", method)
        metrics = learner._improve(segments)
        assert metrics["ratio_max"] == 1.0
        assert metrics.pop("temper", 1.0) == 1.0
        told.append((metrics, [p.detach().clone() for p in learner.parameters]))
    assert told[0][0] == pytest.approx(told[1][0], abs=1e-6)
    assert all(torch.equal(a, b) for a, b in zip(told[0][1], told[1][1], strict=True))


@pytest.mark.parametrize("game", GAMES)
def test_an_older_step_counts_by_its_own_ratio_and_the_others_drift(game: str):
    _, learner, segments = with_steps(game, "is")
    drift(learner)
    experience, metrics = learner.experience(segments)
    law = learner.policy.law(segments.steps.obs, learner.observed(segments.steps))
    ratio = (law.log_prob(segments.steps.action) - segments.steps.log_prob).exp()
    assert float(ratio.std()) > 0.01
    weight, _ = learner.drift.weights(
        law, Stored.here(segments.steps, learner.observed(segments.steps)), learner.policy
    )
    torch.testing.assert_close(experience.critic_weight, weight)
    torch.testing.assert_close(experience.actor_weight, weight * ratio.clamp_max(1.0))
    assert metrics["ess"] < 0.999
    # normalised as they are weighted, in each type
    for agents in learner.types:
        mean = (experience.actor_weight * experience.advantage)[:, agents].sum()
        assert float(mean) == pytest.approx(0.0, abs=1e-3)


def written(learner, segments, following: torch.Tensor, ratio: torch.Tensor | None = None) -> torch.Tensor:
    """Targets [T, S, N] as lambda-returns written out backwards, with own-action ratios cut at 1."""
    steps, shape = segments.steps, segments.known.shape
    value = learner.values(steps.obs, learner.observed(steps)).view(*shape, -1)
    following, reward = following.view(*shape, -1), (steps.reward / learner.reward_scale).view(*shape, -1)
    target, error = torch.empty_like(value), torch.zeros_like(value[0])
    cut = torch.ones_like(value) if ratio is None else ratio.clamp_max(1.0).view(*shape, -1)
    for t in reversed(range(shape[0])):
        kept = 0.5 * learner.config.trace_decay * segments.continues[t].float().unsqueeze(-1)
        error = cut[t] * (reward[t] + 0.5 * following[t] - value[t] + kept * error)
        target[t] = value[t] + error
    return target


@pytest.mark.parametrize("draws", [0, 64])
@pytest.mark.parametrize("game", GAMES)
def test_targets_are_the_written_formula(game: str, draws: int):
    for method in ("mf", "fresh"):
        _, learner, segments = with_steps(game, method, importance=ImportanceConfig(fresh_samples=draws))
        with torch.no_grad():
            learner.critic.weights[-1].mul_(300.0)
        steps = segments.steps
        law = learner.policy.law(steps.obs, learner.observed(steps))
        played = learner.mean_field.of(steps.action)
        expected = learner.mean_field.of(law.mean_action()) if game == "continuous" else None
        if expected is None:
            expected = learner.mean_field.expected(law.probs)
        want = written(learner, segments, learner.values(steps.next_obs, played if method == "mf" else expected))
        stored = written(learner, segments, learner.values(steps.next_obs, played))
        experience, _ = learner.experience(segments)
        got = experience.target * learner.value_spread + learner.value_offset
        if method == "mf" or draws == 0:
            torch.testing.assert_close(got, want.flatten(0, 1))
        else:
            # many sampled joint actions come near to the expected one, and are not it
            assert 0 < float((got - want.flatten(0, 1)).abs().max()) < 0.7 * float((stored - want).abs().max())


@pytest.mark.parametrize("game", GAMES)
def test_a_bootstrap_weight_multiplies_the_next_value_only(game: str):
    _, learner, segments = with_steps(game, "is", importance=ImportanceConfig(acts_on="bootstrap"))
    with torch.no_grad():
        learner.critic.weights[-1].mul_(300.0)
    drift(learner)
    steps, observed = segments.steps, learner.observed(segments.steps)
    law = learner.policy.law(steps.obs, observed)
    weight, _ = learner.drift.weights(law, Stored.here(steps, observed), learner.policy)
    ratio = (law.log_prob(steps.action) - steps.log_prob).exp()
    following = learner.values(steps.next_obs, learner.mean_field.of(steps.action))
    want, plain = (written(learner, segments, f, ratio).flatten(0, 1) for f in (weight * following, following))
    experience, _ = learner.experience(segments)
    got = experience.target * learner.value_spread + learner.value_offset
    torch.testing.assert_close(got, want)
    assert float((want - plain).abs().max()) > 0.01
    assert bool((experience.critic_weight == 1.0).all())


def test_gaussian_weights_of_continuous_actions_are_ratios_of_normal_laws_of_their_sum():
    importance = ImportanceConfig(estimator="gaussian", bandwidth=0.1, self_normalise=False, ess_floor=0.0)
    rollout, learner = make_actors(AimingGame(num_envs=4), "is", importance=importance)
    rollout.keep_log_probs = True
    for _ in range(3):
        learner._store([rollout.collect(6)])
    segments = learner._segments(6)
    assert segments is not None
    steps, observed = segments.steps, learner.observed(segments.steps)
    before = learner.policy.law(steps.obs, observed)
    weight, _ = learner.drift.weights(before, Stored.here(steps, observed), learner.policy)
    assert bool((weight == 1.0).all())
    drift(learner)
    law = learner.policy.law(steps.obs, observed)
    weight, told = learner.drift.weights(law, Stored.here(steps, observed), learner.policy)
    others = steps.action.shape[1] - 1
    widened = (0.1 * others) ** 2

    def density(one) -> torch.Tensor:
        mean, variance = one.moments()
        sums = [x.sum(1, keepdim=True) - x for x in (mean, variance, steps.action)]
        return torch.distributions.Normal(sums[0], (sums[1] + widened).sqrt()).log_prob(sums[2])

    torch.testing.assert_close(weight, (density(law) - density(before)).exp(), rtol=1e-4, atol=1e-5)
    assert float((weight - 1).abs().max()) > 0.01
    assert told["ess"] < 1


def test_a_step_whose_successor_is_lost_reaches_no_other():
    segments = with_steps()[2]
    known = segments.known.clone()
    known[3, 1] = False
    lost = dataclasses.replace(segments, known=known)
    assert bool(segments.continues[2, 1])
    assert not bool(lost.continues[2:4, 1].any())
    assert torch.equal(lost.continues[:, 0], segments.continues[:, 0])


def test_the_offset_takes_up_the_mean_error_of_each_type():
    _, learner, segments = with_steps()
    before = learner.value_offset.clone()
    experience, _ = learner.experience(segments)
    for agents in learner.types:
        error = experience.target[:, agents] - experience.value[:, agents]
        assert float(error.mean()) == pytest.approx(0.0, abs=1e-5)
    assert float((learner.value_offset - before).abs().min()) > 0.01


@pytest.mark.parametrize("game", GAMES)
def test_state_goes_on_bit_for_bit(game: str):
    options = {"method": "is", "episodes": 80, "replayed": 1.5}
    rollout, learner = run(game, **options)
    tensors, state = learner.get_state()
    tensors = {f: {k: v.copy() for k, v in t.items()} for f, t in tensors.items()}
    batches = [rollout.collect(5) for _ in range(3)]
    _, other = make_actors(GAMES[game](num_envs=8), "is", 9, 80, replayed=1.5)
    other.set_state(tensors, state)
    for batch in batches:
        assert learner.learn([batch]) == other.learn([batch])
    for a, b in zip(learner.parameters, other.parameters, strict=True):
        assert torch.equal(a, b)


def test_the_same_seed_gives_the_same_weights_and_another_does_not():
    (_, first), (_, second), (_, other) = (run(seed=s, episodes=48) for s in (4, 4, 5))
    for a, b, c in zip(first.parameters, second.parameters, other.parameters, strict=True):
        assert torch.equal(a, b)
        assert not torch.equal(a, c)


def test_replayed_segments_come_on_top_of_the_newest():
    for replayed, number in ((0.0, 4), (0.5, 6), (2.0, 12)):
        _, _, segments = with_steps(replayed=replayed)
        assert segments.known.shape == (6, number)


def test_schedules_end_where_they_say():
    rollout, learner = make_actors(MatchingGame(num_envs=8), num_episodes=80, entropy_start=0.1, entropy_end=0.02)
    told = [learner.learn([rollout.collect(5)])["entropy_weight"] for _ in range(10)]
    assert told[:3] == pytest.approx([0.1 - 0.08 * share / 0.7 for share in (0.1, 0.2, 0.3)])
    assert told[-1] == pytest.approx(0.02)
    assert learner.optimiser.param_groups[0]["lr"] == pytest.approx(learner.config.learning_rate_end)


def test_metrics_of_an_iteration_are_finite_and_in_range():
    rollout, learner = make_actors(MatchingGame(num_envs=8), "is", replayed=1.0)
    for _ in range(6):
        metrics = learner.learn([rollout.collect(5)])
    assert all(math.isfinite(v) for v in metrics.values())
    assert 0 <= metrics["clip_share"] <= 1
    assert 0 <= metrics["drift_tv"] <= 1
    assert metrics["kl"] > 0
    assert 0 < metrics["ess"] <= 1 + 1e-6
    assert metrics["explained_variance"] <= 1


@pytest.mark.parametrize("method", ["mfp", "mfap"])
def test_predictors_learn_the_mean_action_that_is_played(method: str):
    rollout, learner = run("discrete", method, episodes=240)
    batch = rollout.collect(20)
    obs, action = torch.from_numpy(batch.obs).flatten(0, 1), torch.from_numpy(batch.action).flatten(0, 1).long()
    played = learner.mean_field.of(action)
    predicted = learner.policy.acted_on(obs, torch.full_like(played, 1 / 3))
    # each agent's signal is drawn anew, so nothing tells more than the mean: one third each
    assert float((predicted - 1 / 3).abs().mean()) < 0.1
    assert float((played - predicted).square().sum(-1).mean()) < 1.1 * float((played - 1 / 3).square().sum(-1).mean())


def test_steps_that_a_restart_cut_off_are_not_learned_from():
    _, learner, segments = with_steps()
    known = segments.known.clone()
    known[2, 1] = False
    experience, _ = learner.experience(dataclasses.replace(segments, known=known))
    assert isinstance(experience, Experience)
    assert experience.action.shape[0] == known.numel() - 1
    kept = known.flatten().nonzero().squeeze(1)
    np.testing.assert_array_equal(experience.action.numpy(), segments.steps.action[kept].numpy())
