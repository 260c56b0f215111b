"""Tables of the page as LaTeX, for \\input in a paper that loads booktabs."""

from __future__ import annotations

import pandas as pd

from analysis.report.parts import Cell, Table

SIGNS = {
    "–": "--", "−": "$-$", "±": r"$\pm$", "≥": r"$\geq$", "≤": r"$\leq$", "×": r"$\times$", "σ": r"$\sigma$",
    "α": r"$\alpha$", "ā": r"\={a}", "√": r"$\surd$", "<": r"\textless{}", ">": r"\textgreater{}",
}  # fmt: skip
"""What pandas' escape leaves as it is and LaTeX does not print alike in every font encoding."""


def latex(table: Table) -> str:
    """A tabular with rules of booktabs and the caption as a comment; every name in it is escaped.

    A cell's smaller words stand behind its number, in brackets.
    """
    frame = pd.DataFrame([[_words(cell) for cell in row] for row in table.rows], columns=range(len(table.head)))
    columns = "".join("l" if i in table.words or i == 0 else "r" for i in range(len(table.head)))
    styler = frame.style.format(escape="latex").hide(axis="index")
    styler = styler.format_index(lambda i: table.head[int(str(i))], escape="latex", axis=1)
    text = str(styler.to_latex(hrules=True, column_format=columns))
    for sign, written in SIGNS.items():
        text = text.replace(sign, written)
    caption = " ".join(table.caption.split())
    return f"% {caption}\n% \\usepackage{{booktabs}}\n{text}"


def _words(cell: Cell) -> str:
    words = f"{cell.main} [{cell.small}]" if cell.small else cell.main
    return " ".join(words.split())
