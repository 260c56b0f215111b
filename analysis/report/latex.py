"""Tables of the page as LaTeX, for \\input in a paper that loads booktabs."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.report.parts import Cell, Table

SIGNS: dict[str, str | int | None] = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': r"\textquotedbl{}", "–": "--", "−": "$-$", "±": r"$\pm$", "≥": r"$\geq$",
    "≤": r"$\leq$", "×": r"$\times$", "·": r"$\cdot$", "σ": r"$\sigma$", "α": r"$\alpha$", "ā": r"\={a}",
}  # fmt: skip
"""What LaTeX reads as a command, or does not print alike in every font encoding."""


def latex(table: Table) -> str:
    """A tabular with rules of booktabs, its caption above as a comment; every name in it is escaped.

    A cell's smaller words stand behind its number, in brackets.
    """
    columns = "".join("l" if i in table.words or i == 0 else "r" for i in range(len(table.head)))
    lines = [
        f"% {escaped(table.caption)}",
        r"% \usepackage{booktabs}",
        rf"\begin{{tabular}}{{{columns}}}",
        r"\toprule",
        _row(table.head),
        r"\midrule",
        *(_row([_words(cell) for cell in row]) for row in table.rows),
        r"\bottomrule",
        r"\end{tabular}",
    ]
    return "\n".join(lines) + "\n"


def escaped(text: str) -> str:
    """The text on one line, as LaTeX prints it."""
    return " ".join(text.split()).translate(str.maketrans(SIGNS))


def _row(cells: Sequence[str]) -> str:
    return " & ".join(map(escaped, cells)) + r" \\"


def _words(cell: Cell) -> str:
    return f"{cell.main} [{cell.small}]" if cell.small else cell.main
