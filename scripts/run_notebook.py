"""Run a notebook's cells in order, without Jupyter: `python scripts/run_notebook.py NOTEBOOK [--write]`.

Exits with 1 and the cell's traceback where one fails. --write puts what the cells print and show back into the file.
"""

from __future__ import annotations

import argparse
import ast
import base64
import io
import json
import sys
import traceback
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure


def shown(value: Any) -> dict[str, Any]:
    """A cell's last value as Jupyter keeps it: a picture, a table, or text."""
    if isinstance(value, Figure):
        out = io.BytesIO()
        value.savefig(out, format="png", dpi=80, metadata={"Software": None})
        return {"image/png": base64.b64encode(out.getvalue()).decode(), "text/plain": ["<Figure>"]}
    data: dict[str, Any] = {"text/plain": repr(value).splitlines(keepends=True)}
    if hasattr(value, "_repr_html_"):
        data["text/html"] = value._repr_html_().splitlines(keepends=True)
    return data


def run_cell(source: str, namespace: dict[str, Any], number: int) -> list[dict[str, Any]]:
    """Execute one cell; its outputs."""
    # lines of IPython's own are not Python
    lines = ["" if line.startswith("%") else line for line in source.splitlines()]
    tree = ast.parse("\n".join(lines), f"cell {number}")
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    printed, value = io.StringIO(), None
    with redirect_stdout(printed):
        exec(compile(tree, f"cell {number}", "exec"), namespace)
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), f"cell {number}", "eval"), namespace)
    outputs: list[dict[str, Any]] = []
    if printed.getvalue():
        text = printed.getvalue().splitlines(keepends=True)
        outputs.append({"output_type": "stream", "name": "stdout", "text": text})
    if value is not None:
        told = {"output_type": "execute_result", "execution_count": number, "metadata": {}, "data": shown(value)}
        outputs.append(told)
    return outputs


def main() -> int:
    """Run them all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("notebook", type=Path)
    parser.add_argument("--write", action="store_true", help="put what cells print and show back into the file")
    options = parser.parse_args()
    path = options.notebook
    notebook = json.loads(path.read_text(encoding="utf-8"))
    namespace: dict[str, Any] = {"__name__": "__main__"}
    codes = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    for number, cell in enumerate(codes, 1):
        try:
            cell["outputs"] = run_cell("".join(cell["source"]), namespace, number)
        except Exception:
            traceback.print_exc()
            print(f"{path}: cell {number} of {len(codes)} failed", file=sys.stderr)
            return 1
        cell["execution_count"] = number
    if options.write:
        path.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"{path}: {len(codes)} cells run")
    return 0


if __name__ == "__main__":
    sys.exit(main())
