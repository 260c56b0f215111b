"""What a comparison calls its runs: so that two runs share a name only where nothing but the seed differs."""

from __future__ import annotations

from collections.abc import Sequence

from mfmarl.config import TrainConfig
from mfmarl.core.importance_config import ImportanceConfig

_NOT_LEARNING = ("env", "num_agents", "seed", "checkpoint_every", "mfq", "mfac", "ppo", "dqn", "importance")
"""What comparisons hold equal themselves, what changes no result, and the sections, of which only some are in use."""
_OF_FRESH = ("fresh_samples",)
_OF_GAUSSIAN = ("bandwidth",)


def labels(configs: Sequence[TrainConfig]) -> list[str]:
    """A name for each run: its method; after the algorithm, where those of the runs differ; and with the settings that
    tell it from others of that name and are not the default, as in `is clip=5.0`.
    """
    several = len({c.algorithm for c in configs if not c.is_baseline}) > 1
    names = [f"{c.algorithm} {c.variant}" if several and not c.is_baseline else c.variant for c in configs]
    used = [settings_in_use(c) for c in configs]
    plain = {c.algorithm: _defaults(c.algorithm) for c in configs}
    told = []
    for config, name, mine in zip(configs, names, used, strict=True):
        alike = [other for other, called in zip(used, names, strict=True) if called == name]
        # runs of one name have one algorithm and the same sections in use, but an environment's options may be left out
        keys = sorted({key for other in alike for key in other})
        differing = [key for key in keys if len({repr(other.get(key)) for other in alike}) > 1]
        own = [key for key in differing if mine.get(key) != plain[config.algorithm].get(key)]
        told.append(" ".join([name, *(f"{_short(key, differing)}={mine.get(key)}" for key in own)]))
    return told


def settings_in_use(config: TrainConfig) -> dict[str, object]:
    """Dotted key -> value of all that a run's result depends on, besides the seed and what the game is."""
    found: dict[str, object] = config.model_dump(mode="json", exclude=set(_NOT_LEARNING))
    options = found.pop("env_options")
    found |= {f"env_options.{key}": value for key, value in options.items()} if isinstance(options, dict) else {}
    # 0 remote ones is one in the driver, which computes the same
    found |= {key: max(1, getattr(config, key)) for key in ("num_env_runners", "num_learners")}
    section = getattr(config, config.algorithm).model_dump(mode="json")
    found |= {f"{config.algorithm}.{key}": value for key, value in section.items()}
    for key, value in config.importance.model_dump(mode="json").items():
        if key in _OF_FRESH:
            used = config.recomputed
        else:
            used = config.corrected and (key not in _OF_GAUSSIAN or config.importance.estimator.startswith("gaussian"))
        if used:
            found[f"importance.{key}"] = value
    return found


def _defaults(algorithm: str) -> dict[str, object]:
    """Of all settings that runs of this algorithm may have in use."""
    correction = {f"importance.{key}": value for key, value in ImportanceConfig().model_dump(mode="json").items()}
    return correction | settings_in_use(TrainConfig.model_validate({"algorithm": algorithm}))


def _short(key: str, among: Sequence[str]) -> str:
    """The key's last part where it is the only one of that name."""
    last = key.rsplit(".", 1)[-1]
    return last if sum(other.rsplit(".", 1)[-1] == last for other in among) == 1 else key
