"""Drawings with matplotlib show the numbers of the tables."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

import gotrace

PROJECT = Path(__file__).parent.parent.parent
EXAMPLE = PROJECT / "examples" / "heap.trace"
WITHOUT = """
import sys
sys.modules["matplotlib"] = None
import gotrace
try:
    gotrace.history(sys.argv[1]).plot()
except ImportError as error:
    print(error)
"""


def test_without_matplotlib() -> None:
    run = subprocess.run([sys.executable, "-c", WITHOUT, EXAMPLE], capture_output=True, text=True, check=True)
    assert run.stdout == "plots need matplotlib: python -m pip install 'gotrace[plot]'\n"


def test_heap_as_bars() -> None:
    pytest.importorskip("matplotlib").use("agg")
    with gotrace.open(EXAMPLE) as trace:
        heap = trace.heap()
    ax = heap.plot(top=5)
    used = heap.table[heap.table["inuse_bytes"] > 0]
    widths = [bar.get_width() * 2**20 for bar in ax.patches]
    assert widths[:5] == pytest.approx(used["inuse_bytes"][:5].tolist())
    assert sum(widths) == pytest.approx(int(used["inuse_bytes"].sum()))
    assert [label.get_text() for label in ax.get_yticklabels()] == [*used["name"][:5], f"{len(used) - 5} others"]
    assert heap.plot(top=3, ax=ax) is ax


def test_history_as_areas() -> None:
    pytest.importorskip("matplotlib").use("agg")
    history = gotrace.history(EXAMPLE)
    ax = history.plot(top=4)
    assert len(ax.collections) == 5
    top = max(y for x, y in ax.collections[-1].get_paths()[0].vertices)
    assert top * 2**20 == pytest.approx(int(history.moments["inuse_bytes"].max()))
    assert [text.get_text() for text in ax.get_legend().get_texts()][-1] == "(other)"
    assert len(ax.patches) == len(history.marks)
    ax.figure.canvas.draw()


def test_tables_in_notebooks() -> None:
    with gotrace.open(EXAMPLE) as trace:
        html = trace.types._repr_html_()
        assert html is not None
        assert html.count("<tr>") == 11
        assert "(untyped)" in html
    with EXAMPLE.open("rb", buffering=0) as file, gotrace.open(file.read()) as trace:
        assert trace.heap()._repr_html_().startswith("<table>")
    with subprocess.Popen(["cat", EXAMPLE], stdout=subprocess.PIPE) as cat:
        assert cat.stdout is not None
        with gotrace.open(cat.stdout) as trace:
            assert trace.types._repr_html_() is None
            assert len(trace.types)


def test_the_notebook_shows_what_it_says() -> None:
    pytest.importorskip("matplotlib")
    spec = importlib.util.spec_from_file_location("notebook", PROJECT / "tools" / "notebook.py")
    assert spec is not None
    assert spec.loader is not None
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    path = PROJECT / "docs" / "notebook.ipynb"
    for now, before in zip(tool.run(path)["cells"], json.loads(path.read_text())["cells"], strict=True):
        assert len(now.get("outputs", [])) == len(before.get("outputs", []))
        for new, old in zip(now.get("outputs", []), before.get("outputs", []), strict=True):
            assert new.get("text") == old.get("text")
            assert set(new.get("data", {})) == set(old.get("data", {}))
            for kind in ("text/html", "text/plain"):
                assert new.get("data", {}).get(kind) == old.get("data", {}).get(kind)
