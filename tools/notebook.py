"""Run the cells of a notebook and store their outputs, without Jupyter. Never here: the notebook's content.

``python tools/notebook.py docs/notebook.ipynb`` updates it. A cell is Python; the value of its last expression is
stored as text, as HTML and, if it is a plot, as an image, as Jupyter would.
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
    """Change the working directory temporarily."""
    previous = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(previous)


def outputs(source: str, names: dict[str, Any], number: int) -> list[dict[str, Any]]:
    """Run one cell and return the outputs that Jupyter would show."""
    tree = ast.parse(source)
    last = tree.body[-1] if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    stdout = io.StringIO()
    value = None
    with contextlib.redirect_stdout(stdout):
        for node in tree.body:
            if node is last:
                value = eval(compile(ast.Expression(node.value), "<cell>", "eval"), names)
            else:
                exec(compile(ast.Module([node], []), "<cell>", "exec"), names)
    results: list[dict[str, Any]] = []
    if stdout.getvalue():
        results.append({"output_type": "stream", "name": "stdout", "text": stdout.getvalue().splitlines(keepends=True)})
    if value is not None:
        data: dict[str, Any] = {"text/plain": [repr(value)]}
        html = getattr(value, "_repr_html_", lambda: None)()
        if html:
            data["text/html"] = [html]
        if hasattr(value, "figure"):
            image = io.BytesIO()
            value.figure.savefig(image, format="png", dpi=80, metadata={"Software": None})
            data = {"text/plain": ["<Axes>"], "image/png": base64.b64encode(image.getvalue()).decode()}
        results.append({"output_type": "execute_result", "execution_count": number, "metadata": {}, "data": data})
    return results


def run(path: Path) -> dict[str, Any]:
    """Run all cells of a notebook and return it with their outputs."""
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
