"""A page as a browser would read it: its elements with their attributes, and its words."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path


@dataclass
class Caption:
    """What stands with a figure or a table."""

    text: str = ""
    csv: str = ""
    """The table behind it, beside the page."""


@dataclass
class Read:
    """One page."""

    elements: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    """What it shows, piece by piece."""
    code: list[str] = field(default_factory=list)
    """What stands in <script>, and in <style> of figures and page."""

    captions: list[Caption] = field(default_factory=list)
    """Of figures and tables."""

    @property
    def shown(self) -> str:
        """All words on one line."""
        return " ".join(" ".join(self.words).split())


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.page = Read()
        self._captioned = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        own = {name: value or "" for name, value in attrs}
        self.page.elements.append((tag, own))
        if tag in ("caption", "figcaption"):
            self._captioned = True
            self.page.captions.append(Caption())
        if self._captioned and own.get("href", "").endswith(".csv"):
            self.page.captions[-1].csv = own["href"]

    def handle_endtag(self, tag: str) -> None:
        if tag in ("caption", "figcaption"):
            self._captioned = False

    def handle_data(self, data: str) -> None:
        (self.page.code if self.cdata_elem else self.page.words).append(data)
        if self._captioned:
            self.page.captions[-1].text += data


def read_page(page: Path) -> Read:
    """The page at this path."""
    reader = _Reader()
    reader.feed(page.read_text(encoding="utf-8"))
    reader.close()
    return reader.page
