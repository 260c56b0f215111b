"""A run's configuration: defaults here, differences in YAML and flags, every mistake told in one line."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from mfmarl.algorithms.methods import Method
from mfmarl.algorithms.mfac_config import MFACConfig
from mfmarl.algorithms.mfq_config import MFQConfig
from mfmarl.core.importance_config import ImportanceConfig
from mfmarl.errors import UserError
from mfmarl.model_text import one_line
from mfmarl.registry import ENV_FAMILIES, suggestion
from mfmarl.rllib.baseline_config import BASELINES, DQNConfig, PPOConfig
from mfmarl.strict_yaml import Sourced, read_value, read_yaml


def _scalar(value: Any) -> Any:
    if not isinstance(value, bool | int | float | str):
        raise ValueError("want a number, a word, true or false")
    return value


Scalar = Annotated[Any, AfterValidator(_scalar)]
"""A setting of an environment, which checks it further; any number, word, true or false here."""


class TrainConfig(BaseModel):
    """Everything that decides what a training run computes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    env: str = Field(
        "inventory/market-easy", min_length=1, max_length=200, description="name of the environment: family/name"
    )
    num_agents: int | None = Field(
        None, ge=2, le=1_000_000, description="N, agents in the population; without it the environment's own number"
    )
    env_options: dict[str, Scalar] = Field(
        default_factory=dict, description="settings of the environment itself, e.g. split: train"
    )
    algorithm: Literal["mfq", "mfac", "ppo", "dqn"] = Field(
        "mfq", description="what learns: mean-field Q or actor-critic; ppo and dqn are RLlib's own"
    )
    method: Method = Field("is", description="how stored steps are corrected for drift, or what stands in for ā")
    mean_action: Literal["one_hot", "scalar"] = Field(
        "one_hot", description="what agents see of the others: shares of the actions, or their mean place on the scale"
    )
    mean_action_by_type: bool = Field(False, description="one mean action per type of the others, not one over all")
    sharing: Literal["type", "agent", "all"] = Field(
        "type", description="one network per type, one per agent, or one for all that is told the type"
    )
    reward: Literal["own", "mean"] = Field("own", description="agents learn from their own reward, or from the mean")
    seed: int | None = Field(
        None, ge=0, lt=2**63, description="root of all random streams; without it one is drawn and stored"
    )
    num_episodes: int = Field(1000, ge=1, le=10**9, description="episodes to play, all copies together")
    num_envs: int = Field(16, ge=1, le=65_536, description="copies of the game that each runner plays together")
    fragment_length: int = Field(13, ge=1, le=100_000, description="environment steps per copy in one iteration")
    num_env_runners: int = Field(0, ge=0, le=4096, description="remote runners; 0 plays in the driver")
    num_learners: int = Field(
        0, ge=0, le=1024, description="remote learners, each with its runners' share of the replay; 0: in the driver"
    )
    checkpoint_every: int = Field(50, ge=1, le=10**9, description="iterations between checkpoints")
    mfq: MFQConfig = Field(default_factory=MFQConfig, description="settings of mean-field Q-learning")
    mfac: MFACConfig = Field(default_factory=MFACConfig, description="settings of mean-field actor-critic")
    importance: ImportanceConfig = Field(
        default_factory=ImportanceConfig, description="settings of the correction of method `is`"
    )
    ppo: PPOConfig = Field(default_factory=PPOConfig, description="settings of RLlib's PPO")
    dqn: DQNConfig = Field(default_factory=DQNConfig, description="settings of RLlib's DQN")

    @property
    def is_baseline(self) -> bool:
        """Whether RLlib's own algorithm learns, which has no method."""
        return self.algorithm in BASELINES

    @property
    def corrected(self) -> bool:
        """Whether stored steps are weighted for the drift of the others' policies."""
        return not self.is_baseline and self.method in ("is", "is+fresh")

    @property
    def recomputed(self) -> bool:
        """Whether the mean action of the next value is recomputed under the policies of now."""
        return not self.is_baseline and self.method in ("fresh", "is+fresh")

    @property
    def variant(self) -> str:
        """The method, with the estimator and what weights act on where they are not the default; a baseline's name."""
        if self.is_baseline or not self.corrected:
            return self.algorithm if self.is_baseline else self.method
        plain, mine = ImportanceConfig(), self.importance
        words: list[str] = [self.method]
        words += [mine.estimator] if mine.estimator != plain.estimator else []
        words += [f"on {mine.acts_on}"] if mine.acts_on != plain.acts_on else []
        return " ".join(words)

    @property
    def label(self) -> str:
        """What a run alone is called: its variant, after the algorithm where that is not the default.

        Runs that are compared get their names together, from `analysis.labels`.
        """
        plain = self.is_baseline or self.algorithm == type(self).model_fields["algorithm"].default
        return self.variant if plain else f"{self.algorithm} {self.variant}"

    @property
    def doubt(self) -> str | None:
        """What the correction leaves out under these settings, in words."""
        estimator = self.importance.estimator
        if self.corrected and self.mean_action == "one_hot" and estimator in ("marginal", "gaussian"):
            return (
                f"estimator {estimator} corrects for the mean place of actions on their scale; agents see shares of "
                "all actions: set mean_action=scalar, or take joint, mixture or gaussian_one_hot"
            )
        return None

    @property
    def discount(self) -> float:
        """Per environment step."""
        section: MFQConfig | MFACConfig | PPOConfig | DQNConfig = getattr(self, self.algorithm)
        return section.discount

    @property
    def learner(self) -> MFQConfig | MFACConfig:
        """The section of the algorithm that learns."""
        return self.mfq if self.algorithm == "mfq" else self.mfac


