"""Methods: how what was stored, or seen, is set right for the drift of the mean action."""

from __future__ import annotations

from typing import Literal

Method = Literal["mf", "is", "fresh", "is+fresh", "mfp", "mfap", "independent"]

PREDICTORS: dict[str, Literal["obs", "obs_and_last"]] = {"mfp": "obs", "mfap": "obs_and_last"}
"""What the predicted mean action is computed from."""
