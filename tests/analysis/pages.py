"""A page as a browser would read it: its elements with their attributes, and its words."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path


@dataclass
class Read:
    """One page."""

    elements: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    """What it shows, piece by piece."""
    code: list[str] = field(default_factory=list)
    """What stands in <script>, and in <style> of figures and page."""

    @property
    def kinds(self) -> set[tuple[str, str]]:
        """(element, attribute), and (element, "") of every element."""
        return {(tag, name) for tag, own in self.elements for name in ("", *own)}

    @property
    def shown(self) -> str:
        """All words on one line."""
        return " ".join(" ".join(self.words).split())


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.page = Read()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.page.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        (self.page.code if self.cdata_elem else self.page.words).append(data)


def read_page(page: Path) -> Read:
    """The page at this path."""
    reader = _Reader()
    reader.feed(page.read_text(encoding="utf-8"))
    reader.close()
    return reader.page
