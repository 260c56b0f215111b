"""What a comparison calls its runs: so that two runs share a name only where nothing but the seed differs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mfmarl.config import TrainConfig
from mfmarl.core.importance_config import ImportanceConfig
from mfmarl.settings_in_use import settings_in_use


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


def _defaults(algorithm: str) -> dict[str, object]:
    """Of all settings that runs of this algorithm may have in use."""
    correction = {f"importance.{key}": value for key, value in ImportanceConfig().model_dump(mode="json").items()}
    return correction | settings_in_use(TrainConfig.model_validate({"algorithm": algorithm}))


def _short(key: str, among: Sequence[str]) -> str:
    """The key's last part where it is the only one of that name."""
    last = key.rsplit(".", 1)[-1]
    return last if sum(other.rsplit(".", 1)[-1] == last for other in among) == 1 else key


def flattened(settings: Mapping[str, object], prefix: str = "") -> dict[str, object]:
    """Settings by dotted keys."""
    out: dict[str, object] = {}
    for key, value in settings.items():
        out |= flattened(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return out
