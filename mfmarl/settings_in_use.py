"""Of a configuration's settings, those that decide what its run computes."""

from __future__ import annotations

from mfmarl.config import TrainConfig

_NOT_LEARNING = ("env", "num_agents", "seed", "checkpoint_every", "mfq", "mfac", "ppo", "dqn", "importance")
"""What comparisons hold equal themselves, what changes no result, and the sections, of which only some are in use."""
_OF_FRESH = ("fresh_samples",)
_OF_GAUSSIAN = ("bandwidth",)


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
