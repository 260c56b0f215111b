"""The networks of a population's policies: what an agent sees -> the law of its action."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import torch
from pydantic import TypeAdapter
from torch import Tensor, nn

from mfmarl.core import acting
from mfmarl.core.laws import ActionLaw, Categorical, Played, with_exploration
from mfmarl.core.mean_action import Kind, MeanField
from mfmarl.core.networks import Sharing, StackedMLP
from mfmarl.core.squashed_gaussian import SquashedGaussian
from mfmarl.core.value import boltzmann_log_probs, mean_field_value

LawName = Literal["boltzmann", "softmax", "squashed_gaussian"]
Predictor = Literal["none", "obs", "obs_and_last"]


@dataclass(frozen=True)
class NetworkShape:
    """All that decides a policy network's tensors, and how its output is read; saved as JSON beside the tensors."""

    types: tuple[tuple[int, int], ...]
    """First agent of each type, and the one after its last."""
    observations: int
    """D"""
    num_actions: int | None
    """A, or None where actions are numbers in [0, 1]."""
    hidden: tuple[int, ...]
    law: LawName = "boltzmann"
    """How outputs are read: action values over a temperature, logits, or a squashed Gaussian's two parameters."""
    sharing: Sharing = "type"
    mean_action: Kind = "one_hot"
    by_type: bool = False
    """One mean action per type of neighbours."""
    predictor: Predictor = "none"
    """The mean action that agents act on: the observed one, or predicted from the observation (and the last one)."""

    def __post_init__(self) -> None:
        if (self.law == "squashed_gaussian") != (self.num_actions is None):
            raise ValueError(f"law {self.law} does not fit {self.num_actions} actions: None is for squashed_gaussian")

    @property
    def outputs(self) -> int:
        """Of the network, for one agent."""
        return 2 if self.num_actions is None else self.num_actions

    def slices(self) -> list[slice]:
        """The agents of each type."""
        return [slice(a, b) for a, b in self.types]

    def mean_field(self, neighbours: Tensor | None = None) -> MeanField:
        """How these policies see the others' actions."""
        types = tuple(self.slices()) if self.by_type else None
        return MeanField(self.mean_action, self.num_actions, self.types[-1][1], types, neighbours)

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {"kind": "population_policy", **asdict(self)}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> NetworkShape:
        """What `to_json` gave.

        Raises:
            ValueError: where it is of another kind or lacks an entry.
        """
        if data.get("kind") != "population_policy":
            raise ValueError(f"unknown kind of network {data.get('kind')!r}; this version reads population_policy")
        try:
            return TypeAdapter(cls).validate_python({name: data[name] for name in cls.__dataclass_fields__})
        except KeyError as error:
            raise ValueError(f"the description of the network lacks {error}") from error


