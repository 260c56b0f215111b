"""Colours, sizes and SVG export that all figures share."""

from __future__ import annotations

import io
import re
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import matplotlib as mpl
import seaborn as sns
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

# Okabe and Ito's palette: told apart with any colour vision
COLOURS = {
    "is": "#0072B2",
    "mf": "#D55E00",
    "base_stock": "#009E73",
    "constant": "#7A7A7A",
    "random": "#CC79A7",
}
SPARE = ("#56B4E9", "#E69F00", "#000000", "#8C510A", "#6A3D9A", "#999933", "#882255")
LINES = ("solid", "dashed", "dashdot", "dotted")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
MARKED = "series "
"""Begins the group ids of what a filter of the page may hide; `svg` makes an attribute of them."""
LABELS = {
    "is": "IS", "mf": "MF", "is+fresh": "IS+fresh", "mfq": "MF-Q", "mfac": "MF-AC",
    "gaussian_one_hot": "gaussian one-hot", "base_stock": "base stock", "ppo": "RLlib PPO", "dqn": "RLlib DQN",
    "bc": "BC", "dagger": "DAgger", "gail": "GAIL", "airl": "AIRL", "maxent_irl": "MaxEnt IRL",
    "mega_dagger": "MEGA-DAgger", "multi_expert": "multi-expert", "safety_filter": "safety filter",
    "magail": "MAGAIL",
}  # fmt: skip
SETTINGS: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "mfmarl",
    "font.family": "sans-serif",
    "font.sans-serif": ["Helvetica", "Arial", "Liberation Sans", "DejaVu Sans"],
    "font.size": 10,
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e3e3e3",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "legend.frameon": False,
}


def palette(policies: Sequence[str]) -> dict[str, str]:
    """A colour for each method or reference policy, no two alike: its own, or the next spare one in this order.

    Figures of one report agree as long as methods come in one order, since references have colours of their own.
    """
    others = [policy for policy in policies if policy not in COLOURS]
    spare = [*SPARE, *sns.husl_palette(max(1, len(others) - len(SPARE)), s=0.7, l=0.45).as_hex()]
    return COLOURS | dict(zip(others, spare, strict=False))


@dataclass(frozen=True)
class Look:
    """How a policy is drawn: told apart by line and marker too, where colours are not."""

    colour: str
    line: str
    marker: str


def looks(policies: Sequence[str]) -> dict[str, Look]:
    """The look of each policy, in their order."""
    colours = palette(policies)
    return {
        policy: Look(colours[policy], LINES[i % len(LINES)], MARKERS[i % len(MARKERS)])
        for i, policy in enumerate(policies)
    }


def mark(artists: Iterable[Artist], policy: str, kind: str = "method") -> None:
    """Lets a filter of the page hide what is of this policy (or type, or game)."""
    for artist in artists:
        artist.set_gid(f"{MARKED}{kind} {policy}")


def label(policy: str) -> str:
    """How a policy is called in figures."""
    return " ".join(LABELS.get(word, word) for word in policy.split(" "))


WIDE, NARROW = 7.2, 4.4
"""Inches: a figure over the page's width, and one that stands beside another, or alone on a phone."""


def panels(
    rows: int, columns: int, width: float = WIDE, height: float | Sequence[float] = 2.5
) -> tuple[Figure, list[Axes]]:
    """A figure of rows x columns axes, each row `height` inches high, or each its own, and the axes row by row."""
    heights = [height] * rows if isinstance(height, int | float) else list(height)
    with mpl.rc_context({**sns.axes_style("white"), **SETTINGS}):
        figure = Figure(figsize=(width, sum(heights)), layout="constrained")
        axes = figure.subplots(rows, columns, squeeze=False, height_ratios=heights)
    return figure, [axis for row in axes for axis in row]


def legend_above(figure: Figure, axis: Axes, columns: int) -> None:
    """One legend for the figure, over its panels, in at most so many columns as its width holds."""
    handles, names = axis.get_legend_handles_labels()
    unique = dict(zip(names, handles, strict=True))
    # an inch holds about 13 letters; line and gap of an entry take 7
    fitting = int(13 * figure.get_figwidth()) // (max(map(len, unique), default=0) + 7)
    columns = max(1, min(columns, fitting))
    figure.legend(unique.values(), unique.keys(), loc="outside upper left", ncols=columns, frameon=False)


def note_below(figure: Figure, text: str) -> None:
    """Words under the panels, in lines that the figure's width holds: under what conditions this was found."""
    # an inch holds about 17 letters of this size
    wrapped = textwrap.fill(text, int(17 * figure.get_figwidth()))
    figure.supxlabel(wrapped, x=0.01, ha="left", fontsize=7.5, color="#555555")


def svg(figure: Figure, prefix: str) -> str:
    """The figure as an <svg> element whose ids start with `prefix`, so that several fit one page."""
    out = io.StringIO()
    for words in figure.findobj(Text):
        # names may hold dollar signs; ticks without words yet may become matplotlib's own formulas
        if isinstance(words, Text) and words.get_text():
            words.set_parse_math(False)
    with mpl.rc_context(SETTINGS):
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    text = out.getvalue()
    text = text[text.index("<svg") :]
    # of elements alone: words between them stay as they are, and matplotlib has escaped the names
    text = re.sub(r"<[^>]*>", lambda tag: re.sub(r'([\w:-]+)="([^"]*)"', partial(_attribute, prefix), tag[0]), text)
    # the page scales it
    for name in ("width", "height"):
        text = re.sub(rf'(<svg[^>]*?) {name}="[^"]*"', r"\1", text, count=1)
    return text


def _attribute(prefix: str, found: re.Match[str]) -> str:
    """An attribute of matplotlib's SVG as it stands on the page."""
    name, value = found.groups()
    if name == "id" and value.startswith(MARKED):
        kind, _, who = value.removeprefix(MARKED).partition(" ")
        return f'data-{kind}="{who}"'
    if name == "id":
        value = f"{prefix}-{value}"
    elif name in ("href", "xlink:href"):
        value = re.sub("^#", f"#{prefix}-", value)
    elif name == "d":
        # a hundredth of a point is enough for a line, and half as long as what matplotlib writes
        value = re.sub(r"(\.\d\d)\d+", r"\1", value)
    else:
        value = value.replace("url(#", f"url(#{prefix}-")
    return f'{name}="{value}"'
