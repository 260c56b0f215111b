"""The Ray-free trainer, and the parts it shares with RLlib: the reference that the distributed path equals bit for bit.

The next fragment is asked for before the learner sees this one, so that remote runners play while the learner learns:
a fixed staleness of one, the same here, which keeps runs deterministic and both paths equal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
import torch
from numpy.typing import NDArray

import envs
from envs.population import PopulationEnv, type_slices
from mfmarl.algorithms.learner import COUNTERS, Learner, Metrics, Setting
from mfmarl.algorithms.methods import PREDICTORS
from mfmarl.algorithms.mfac import MFAC
from mfmarl.algorithms.mfq import MFQ
from mfmarl.algorithms.peers import Peers
from mfmarl.config import TrainConfig
from mfmarl.core.mean_action import Kind
from mfmarl.core.networks import StackedMLP
from mfmarl.errors import UserError
from mfmarl.memory import keep_freed_memory
from mfmarl.network import LawName, NetworkShape, PolicyNetwork, types_of
from mfmarl.policy import load_tensors
from mfmarl.registry import nearest
from mfmarl.rollout import PopulationBatch, Rollout, batch_arrays, batch_from, split_state
from mfmarl.seeding import stream

Tensors = dict[str, dict[str, NDArray[Any]]]
States = dict[str, Any]
MAX_ACTIONS = 256


def root_seed(config: TrainConfig) -> int:
    """The root of the run's seed tree; the caller has drawn one where the user gave none."""
    if config.seed is None:
        raise ValueError("the configuration has no seed: draw one with mfmarl.seeding.draw_seed and store it")
    return config.seed


def make_env(config: TrainConfig, num_envs: int | None = None) -> PopulationEnv:
    """The population environment of a run: `config.num_envs` copies of the game unless told otherwise.

    Raises:
        UserError: for an option that the environment does not have.
        ValueError: as `envs.make` does.
    """
    check_options(config)
    return envs.make(
        config.env,
        num_envs=config.num_envs if num_envs is None else num_envs,
        num_agents=config.num_agents,
        seed=stream(root_seed(config), "population"),
        **config.env_options,
    )


def check_options(config: TrainConfig) -> None:
    """Refuse options that the environment does not have, in the words of the configuration.

    Raises:
        UserError: names the option, the nearest one or the environments that have it.
        ValueError: for an unknown environment.
    """
    known = envs.options(config.env)
    for key in config.env_options:
        if key in known:
            continue
        others = [name for name in envs.names() if key in envs.options(name)]
        meant = nearest(key, known)
        if others:
            told = f"it is one of {', '.join(others)}"
        elif meant:
            told = f"did you mean env_options.{meant}?"
        else:
            told = f"there are {', '.join(sorted(known))}"
        raise UserError(f"env_options.{key}: {config.env} has no option {key!r}; {told}")


def network_shape(config: TrainConfig, env: PopulationEnv) -> NetworkShape:
    """What the policies of a run on `env` are made of.

    Raises:
        UserError: where the algorithm cannot play the environment's actions, or see its mean actions so.
    """
    num_actions = getattr(env.action_space, "n", None)
    if num_actions is None:
        _check_continuous(config, env)
    elif num_actions > MAX_ACTIONS:
        raise UserError(f"{config.env} has {num_actions} actions; at most {MAX_ACTIONS} are stored in a byte each")
    if config.mean_action_by_type and env.neighbours is not None:
        raise UserError(
            f"mean_action_by_type: the agents of {config.env} see the neighbours of their own graph; leave it out"
        )
    mean_action: Kind = config.mean_action
    law: LawName = "boltzmann" if config.algorithm == "mfq" else "softmax"
    if num_actions is None:
        mean_action, law = "scalar", "squashed_gaussian"
    independent = config.method == "independent"
    return NetworkShape(
        types=types_of(type_slices(env.agent_types)),
        observations=int(np.prod(env.observation_space.shape)),
        num_actions=None if num_actions is None else int(num_actions),
        hidden=config.learner.hidden,
        law=law,
        sharing=config.sharing,
        mean_action="none" if independent else mean_action,
        by_type=config.mean_action_by_type and not independent,
        predictor=PREDICTORS.get(config.method, "none"),
    )


