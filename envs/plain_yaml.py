"""YAML as plain nodes: what could hide structure or construct objects is refused where it stands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml


class PlainComposer(yaml.SafeLoader):
    """Nodes only; nothing is constructed. Anchors, aliases, tags and deep nesting are refused."""

    deepest = 20
    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """The next node; raises MarkedYAMLError with the place of what is refused."""
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]  # the stubs leave it bare
        what = None
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            what = "anchors (&) and aliases (*) are not read; write the values out"
        elif getattr(event, "tag", None) is not None:
            what = f"tags are not read, got {event.tag}; write a plain value"
        elif self.depth >= self.deepest:
            what = f"nested deeper than {self.deepest} levels"
        if what:
            raise yaml.MarkedYAMLError(problem=what, problem_mark=event.start_mark)
        self.depth += 1
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


def file_text(path: Path, wrong: type[Exception], *, most: int, too_large: str, missing: str = "") -> str:
    """The text of a YAML file.

    Args:
        wrong: what is raised; its message names the file, and the line where there is one.
        most: bytes of it.
        too_large, missing: the mend of a file that has more, and of one that is not there.
    """
    try:
        with path.open("rb") as file:
            data = file.read(most + 1)
    except FileNotFoundError:
        raise wrong(f"{path}: there is no such file in {Path.cwd()}{missing}") from None
    except OSError as error:
        raise wrong(f"{path}: cannot be read ({error.strerror})") from None
    if len(data) > most:
        raise wrong(f"{path}: larger than {most} bytes; {too_large}")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise wrong(f"{path}: byte {error.start} is not UTF-8 text") from None


def file_nodes(path: Path, wrong: type[Exception], *, most: int, too_large: str, missing: str = "") -> yaml.Node | None:
    """The nodes of a YAML file; None where it is empty. Arguments are those of `file_text`."""
    text = file_text(path, wrong, most=most, too_large=too_large, missing=missing)
    try:
        return _composed(text)
    except yaml.MarkedYAMLError as error:
        line = "" if error.problem_mark is None else f" line {error.problem_mark.line + 1}"
        raise wrong(f"{path}{line}: {' '.join(str(error.problem or error.context).split())}") from None
    except (yaml.YAMLError, RecursionError) as error:
        raise wrong(f"{path}: {' '.join(str(error).split())}") from None


def _composed(text: str) -> yaml.Node | None:
    loader = PlainComposer(text)
    try:
        return loader.get_single_node()
    finally:
        loader.dispose()
