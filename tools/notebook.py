"""Run the cells of a notebook and write down what they show, without Jupyter. Never here: what the notebook says.

``python tools/notebook.py docs/notebook.ipynb`` runs it anew. A cell is Python; the value of its last expression is
shown as text, as HTML and, if it is a drawing, as a picture, as Jupyter would.
"""

from __future__ import annotations

import argparse
import ast
import base64
import contextlib
import io
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any


@contextlib.contextmanager
def inside(folder: Path) -> Iterator[None]:
    """Work in a folder for a while."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def outputs(source: str, names: dict[str, Any], number: int) -> list[dict[str, Any]]:
    """Run one cell; what Jupyter would show under it."""
    tree = ast.parse(source)
    last = tree.body[-1] if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    said = io.StringIO()
    value = None
    with contextlib.redirect_stdout(said):
        for node in tree.body:
            if node is last:
                value = eval(compile(ast.Expression(node.value), "<cell>", "eval"), names)
            else:
                exec(compile(ast.Module([node], []), "<cell>", "exec"), names)
    shown: list[dict[str, Any]] = []
    if said.getvalue():
        shown.append({"output_type": "stream", "name": "stdout", "text": said.getvalue().splitlines(keepends=True)})
    if value is not None:
        data: dict[str, Any] = {"text/plain": [repr(value)]}
        html = getattr(value, "_repr_html_", lambda: None)()
        if html:
            data["text/html"] = [html]
        if hasattr(value, "figure"):
            picture = io.BytesIO()
            value.figure.savefig(picture, format="png", dpi=80, metadata={"Software": None})
            data = {"text/plain": ["<Axes>"], "image/png": base64.b64encode(picture.getvalue()).decode()}
        shown.append({"output_type": "execute_result", "execution_count": number, "metadata": {}, "data": data})
    return shown


def run(path: Path) -> dict[str, Any]:
    """Run all cells of a notebook; the notebook with what they show."""
    import matplotlib

    matplotlib.use("agg")
    notebook: dict[str, Any] = json.loads(path.read_text())
    names: dict[str, Any] = {}
    number = 0
    with inside(path.parent):
        for cell in notebook["cells"]:
            if cell["cell_type"] == "code":
                number += 1
                cell["execution_count"] = number
                cell["outputs"] = outputs("".join(cell["source"]), names, number)
    return notebook


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("notebook", type=Path)
    path = parser.parse_args().notebook
    path.write_text(json.dumps(run(path), indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