class PolicyNetwork(nn.Module):
    """The outputs that laws of actions are read from, for every agent, from its observation and the mean action."""

    temperature: Tensor
    """Of the Boltzmann law; 1 for softmax."""
    epsilon: Tensor
    """Share of actions that are drawn uniformly."""
    version: Tensor
    """Raised whenever the policies change: steps that carry the current version were played without drift."""
    predictor: StackedMLP | None

    def __init__(self, shape: NetworkShape, seed: int) -> None:
        super().__init__()
        self.shape = shape
        width = shape.mean_field().width
        types = shape.slices()
        self.mlp = StackedMLP(
            types, shape.observations + width, shape.hidden, shape.outputs, seed, shape.sharing
        )
        self.predictor = None
        if shape.predictor != "none":
            seen = width if shape.predictor == "obs_and_last" else 0
            self.predictor = StackedMLP(
                types, shape.observations + seen, shape.hidden, width, seed + 1, shape.sharing
            )
        self.register_buffer("temperature", torch.tensor(1.0))
        self.register_buffer("epsilon", torch.tensor(0.0))
        self.register_buffer("version", torch.tensor(0))

    def forward(self, obs: Tensor, mean_action: Tensor) -> Tensor:
        """[R, N, D] and [R, N, F] -> action values, logits, or parameters: [R, N, outputs]."""
        out: Tensor = self.mlp(obs, mean_action)
        return out

    def q_values(self, obs: Tensor, mean_action: Tensor) -> Tensor:
        """`forward` without gradients, in chunks that fit the cache."""
        return self.mlp.infer(obs, mean_action)

    @torch.no_grad()
    def acted_on(self, obs: Tensor, seen: Tensor) -> Tensor:
        """The mean action that agents act on [R, N, F]: the observed one `seen`, or what they predict."""
        if self.predictor is None:
            return seen
        return self.as_mean_action(self.predictor.infer(*self.predictor_inputs(obs, seen)))

    def predictor_inputs(self, obs: Tensor, seen: Tensor) -> tuple[Tensor, ...]:
        """What the predictors are given, side by side, of observations [..., D] and observed mean actions [..., F]."""
        return (obs, seen) if self.shape.predictor == "obs_and_last" else (obs,)

    def as_mean_action(self, output: Tensor) -> Tensor:
        """The predictor's output [..., F] as a mean action: a point of each type's simplex, or of [0, 1]."""
        if self.shape.mean_action == "scalar":
            return torch.sigmoid(output)
        by_type = output.reshape(*output.shape[:-1], -1, self.shape.outputs)
        return torch.softmax(by_type, -1).flatten(-2)

    def law(self, obs: Tensor, seen: Tensor) -> ActionLaw:
        """Laws of the actions given observations [R, N, D] and observed mean actions [R, N, F]; no gradients."""
        if self.shape.num_actions is None:
            return self.law_of(self.q_values(obs, self.acted_on(obs, seen)))
        return self.categorical(obs, self.acted_on(obs, seen))

    def categorical(self, obs: Tensor, given: Tensor) -> Categorical:
        """Laws of discrete actions given observations and the mean actions that agents act on; no gradients."""
        if self.mlp.compiled(obs):
            return Categorical(
                acting.log_probs_of_all(
                    *self.mlp.stacked(), (obs, given), self.mlp.types, temperature=float(self.temperature),
                    epsilon=float(self.epsilon),
                )
            )  # fmt: skip
        return self.categorical_of(self.q_values(obs, given))

    @torch.no_grad()
    def law_of_type(self, k: int, obs: Tensor, seen: Tensor) -> ActionLaw:
        """Laws of agents of type k, whoever they are: rows [R, D] and [R, F] -> [R]; as `law`."""
        acted_on = seen
        if self.predictor is not None:
            predicted = self.predictor.infer_type(k, *self.predictor_inputs(obs, seen))
            acted_on = self.as_mean_action(predicted)
        return self.law_of(self.mlp.infer_type(k, obs, acted_on))

    def play(
        self, obs: Tensor, seen: Tensor, generator: torch.Generator, *, entropy: bool = False, log_probs: bool = False
    ) -> Played:
        """One draw from `law(obs, seen)`; by compiled loops where they can, from other numbers of the generator."""
        acted_on = self.acted_on(obs, seen)
        if self.shape.num_actions is not None and self.mlp.compiled(obs):
            return acting.play(
                *self.mlp.stacked(), (obs, acted_on), self.mlp.types, temperature=float(self.temperature),
                epsilon=float(self.epsilon), generator=generator, entropy=entropy, log_probs=log_probs,
            )  # fmt: skip
        law = self.law_of(self.q_values(obs, acted_on))
        action = law.sample(generator)
        told = None
        if log_probs:
            told = torch.stack([law.mean, law.log_std], -1) if isinstance(law, SquashedGaussian) else None
            told = law.log_probs if isinstance(law, Categorical) else told
        return Played(action, law.log_prob(action), law.entropy() if entropy else None, told)

    def among(self, types: tuple[tuple[int, int], ...]) -> PolicyNetwork:
        """The same policies for other numbers of agents of each type, with tensors of their own.

        Args:
            types: as `NetworkShape.types`.

        Raises:
            ValueError: where each agent has a network of its own, or types are more or fewer.
        """
        if self.shape.sharing == "agent" or len(types) != len(self.shape.types):
            raise ValueError(
                f"networks per {self.shape.sharing} for {len(self.shape.types)} types do not serve {len(types)} types "
                "of other numbers of agents: only networks per type, or shared by all, do, type for type"
            )
        other = PolicyNetwork(replace(self.shape, types=types), seed=0)
        other.load_state_dict(self.state_dict())
        return other

    def expected_q(self, obs: Tensor, given: Tensor) -> Tensor:
        """[R, N]: sum_a pi(a) Q(a) of policies that are Boltzmann in the Q they are valued by, at `given` [R, N, F]."""
        if self.mlp.compiled(obs):
            return acting.expected_value(
                *self.mlp.stacked(), (obs, given), self.mlp.types, temperature=float(self.temperature),
                epsilon=float(self.epsilon),
            )  # fmt: skip
        q = self.q_values(obs, given)
        return mean_field_value(self.probs_of(q), q)

    def law_of(self, output: Tensor) -> ActionLaw:
        """The laws that outputs [..., outputs] stand for."""
        if self.shape.law == "squashed_gaussian":
            return SquashedGaussian.from_output(output)
        return self.categorical_of(output)

    def probs_of(self, output: Tensor) -> Tensor:
        """`categorical_of(output).probs` [..., A], in one pass."""
        probs = torch.softmax(output / self.temperature, -1)
        epsilon = float(self.epsilon)
        return probs if epsilon == 0.0 else (1 - epsilon) * probs + epsilon / probs.shape[-1]

    def categorical_of(self, output: Tensor) -> Categorical:
        """The laws over discrete actions that outputs [..., A] stand for."""
        return Categorical(with_exploration(boltzmann_log_probs(output, self.temperature), float(self.epsilon)))


def types_of(slices: Sequence[slice]) -> tuple[tuple[int, int], ...]:
    """Slices as `NetworkShape.types`."""
    return tuple((int(s.start), int(s.stop)) for s in slices)