def read_config(
    path: Path | None = None, flags: Mapping[str, Any] | None = None, sets: Sequence[str] = ()
) -> TrainConfig:
    """Defaults, then the file at `path`, then `flags` (key -> value, None = not given), then `key.sub=value` of `sets`.

    Raises:
        UserError: one line naming the file or flag, the key, what was got and what is allowed.
    """
    source = Sourced({}, {})
    if path is not None:
        source = read_yaml(path)
    for key, value in (flags or {}).items():
        if value is not None:
            put(source, key, value, f"--{key.replace('_', '-')}")
    seen: dict[str, str] = {}
    for text in sets:
        key, value = parse_set(text)
        if key in seen:
            raise UserError(f"--set {text}: {key} was set before (--set {seen[key]}); give it once")
        seen[key] = text
        put(source, key, value, f"--set {text}")
    return config_from(source.value, source.where, str(path or "configuration"))


def parse_set(text: str) -> tuple[str, Any]:
    """The key and value of one `key.sub=value`; the value is read as strict YAML."""
    key, equals, value = text.partition("=")
    if not equals or not all(part.isidentifier() for part in key.split(".")):
        raise UserError(f"--set {text}: want key=value, e.g. --set mfq.discount=0.95")
    return key, read_value(value, f"--set {text}")


def put(source: Sourced, key: str, value: Any, where: str) -> None:
    """Write value at the dotted key, making sections on the way, and note where it came from."""
    section = source.value
    *parents, last = key.split(".")
    for depth, name in enumerate(parents):
        below = section.setdefault(name, {})
        if not isinstance(below, dict):
            raise UserError(f"{where}: {'.'.join(parents[: depth + 1])} is {below!r}, not a section with keys")
        section = below
    section[last] = value
    source.where[tuple(key.split("."))] = where


def config_from(
    data: Mapping[str, Any], where: Mapping[tuple[str, ...], str] | None = None, source: str = "configuration"
) -> TrainConfig:
    """A checked configuration from plain data; nothing is converted (text is no number).

    `where` says for dotted paths where their value was written; `source` stands for the rest.

    Raises:
        UserError: names the first mistake and counts the others.
    """
    try:
        config = TrainConfig.model_validate_json(json.dumps(data, allow_nan=False), strict=True)
    except (TypeError, ValueError) as error:
        if not isinstance(error, ValidationError):
            raise UserError(f"{source}: {error}") from None
        raise UserError(one_line(error, where or {}, source, TrainConfig)) from None
    if config.mean_action_by_type and config.importance.needs_laws:
        raise UserError(
            f"{source}: estimator {config.importance.estimator} has the law of one mean action over all neighbours; "
            "with mean_action_by_type take joint or mixture"
        )
    if config.is_baseline:
        _check_baseline(config, where or {}, source)
    else:
        _check_replay(config, source)
        _check_learners(config, source)
        _check_weights(config, source)
    family = config.env.split("/")[0]
    if family not in ENV_FAMILIES or "/" not in config.env:
        place = (where or {}).get(("env",), source)
        raise UserError(
            f"{place}: env: got {config.env!r}; want family/name with a family of {', '.join(ENV_FAMILIES)}"
            + suggestion(family, ENV_FAMILIES)
        )
    return config


