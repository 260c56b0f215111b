"""The page from its sections, and all that stands beside it, written to disk."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from analysis.figures.style import looks
from analysis.figures.swatches import Swatch, swatches
from analysis.report.latex import latex
from analysis.report.parts import Section
from mfmarl.runs.files import replacing, storing, write_whole

TABLES = "tables"
"""Folder of the LaTeX files, beside the page."""
WRITTEN = ".files"
"""List of the CSV and LaTeX files of the report in a folder."""


@dataclass(frozen=True)
class Choice:
    """A box of a filter: the value that parts of the page have, and what it is called."""

    value: str
    label: str
    swatch: Swatch | None = None


@dataclass(frozen=True)
class Filter:
    """Boxes of one kind: method, type, env or agents."""

    kind: str
    title: str
    choices: list[Choice]


@dataclass(frozen=True)
class Page:
    """All that one page says."""

    title: str
    subtitle: str
    answer: list[str]
    sections: list[Section]
    filters: list[Filter] = field(default_factory=list)
    parent: str = ""
    """Where the page of the whole study is, or nothing."""


def policy_filter(policies: Sequence[str]) -> Filter:
    """A box for each method and reference policy, with its look in figures."""
    boxes = [Choice(one.name, one.label, one) for one in swatches(looks(policies))]
    return Filter("method", "Methods and reference policies", boxes)


def named_filter(kind: str, title: str, names: Sequence[str]) -> Filter:
    """A box for each name."""
    return Filter(kind, title, [Choice(name, name) for name in names])


def write_page(page: Page, files: Mapping[str, pd.DataFrame], out: Path) -> Path:
    """OUT/index.html, self-contained, with the CSV files and the LaTeX of each table beside it.

    Raises:
        StorageFailed: where the disk does not take the files.
    """
    names = _latex_names(page.sections)
    text = _html(page, names)
    with storing(out):
        (out / TABLES).mkdir(parents=True, exist_ok=True)
        _take_away(out, {*files, *names.values()})
    for name, frame in files.items():
        with replacing(out / name) as temporary:
            frame.to_csv(temporary, index=False, float_format="%.10g")
    for section in page.sections:
        for i, table in enumerate(section.tables):
            write_whole(out / names[section.id, i], latex(table).encode())
    write_whole(out / "index.html", text.encode())
    return out / "index.html"


def _take_away(out: Path, kept: set[str]) -> None:
    """Remove what an earlier report wrote here and this one does not; which files those are stands in WRITTEN."""
    listed = out / WRITTEN
    if listed.exists():
        for name in set(listed.read_text(encoding="utf-8").splitlines()) - kept:
            # one level of folders at most, whatever the list says
            if re.fullmatch(rf"({TABLES}/)?[A-Za-z0-9_-]+\.(csv|tex)", name):
                (out / name).unlink(missing_ok=True)
    write_whole(listed, "".join(f"{name}\n" for name in sorted(kept)).encode())


def _latex_names(sections: Sequence[Section]) -> dict[tuple[str, int], str]:
    """(section, number of the table in it) -> its file."""
    return {
        (section.id, i): f"{TABLES}/{section.id}{f'_{i + 1}' * (len(section.tables) > 1)}.tex"
        for section in sections
        for i in range(len(section.tables))
    }


def _html(page: Page, names: Mapping[tuple[str, int], str]) -> str:
    environment = Environment(
        loader=PackageLoader("analysis.report", "."), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    loader = environment.loader
    assert loader is not None
    script = loader.get_source(environment, "page.js")[0]
    # the page's policy runs this script alone
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return environment.get_template("page.html.j2").render(
        title=page.title,
        subtitle=page.subtitle,
        answer=page.answer,
        sections=page.sections,
        filters=[one for one in page.filters if len(one.choices) > 1],
        parent=page.parent,
        latex=names,
        script=Markup(script),
        script_hash=Markup(digest),
    )
