"""Pictures in windows, where there is a screen."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from mfmarl.errors import UserError

WITHOUT_WINDOWS = ("agg", "cairo", "pdf", "pgf", "ps", "svg", "template")
"""Backends of matplotlib."""


def check_screen() -> None:
    """Raises UserError where no window can be opened."""
    if sys.platform == "linux" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise UserError("--show: there is no screen (DISPLAY is not set); leave it out, figures are files too")
    import matplotlib as mpl

    backend = mpl.get_backend()
    if backend.lower() in WITHOUT_WINDOWS:
        raise UserError(f"--show: matplotlib's backend {backend} opens no windows; leave it out, figures are files too")


def open_windows(pictures: Sequence[Path]) -> None:
    """A window for each PNG; returns when all are closed."""
    from matplotlib import pyplot as plt

    for path in pictures:
        _, axis = plt.subplots(num=path.stem, layout="constrained")
        axis.imshow(plt.imread(path))
        axis.set_axis_off()
    plt.show()
