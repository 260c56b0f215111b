"""The losses that learners descend on, through whole networks in float64: gradients, and what a weight means."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

from mfmarl.algorithms import mfac, mfq
from mfmarl.algorithms.learner import Setting
from mfmarl.algorithms.methods import Method
from mfmarl.algorithms.mfac_config import MFACConfig
from mfmarl.algorithms.mfq_config import MFQConfig
from mfmarl.core.importance_config import ImportanceConfig
from mfmarl.core.networks import BATCHED_FROM
from mfmarl.core.td_gradient import TDGradient, TDSteps
from mfmarl.network import NetworkShape, PolicyNetwork
from mfmarl.trainer import make_critic
from tests.games import AimingGame, MatchingGame, make_actors
from tests.mfmarl.gradients import assert_gradient, assert_same_loss, randomise

FEW, MANY = ((0, 2), (2, 5)), ((0, 7), (7, BATCHED_FROM + 1))
"""Agents of two types; of the many, each one's own network goes through one batched product."""
NETWORKS: dict[str, dict[str, Any]] = {
    "type": {},
    "all": {"sharing": "all"},
    "agent": {"sharing": "agent"},
    "many agents": {"sharing": "agent", "types": MANY},
}
PREDICTORS: dict[str, dict[str, Any]] = {
    "mfp": {"predictor": "obs"},
    "mfap": {"predictor": "obs_and_last"},
    "mfap scalar": {"predictor": "obs_and_last", "mean_action": "scalar"},
    "mfp by type": {"predictor": "obs", "by_type": True},
    "mfap all": {"predictor": "obs_and_last", "sharing": "all"},
    "mfp agent": {"predictor": "obs", "sharing": "agent"},
}
METHOD_OF: dict[str, Method] = {"none": "is", "obs": "mfp", "obs_and_last": "mfap"}
MFQ_CASES = [(n, c, h) for n, c in NETWORKS.items() for h in (True, False)] + [
    (name, changes, True) for name, changes in PREDICTORS.items()
]
MFAC_CASES = [
    (network, law, value_clip)
    for network, law, value_clip in [
        ("type", "softmax", None), ("type", "softmax", 0.5), ("type", "squashed_gaussian", None),
        ("type", "squashed_gaussian", 0.5), ("all", "softmax", 0.5), ("all", "squashed_gaussian", None),
        ("agent", "softmax", None), ("many agents", "squashed_gaussian", 0.5), ("mfp", "softmax", None),
        ("mfap scalar", "squashed_gaussian", None), ("mfap all", "softmax", 0.5),
    ]
]  # fmt: skip


def shape_of(**changes: Any) -> NetworkShape:
    return NetworkShape(**({"types": FEW, "observations": 3, "num_actions": 3, "hidden": (6, 5)} | changes))


def setting(method: Method) -> Setting:
    return Setting(method, ImportanceConfig(), num_episodes=10, seed=0)


