"""What several imitations return, a number a seed, in a line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mfmarl.imitation.folder import read_words
from mfmarl.imitation.judging import mean_of, told
from mfmarl.imitation.return_range import return_range


def told_of(folders: Sequence[Path]) -> str:
    """`5 seeds: return 480 [461, 499] by likeliest actions, ... drawn; expert 500; in FOLDER/s0 to s4`.

    Means over seeds, with 95 % intervals from three on; nothing of imitations that are not of one method and setting.

    Raises:
        UserError, DamagedFile: where a folder has no imitation, or not a whole one.
    """
    words = [read_words(folder) for folder in folders]
    if any(one[key] != words[0][key] for one in words for key in ("method", "env", "config")):
        return f"{len(words)} imitations of several kinds; `mfmarl report {folders[0].parent}` compares them"
    within = return_range(words[0]["env"])

    def over(metric: str) -> str:
        return told(mean_of([one["metrics"][metric]["mean"] for one in words], within))

    expert = [one["expert_return"]["mean"] for one in words if one["expert_return"] is not None]
    beside = f"; expert {sum(expert) / len(expert):.4g}" if expert else ""
    return (
        f"{len(words)} seeds: return {over('return_mode')} by likeliest actions, {over('return_sampled')} drawn"
        f"{beside}; in {folders[0]} to {folders[-1].name}"
    )
