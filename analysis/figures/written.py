"""Figures as files, each whole or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from analysis.figures.style import SETTINGS
from mfmarl.runs.files import replacing

# neither the moment nor the version, so that equal figures are equal files
PLAIN: dict[str, dict[str, str | None]] = {"png": {"Software": None}, "svg": {"Date": None, "Creator": None}}


def write_figures(folder: Path, figures: Mapping[str, Figure], *, svg: bool) -> None:
    """NAME.png of each, and with `svg` NAME.svg; raises StorageFailed."""
    for name, figure in figures.items():
        for kind in ("png", "svg") if svg else ("png",):
            with replacing(folder / f"{name}.{kind}") as temporary, mpl.rc_context(SETTINGS):
                figure.savefig(temporary, format=kind, dpi=150, metadata=PLAIN[kind])
            # panels stay where they are for the next
            figure.set_layout_engine("none")
