"""YAML as plain nodes: what could hide structure or construct objects is refused where it stands."""

from __future__ import annotations

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