def _check_continuous(config: TrainConfig, env: PopulationEnv) -> None:
    """Refuse continuous actions that cannot be played.

    Raises:
        UserError: says which can.
    """
    space = env.action_space
    if config.corrected and config.importance.estimator in ("marginal", "gaussian_one_hot"):
        raise UserError(
            f"importance.estimator {config.importance.estimator} is for discrete actions; {config.env} has {space}: "
            "take joint, gaussian or mixture"
        )
    if config.algorithm != "mfac":
        raise UserError(
            f"{config.algorithm} plays discrete actions; {config.env} has {space}: choose algorithm mfac, or another "
            "action mode of the environment"
        )
    unit = isinstance(space, gym.spaces.Box) and space.shape == () and float(space.low) == 0 and float(space.high) == 1
    if not unit:
        raise UserError(f"mfac plays continuous actions from Box(0, 1), one number an agent; {config.env} has {space}")


def make_network(config: TrainConfig, env: PopulationEnv) -> PolicyNetwork:
    """The networks of all types with their initial weights."""
    return PolicyNetwork(network_shape(config, env), stream(root_seed(config), "network"))


def make_rollout(config: TrainConfig, runner: int, epoch: int = 0) -> Rollout:
    """The sampler of one runner; `epoch` counts its restarts, so that a restarted runner does not repeat itself."""
    keep_freed_memory()
    env = make_env(config)
    return Rollout(
        env,
        make_network(config, env),
        discount=config.learner.discount,
        env_seed=stream(root_seed(config), "env", runner, epoch),
        action_seed=stream(root_seed(config), "action", runner, epoch),
        runner=runner,
        keep_log_probs=config.corrected and config.importance.needs_laws,
    )


def make_learner(config: TrainConfig, env: PopulationEnv, policy: PolicyNetwork, peers: Peers | None = None) -> Learner:
    """The learner of `policy` on the best device there is: CUDA where present, else this processor."""
    keep_freed_memory()
    peers = peers or Peers()
    network = make_network(config, env)
    setting = Setting(
        method=config.method,
        importance=config.importance,
        num_episodes=config.num_episodes,
        seed=stream(root_seed(config), "replay", peers.rank),
        mean_reward=config.reward == "mean",
        neighbours=env.neighbours,
        device=torch.device("cuda" if torch.cuda.is_available() else "cpu"),
        peers=peers,
    )
    if config.algorithm == "mfq":
        return MFQ(network, policy, setting, config.mfq)
    critic = make_critic(network.shape, stream(root_seed(config), "critic"))
    return MFAC(network, policy, critic, setting, config.mfac)


def make_critic(shape: NetworkShape, seed: int) -> StackedMLP:
    """The value networks beside the actors of this shape."""
    inputs = shape.observations + shape.mean_field().width
    return StackedMLP(shape.slices(), inputs, shape.hidden, 1, seed, shape.sharing)


def rollout_state(rollout: Rollout) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """(arrays, JSON-able rest) of a runner, with the acting weights it plays with."""
    arrays, rest = split_state(rollout.get_state())
    acting = {f"acting/{k}": v.numpy().copy() for k, v in rollout.network.state_dict().items()}
    return arrays | acting, rest


def set_rollout_state(rollout: Rollout, arrays: Mapping[str, NDArray[Any]], rest: Mapping[str, Any]) -> None:
    """Take back what `rollout_state` gave."""
    acting = {k.removeprefix("acting/"): v for k, v in arrays.items() if k.startswith("acting/")}
    load_tensors(rollout.network, acting)
    rollout.set_state({k: v for k, v in arrays.items() if not k.startswith("acting/")} | dict(rest))


class Played(NamedTuple):
    """What a fragment says of play."""

    runner: int
    returns: NDArray[np.float64]
    """[episodes that ended, N]: discounted return."""
    profits: NDArray[np.float64]
    """[episodes that ended, N]: mean reward per step."""
    entropy: float

    @classmethod
    def of(cls, batch: PopulationBatch) -> Played:
        """Without the steps themselves."""
        return cls(batch.runner, batch.returns, batch.profits, batch.entropy)