def _check_baseline(config: TrainConfig, where: Mapping[tuple[str, ...], str], source: str) -> None:
    """Refuse what RLlib's own algorithms do not have, and settings with which they could never learn."""
    plain = TrainConfig()
    for key in ("method", "mean_action", "mean_action_by_type", "sharing", "reward", "importance", "mfq"):
        if getattr(config, key) != getattr(plain, key):
            place = next((told for path, told in where.items() if path[0] == key), source)
            raise UserError(f"{place}: {config.algorithm} is RLlib's own and has no {key}; leave it out")
    steps = config.num_envs * config.fragment_length
    if config.algorithm == "ppo" and config.ppo.batch_agent_steps > steps:
        raise UserError(
            f"{source}: ppo.batch_agent_steps={config.ppo.batch_agent_steps} is more than num_envs x fragment_length = "
            f"{steps}, which RLlib does not take; lower it, or raise num_envs"
        )
    if config.algorithm == "dqn" and config.dqn.replay_population_steps < 2 * steps:
        raise UserError(
            f"{source}: dqn.replay_population_steps={config.dqn.replay_population_steps} does not hold two fragments "
            f"of {steps} population steps; raise it, or lower num_envs"
        )


def _check_replay(config: TrainConfig, source: str) -> None:
    """Refuse settings with which the replay could never be learned from."""
    learner = config.learner
    copies = config.num_envs * max(1, config.num_env_runners)
    slots = learner.replay_population_steps // copies
    if config.fragment_length > slots - 2:
        raise UserError(
            f"{source}: fragments of {config.fragment_length} steps of {copies} copies do not fit "
            f"{config.algorithm}.replay_population_steps={learner.replay_population_steps}; "
            f"want at least {(config.fragment_length + 2) * copies}, or fewer copies (num_envs)"
        )
    if learner.warmup_population_steps > slots * copies:
        raise UserError(
            f"{source}: {config.algorithm}.warmup_population_steps={learner.warmup_population_steps} is more than the "
            f"replay holds ({slots * copies}), so learning would never start; lower it, or raise "
            f"{config.algorithm}.replay_population_steps"
        )


def _check_weights(config: TrainConfig, source: str) -> None:
    """Refuse weights where they would correct twice, or where Huber's loss would not find their mean."""
    acts_on = config.importance.acts_on
    if config.method not in ("is", "is+fresh") or acts_on == "loss":
        return
    played = config.algorithm == "mfq" and config.mfq.conditioning == "played"
    if acts_on == "both" and not played:
        raise UserError(
            f"{source}: importance.acts_on=both: here the loss and its next value are given one mean action, which "
            "would be corrected twice; take loss or bootstrap, or algorithm mfq with mfq.conditioning=played"
        )
    if config.algorithm == "mfq" and config.mfq.huber:
        raise UserError(
            f"{source}: importance.acts_on={acts_on} multiplies next values by weights, and Huber's loss does not find "
            "the mean of what so few large weights make; set mfq.huber=false"
        )


def _check_learners(config: TrainConfig, source: str) -> None:
    """Refuse several learners that could not share the work evenly: all take every gradient step together."""
    learners, batch = config.num_learners, config.learner.batch_population_steps
    if learners < 2:
        return
    if config.num_env_runners == 0 or config.num_env_runners % learners:
        raise UserError(
            f"{source}: num_learners={learners} learners share the fragments of the runners evenly; "
            f"num_env_runners={config.num_env_runners} is no multiple of it: take "
            f"{max(1, round(config.num_env_runners / learners)) * learners}"
        )
    if batch % learners:
        raise UserError(
            f"{source}: num_learners={learners} learners share each minibatch evenly; "
            f"{config.algorithm}.batch_population_steps={batch} is no multiple of it: take "
            f"{max(1, round(batch / learners)) * learners}"
        )


def config_hash(config: TrainConfig) -> str:
    """First 12 hex digits of the SHA-256 of the configuration's canonical JSON."""
    text = json.dumps(config.model_dump(mode="json"), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]
