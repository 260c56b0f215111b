"""What a legend in the page is made of: the look of each policy, as parts of a small SVG."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from analysis.figures.style import MARKERS, Look, label

DASHES = {"solid": "none", "dashed": "5 2.5", "dashdot": "7 2 1.5 2", "dotted": "1.5 2.5"}
"""Line style -> stroke-dasharray."""
PATHS = {
    "o": "M14 2a3 3 0 1 0 .01 0z",
    "s": "M11.3 2.3h5.4v5.4h-5.4z",
    "^": "M14 1.6l3.4 6.2h-6.8z",
    "D": "M14 1.2l3.8 3.8-3.8 3.8-3.8-3.8z",
    "v": "M14 8.4l3.4-6.2h-6.8z",
    "P": "M12.8 1.5h2.4v2.3h2.3v2.4h-2.3v2.3h-2.4v-2.3h-2.3v-2.4h2.3z",
    "X": "M10.8 3.2l1.4-1.4 1.8 1.8 1.8-1.8 1.4 1.4-1.8 1.8 1.8 1.8-1.4 1.4-1.8-1.8-1.8 1.8-1.4-1.4 1.8-1.8z",
}
"""Marker -> path around the middle of a box of 28 x 10."""
assert set(MARKERS) == set(PATHS)


@dataclass(frozen=True)
class Swatch:
    """An entry of a legend."""

    name: str
    label: str
    colour: str
    dashes: str
    path: str


def swatches(looks: Mapping[str, Look]) -> list[Swatch]:
    """An entry for each policy, in their order."""
    return [Swatch(name, label(name), one.colour, DASHES[one.line], PATHS[one.marker]) for name, one in looks.items()]