def journal_metrics(played: Sequence[Played], types: list[slice], type_names: list[str]) -> Metrics:
    """Returns of the episodes that ended, per type too, and the policies' entropy."""
    returns = np.concatenate([p.returns for p in played])
    profits = np.concatenate([p.profits for p in played])
    metrics = {"entropy": float(np.mean([p.entropy for p in played]))}
    if returns.shape[0]:
        metrics |= {"return_mean": float(returns.mean()), "profit_mean": float(profits.mean())}
        metrics |= {
            f"return_mean/{name}": float(returns[:, s].mean()) for name, s in zip(type_names, types, strict=True)
        }
    return metrics


def merged(metrics: Sequence[Metrics]) -> Metrics:
    """What several learners tell of one iteration: means, and the largest of what is called `_max`."""
    names = dict.fromkeys(name for one in metrics for name in one)
    found = {name: [one[name] for one in metrics if name in one] for name in names}
    return {name: max(v) if name.endswith("_max") else sum(v) / len(v) for name, v in found.items()}


def pack_state(
    tensors: Tensors, states: States, runners: list[tuple[Any, Any]], pending: list[PopulationBatch]
) -> tuple[Tensors, States]:
    """Everything a resumed run needs, as checkpoint files: learner, runners, and the fragment asked for ahead."""
    for r, (arrays, rest) in enumerate(runners):
        tensors[f"runner_{r}"], states[f"runner_{r}"] = arrays, rest
    for r, batch in enumerate(pending):
        tensors[f"pending_{r}"], states[f"pending_{r}"] = batch_arrays(batch)
    return tensors, states


def learner_state(learner: Learner) -> tuple[Tensors, States]:
    """The learner as checkpoint files."""
    tensors, state = learner.get_state()
    return tensors, {"learner": state, "policy": learner.policy.shape.to_json()}


def unpack_pending(tensors: Tensors, states: States) -> list[PopulationBatch]:
    """The fragments that were asked for ahead, in the order of their runners."""
    names = sorted((n for n in tensors if n.startswith("pending_")), key=lambda n: int(n.split("_")[1]))
    return [batch_from(tensors[n], states[n]) for n in names]


class LocalTrainer:
    """One process, no Ray: runners play one after another, then the learner learns."""

    def __init__(self, config: TrainConfig) -> None:
        self.config = config
        self.rollouts = [make_rollout(config, r) for r in range(max(1, config.num_env_runners))]
        env = self.rollouts[0].env
        self.types = type_slices(env.agent_types)
        self.type_names = list(env.type_names)
        self.learner = make_learner(config, env, make_network(config, env))
        self._pending: list[PopulationBatch] = []

    def _sample(self) -> list[PopulationBatch]:
        return [rollout.collect(self.config.fragment_length) for rollout in self.rollouts]

    def iterate(self) -> Metrics:
        """One training iteration; returns the metrics of its journal line."""
        if not self._pending:
            self._pending = self._sample()
        batches, self._pending = self._pending, self._sample()
        metrics = self.learner.learn(batches)
        weights = {k: v.cpu() for k, v in self.learner.policy.state_dict().items()}
        for rollout in self.rollouts:
            rollout.network.load_state_dict(weights)
        return metrics | journal_metrics([Played.of(b) for b in batches], self.types, self.type_names)

    def progress(self) -> dict[str, int]:
        """The counters of the run so far."""
        return learner_progress(self.learner)

    def get_state(self) -> tuple[Tensors, States]:
        """Checkpoint contents."""
        return pack_state(*learner_state(self.learner), [rollout_state(r) for r in self.rollouts], self._pending)

    def set_state(self, tensors: Tensors, states: States) -> None:
        """Go on from checkpoint contents, bit for bit."""
        self.learner.set_state(tensors, states["learner"])
        for r, rollout in enumerate(self.rollouts):
            set_rollout_state(rollout, tensors[f"runner_{r}"], states[f"runner_{r}"])
        self._pending = unpack_pending(tensors, states)

    def close(self) -> None:
        """Nothing to give back."""


def learner_progress(learner: Learner) -> dict[str, int]:
    """Iteration, environment steps, agent steps, gradient steps and episodes."""
    return {name: int(getattr(learner, name)) for name in COUNTERS}
