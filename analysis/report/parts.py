"""What sections of the page are made of."""

from __future__ import annotations

from dataclasses import dataclass, field

from markupsafe import Markup
from matplotlib.figure import Figure

from analysis.figures.style import svg


@dataclass(frozen=True)
class Cell:
    """A table's cell: what it says, and what it says smaller below."""

    main: str
    small: str = ""


@dataclass(frozen=True)
class Table:
    """Rows of cells; `words` are the columns that hold text."""

    caption: str
    head: list[str]
    rows: list[list[Cell]]
    csv: str = ""
    words: tuple[int, ...] = (0,)


@dataclass(frozen=True)
class Drawing:
    """A figure as SVG with its words."""

    svg: Markup
    alt: str
    caption: str
    csv: str = ""


@dataclass
class Section:
    """A part of the page."""

    id: str
    title: str
    text: list[str] = field(default_factory=list)
    figures: list[Drawing] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What its numbers leave out, below them."""
    answer: list[str] = field(default_factory=list)
    """Sentences for the top of the page."""


def drawing(figure: Figure, name: str, alt: str, caption: str, csv: str = "") -> Drawing:
    """The figure with ids that start with `name`; names in it are escaped by matplotlib's SVG writer."""
    return Drawing(Markup(svg(figure, name)), alt, caption, csv)