def drawn(seed: int, *shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def places(rows: Sequence[Any]) -> list[list[int]]:
    """Whose row is to count twice: that of one network, but of each where all must have as many (one a step)."""
    return [list(range(len(rows)))] if len(rows) >= BATCHED_FROM else [[0], [len(rows) - 1]]


def twice(rows: Sequence[Any], groups: Sequence[int], row: int) -> list[Any]:
    """Rows of all networks, where one of these networks is there twice."""
    found = list(rows)
    for k in groups:
        index = torch.cat([torch.arange(len(rows[k].inputs)), torch.tensor([row])])
        fields = {f.name: getattr(rows[k], f.name) for f in dataclasses.fields(rows[k])}
        found[k] = type(rows[k])(**{name: value if value is None else value[index] for name, value in fields.items()})
    return found


def count(rows: Sequence[Any]) -> int:
    return sum(r.inputs.shape[0] for r in rows)


def make_mfq(huber: bool, **changes: Any) -> tuple[mfq.MFQ, list[mfq.Rows]]:
    """A learner in float64, and random rows whose TD errors lie on both sides of 1, and not near it."""
    shape = shape_of(**changes)
    networks = [PolicyNetwork(shape, 0) for _ in range(2)]
    learner = mfq.MFQ(*networks, setting(METHOD_OF[shape.predictor]), MFQConfig(huber=huber))
    network = learner.network.double()
    randomise(list(network.parameters()))
    width = shape.mean_field().width
    rows = []
    for k in range(len(network.mlp.groups)):
        n = 4 if len(network.mlp.groups) >= BATCHED_FROM else 4 + k % 2
        inputs, action = drawn(10 * k, n, network.mlp.inputs), torch.arange(n).unsqueeze(1) % 3
        error = torch.tensor([0.6, -1.5, -0.4, 2.0, 0.2], dtype=torch.float64)[:n]
        rows.append(mfq.Rows(inputs, action, error, drawn(10 * k + 1, n).abs()))
        if network.predictor is not None:
            played = torch.sigmoid(4 * drawn(10 * k + 2, n, width))
            seen = drawn(10 * k + 3, n, network.predictor.inputs)
            rows[-1] = dataclasses.replace(rows[-1], played=played, predictor_inputs=seen)
    with torch.no_grad():
        values = network.mlp.forward_types([r.inputs for r in rows])
        rows = [
            dataclasses.replace(r, target=q.gather(1, r.action).squeeze(1) - r.target)
            for r, q in zip(rows, values, strict=True)
        ]
    return learner, rows


@pytest.mark.parametrize(("name", "changes", "huber"), MFQ_CASES)
def test_gradients_of_mean_field_q(name: str, changes: dict[str, Any], huber: bool) -> None:
    learner, rows = make_mfq(huber, **changes)
    assert_gradient(lambda: learner.loss(rows)[0], list(learner.network.parameters()))
    _, error = learner.loss(rows)
    assert set((error.abs() > 1).tolist()) == {True, False}


@pytest.mark.parametrize(("name", "changes", "huber"), MFQ_CASES)
def test_a_weight_of_two_is_the_row_twice_in_mean_field_q(name: str, changes: dict[str, Any], huber: bool) -> None:
    learner, rows = make_mfq(huber, **changes)
    parameters = list(learner.network.parameters())
    for groups in places(rows):
        doubled = [dataclasses.replace(r, weight=r.weight.clone()) for r in rows]
        for k in groups:
            doubled[k].weight[1] *= 2
        both = twice(rows, groups, 1)
        # a mean over rows, of which there is one more
        scale = count(both) / count(rows)
        assert_same_loss(lambda d=doubled: learner.loss(d)[0], lambda b=both: learner.loss(b)[0], parameters, scale)


def compiled(network: PolicyNetwork, rows: Sequence[mfq.Rows], huber: bool) -> tuple[float, Tensor]:
    """Loss and gradient by the compiled loops, in float32, of rows that fill whole population steps."""
    weights, biases = list(network.mlp.weights), list(network.mlp.biases)
    slopes = [torch.zeros_like(p) for p in (*weights, *biases)]
    types = network.shape.slices()
    gradient = TDGradient(weights, biases, slopes[: len(weights)], slopes[len(weights) :], types, huber=huber)

    def populated(column: str) -> Tensor:
        parts = [getattr(r, column).unflatten(0, (-1, s.stop - s.start)) for r, s in zip(rows, types, strict=True)]
        return torch.cat(parts, 1)

    inputs = populated("inputs").float()
    obs, given = inputs.split([network.shape.observations, inputs.shape[-1] - network.shape.observations], -1)
    steps = TDSteps(
        obs.contiguous(), given.contiguous(), populated("action").squeeze(-1), populated("target").float(),
        populated("weight").float(),
    )  # fmt: skip
    loss, _ = gradient(steps)
    return loss, torch.cat([s.flatten() for s in slopes]).double()


@pytest.mark.parametrize("huber", [True, False])
def test_the_compiled_gradient_is_the_one_in_float64_but_for_rounding(huber: bool) -> None:
    """Finite differences have vouched for the gradient in float64; float32 keeps 24 bits of it."""
    learner, _ = make_mfq(huber)
    # more rows than the loops take at a time, and not a multiple: of 430 population steps
    width, rows = learner.network.mlp.inputs, []
    for k, n in enumerate((2 * 430, 3 * 430)):
        action = torch.arange(n).unsqueeze(1) % 3
        rows.append(mfq.Rows(drawn(k, n, width), action, 2 * drawn(k + 2, n), drawn(k + 4, n).abs()))
    loss, _ = learner.loss(rows)
    want = torch.cat([g.flatten() for g in torch.autograd.grad(loss, list(learner.network.mlp.parameters()))])
    learner.network.float()
    got_loss, got = compiled(learner.network, rows, huber)
    assert got_loss == pytest.approx(float(loss.detach()), rel=1e-6)
    # sums over a thousand rows round up to some tens of times
    assert float((got - want).norm()) < 5e-6 * float(want.norm())


@pytest.mark.parametrize("huber", [True, False])
def test_a_weight_of_two_is_the_row_twice_in_the_compiled_loops(huber: bool) -> None:
    """Of whole multiples of 1/4, and with 16 rows either way, float32 is exact: both must agree in every bit."""
    learner, _ = make_mfq(huber, hidden=(4,), types=((0, 2), (2, 4)))
    network = learner.network.float()
    generator = torch.Generator().manual_seed(5)

    def whole(*shape: int, largest: int = 4) -> Tensor:
        return torch.randint(-largest, largest + 1, shape, generator=generator).float() / 4

    with torch.no_grad():
        for p in network.parameters():
            p.copy_(whole(*p.shape))
    # row 1 of the first network and row 4 of the second one stand for what is doubled; the last row of each is spare
    inputs, action = whole(2, 8, network.mlp.inputs), torch.randint(0, 3, (2, 8, 1), generator=generator)
    target, weight = whole(2, 8, largest=8), 1 + whole(2, 8).abs()
    doubled, both = weight.clone(), weight.clone()
    for k, row in enumerate((1, 4)):
        inputs[k, 7], action[k, 7], target[k, 7] = inputs[k, row], action[k, row], target[k, row]
        doubled[k, row] *= 2
        doubled[k, 7], both[k, 7] = 0, weight[k, row]
    (first, slope), (second, other) = (
        compiled(network, [mfq.Rows(inputs[k], action[k], target[k], w[k]) for k in range(2)], huber)
        for w in (doubled, both)
    )
    assert first == second > 0
    assert torch.equal(slope, other)
    assert int((slope != 0).sum()) > slope.numel() // 2


def make_mfac(law: str, value_clip: float | None, **changes: Any) -> tuple[mfac.MFAC, list[mfac.Rows]]:
    """A learner in float64, and random rows with ratios and values on both sides of their clips, and not near them."""
    discrete = law == "softmax"
    mean_action: dict[str, Any] = {} if discrete else {"mean_action": "scalar", "num_actions": None}
    shape = shape_of(**(changes | {"law": law} | mean_action))
    networks = [PolicyNetwork(shape, 0) for _ in range(2)]
    config = MFACConfig(clip=0.2, value_clip=value_clip, entropy_start=0.1, discount=0.5)
    learner = mfac.MFAC(*networks, make_critic(shape, 1), setting(METHOD_OF[shape.predictor]), config)
    actors, critic = learner.network.double(), learner.critic.double()
    # a density as narrow as outputs of another size make it bends within a step
    randomise([*actors.parameters(), *critic.parameters()], 0.6 if discrete else 0.35)
    rows = []
    for k in range(len(actors.mlp.groups)):
        inputs = drawn(10 * k, 6, actors.mlp.inputs)
        with torch.no_grad():
            value = critic.forward_types([inputs] * len(actors.mlp.groups))[k].squeeze(-1)
            laws = actors.law_of(actors.mlp.forward_types([inputs] * len(actors.mlp.groups))[k])
            action = torch.arange(6).double() % 3 if discrete else (torch.arange(6).double() + 0.8) / 7
            ratio = torch.tensor([0.5, 1.5, 0.9, 1.1, 0.6, 1.4], dtype=torch.float64)
            advantage = torch.tensor([1.0, 2.0, -1.0, 0.5, -2.0, -0.7], dtype=torch.float64)
            before = laws.log_prob(action) - ratio.log()
            # the clip of values is divided by their spread, 1.15
            moved = torch.tensor([0.1, -0.2, 0.9, -1.2, 1.0, 0.3], dtype=torch.float64)
            short = torch.tensor([0.8, -0.5, 0.6, 0.7, -2.0, 0.4], dtype=torch.float64)
        weights = drawn(10 * k + 1, 6).abs(), drawn(10 * k + 2, 6).abs()
        columns = [action, before, advantage, value + short, value - moved, *weights]
        rows.append(mfac.Rows(inputs, torch.stack(columns, -1)))
        if actors.predictor is not None:
            played = torch.sigmoid(4 * drawn(10 * k + 3, 6, shape.mean_field().width))
            seen = drawn(10 * k + 4, 6, actors.predictor.inputs)
            rows[-1] = dataclasses.replace(rows[-1], played=played, predictor_inputs=seen)
    return learner, rows


def parameters_of(learner: mfac.MFAC) -> list[Tensor]:
    return [*learner.network.parameters(), *learner.critic.parameters()]


@pytest.mark.parametrize(("network", "law", "value_clip"), MFAC_CASES)
def test_gradients_of_the_actor_critic(network: str, law: str, value_clip: float | None) -> None:
    learner, rows = make_mfac(law, value_clip, **(NETWORKS | PREDICTORS)[network])
    assert_gradient(lambda: learner.loss(rows)[0], parameters_of(learner))
    assert float(learner.loss(rows)[1].clipped) == pytest.approx(4 / 6)


@pytest.mark.parametrize("law", ["softmax", "squashed_gaussian"])
def test_gradients_of_the_surrogate_and_the_entropy_each_alone(law: str) -> None:
    learner, rows = make_mfac(law, None)
    actors = list(learner.network.parameters())
    learner.entropy_weight = 0.0
    assert_gradient(lambda: learner.loss(rows)[0], actors)
    learner.entropy_weight = 0.1
    quiet = [mfac.Rows(r.inputs, r.numbers.clone()) for r in rows]
    for r in quiet:
        r.numbers[:, mfac.NUMBERS.index("actor_weight")] = 0.0
    assert_gradient(lambda: learner.loss(quiet)[0], actors)


@pytest.mark.parametrize(("network", "law", "value_clip"), MFAC_CASES)
def test_weights_of_two_are_the_step_twice_in_the_actor_critic(
    network: str, law: str, value_clip: float | None
) -> None:
    learner, rows = make_mfac(law, value_clip, **(NETWORKS | PREDICTORS)[network])
    for groups in places(rows):
        doubled = [dataclasses.replace(r, numbers=r.numbers.clone()) for r in rows]
        for k in groups:
            doubled[k].numbers[2, mfac.NUMBERS.index("actor_weight") :] *= 2
        both = twice(rows, groups, 2)
        scale = count(both) / count(rows)
        assert_same_loss(
            lambda d=doubled: learner.loss(d)[0], lambda b=both: learner.loss(b)[0], parameters_of(learner), scale
        )


@pytest.mark.parametrize("case", ["mfap", "softmax", "squashed_gaussian"])
def test_gradients_in_float32_are_those_in_float64_but_for_rounding(case: str) -> None:
    """What training runs through: networks of a type are compiled loops there."""
    learner: Any
    learner, rows = make_mfq(True, **PREDICTORS[case]) if case in PREDICTORS else make_mfac(case, 0.5)
    parameters = list(learner.network.parameters()) if case in PREDICTORS else parameters_of(learner)

    def gradient(of: Sequence[Any]) -> Tensor:
        return torch.cat([g.flatten() for g in torch.autograd.grad(learner.loss(of)[0], parameters)]).double()

    want = gradient(rows)
    networks = [learner.network] if case in PREDICTORS else [learner.network, learner.critic]
    for network in networks:
        network.float()
    assert learner.network.mlp.compiled(rows[0].inputs.float())
    got = gradient([
        type(r)(*(x.float() if x is not None and x.is_floating_point() else x for x in vars(r).values())) for r in rows
    ])
    assert float((got - want).norm()) < 2e-6 * float(want.norm())


@pytest.mark.parametrize("game", [MatchingGame, AimingGame])
def test_v_trace_targets_stand_still_while_the_networks_move(game: type[MatchingGame]) -> None:
    """Targets, advantages and ratios of stored steps carry no gradient: the slope is that with them held fixed."""
    rollout, learner = make_actors(game(num_envs=4), "is", replayed=1.0, hidden=(5,), entropy_start=0.1)
    for _ in range(3):
        learner._store([rollout.collect(6)])
    with torch.no_grad():
        randomise(list(learner.policy.parameters()), 0.35)
        randomise(list(learner.critic.parameters()))
        learner.policy.version += 1
        learner.network.load_state_dict(learner.policy.state_dict())
    segments = learner._segments(6)
    assert segments is not None
    experience, _ = learner.experience(segments)
    fields = {f.name: getattr(experience, f.name) for f in dataclasses.fields(experience)}
    fields = {name: value for name, value in fields.items() if value is not None}
    assert not any(value.requires_grad for value in fields.values())
    before = {name: value.clone() for name, value in fields.items()}
    learner.network.double()
    learner.critic.double()
    # where the networks have gone to meanwhile, off the ratio's kink
    for i, p in enumerate(parameters_of(learner)):
        p.data += 0.02 * drawn(i, *p.shape)
    wide = mfac.Experience(**{name: value.double() for name, value in fields.items()})
    rows = learner.rows(wide, torch.arange(experience.action.shape[0]))
    assert_gradient(lambda: learner.loss(rows)[0], parameters_of(learner))
    assert all(torch.equal(value, before[name]) for name, value in fields.items())
    # the part of the critic is -weight (target - value) grad value, with the target a number
    value = torch.cat(learner.critic.forward_types([r.inputs for r in rows])).squeeze(-1)
    numbers = torch.cat([r.numbers for r in rows])
    target, weight = (numbers[:, mfac.NUMBERS.index(name)] for name in ("target", "critic_weight"))
    by_hand = torch.autograd.grad(value, list(learner.critic.parameters()), weight * (value - target) / len(value))
    whole = torch.autograd.grad(learner.loss(rows)[0], list(learner.critic.parameters()))
    for a, b in zip(whole, by_hand, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-14)
