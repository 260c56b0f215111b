"""What sections of the page are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from markupsafe import Markup
from matplotlib.figure import Figure

from analysis.figures.style import looks, svg
from analysis.figures.swatches import Swatch, swatches

Keys = dict[str, str]
"""What a filter of the page may hide a part by: kind (method, type, env, agents) -> the part's."""


@dataclass(frozen=True)
class Cell:
    """A table's cell: what it says, what it says smaller below, and where it leads to."""

    main: str
    small: str = ""
    link: str = ""


@dataclass(frozen=True)
class Table:
    """Rows of cells; `words` are the columns that hold text."""

    caption: str
    head: list[str]
    rows: list[list[Cell]]
    csv: str = ""
    words: tuple[int, ...] = (0,)
    row_keys: list[Keys] = field(default_factory=list)
    """Of each row, or empty where no filter is for rows."""
    column_keys: list[Keys] = field(default_factory=list)
    """Of each column, or empty."""

    def keys_of_row(self, row: int) -> dict[str, str]:
        """As attributes of an element."""
        return attributes(self.row_keys[row]) if self.row_keys else {}

    def keys_of_column(self, column: int) -> dict[str, str]:
        """As attributes of an element."""
        return attributes(self.column_keys[column]) if self.column_keys else {}


@dataclass(frozen=True)
class Panel:
    """One SVG of a drawing."""

    svg: Markup
    keys: Keys = field(default_factory=dict)

    @property
    def attributes(self) -> dict[str, str]:
        """Of the panel's element."""
        return attributes(self.keys)


@dataclass(frozen=True)
class Drawing:
    """A figure as SVG with its words: one wide panel, or several that stand side by side where there is room."""

    panels: list[Panel]
    alt: str
    caption: str
    csv: str = ""
    legend: list[Swatch] = field(default_factory=list)
    keys: Keys = field(default_factory=dict)
    wide: bool = True
    """One panel over the page's width, which scrolls on a phone; others are narrow."""

    @property
    def attributes(self) -> dict[str, str]:
        """Of the figure's element."""
        return attributes(self.keys)


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


def attributes(keys: Keys) -> dict[str, str]:
    """Keys as attributes of an element; the template escapes their values."""
    return {f"data-{kind}": value for kind, value in keys.items()}


def drawing(
    figure: Figure,
    name: str,
    alt: str,
    caption: str,
    csv: str = "",
    legend: Sequence[str] = (),
    keys: Keys | None = None,
) -> Drawing:
    """One wide figure with ids that start with `name`; names in it are escaped by matplotlib's SVG writer."""
    panel = Panel(Markup(svg(figure, name)))
    return Drawing([panel], alt, caption, csv, swatches(looks(legend)), keys or {})


def side_by_side(
    figures: Sequence[tuple[Figure, Keys]], name: str, alt: str, caption: str, csv: str = "", legend: Sequence[str] = ()
) -> Drawing:
    """Narrow figures, each with its keys, that stand side by side, or below each other on a phone.

    Args:
        legend: the policies that have an entry in the legend, all that the figures have, in the order of their looks.
    """
    panels = [Panel(Markup(svg(one, f"{name}{i}")), keys) for i, (one, keys) in enumerate(figures)]
    return Drawing(panels, alt, caption, csv, swatches(looks(legend)), wide=False)
