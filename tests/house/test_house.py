"""The layout of the code: who imports whom, what is public, what is generated, how wide kernels are."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import layout
import pytest

import gotrace

PROJECT = Path(__file__).parent.parent.parent
SOURCES = layout.sources()
MODULES = [path for path in SOURCES if path.suffix == ".py"]
MOST_LINES = 1650
MOST_PARAMETERS = 10


def name_of(path: Path) -> str:
    return str(path.relative_to(layout.PACKAGE))


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_imports_go_downward(path: Path) -> None:
    name = layout.module(path)
    assert layout.layer(name) >= 0, f"{name} has no layer in tools/layout.py"
    if path == layout.PACKAGE / "__init__.py":
        return
    folder = name.split(".")[1]
    for imported in layout.imports(path, {layout.module(other) for other in SOURCES}):
        if imported != "gotrace" and imported.split(".")[1] != folder:
            assert layout.layer(imported) < layout.layer(name), f"{name} imports {imported}"


def test_no_modules_import_each_other() -> None:
    assert layout.cycles(layout.graph()) == []


def test_cycles_are_found() -> None:
    edges = {"a": {"b"}, "b": {"c"}, "c": {"b", "d"}, "d": set()}
    assert layout.cycles(edges) == [["b", "c"]]


@pytest.mark.parametrize("path", [path for path in SOURCES if path.suffix == ".pyx"], ids=name_of)
def test_kernels_are_narrow(path: Path) -> None:
    wide = {name: n for name, n in layout.parameters(path).items() if n > MOST_PARAMETERS}
    assert wide == {}


def test_parameters_are_counted(tmp_path: Path) -> None:
    kernel = tmp_path / "k.pyx"
    kernel.write_text("cdef int f(int[3] a,\n           const T[:, ::1] b) noexcept nogil:\n    pass\n"
                      "def g(self, x=(1, 2), *, y):\n    pass\n")  # fmt: skip
    assert layout.parameters(kernel) == {"f": 2, "g": 2}


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_underscores_stay_at_home(path: Path) -> None:
    assert layout.private_members(path) == []


@pytest.mark.parametrize("path", [path for path in SOURCES if path.suffix in (".py", ".pyx")], ids=name_of)
def test_modules_are_not_endless(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= MOST_LINES


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_says_what_lives_there_and_what_never(path: Path) -> None:
    said = ast.get_docstring(ast.parse(path.read_text())) or ""
    assert "ever" in said, path


@pytest.mark.parametrize("path", [path for path in SOURCES if path.suffix in (".pyx", ".pxd")], ids=name_of)
def test_kernels_cimport_c_and_each_other_only(path: Path) -> None:
    for line in path.read_text().splitlines():
        if line.startswith(("import ", "from ")):
            assert " cimport " in line, f"{path.name}: {line}"
            assert line.startswith(("from libc.", "from gotrace.")), f"{path.name}: {line}"


def test_generated_files_are_fresh(tmp_path: Path) -> None:
    subprocess.run([sys.executable, PROJECT / "tools" / "gen_pxd.py", "-o", tmp_path], check=True)
    for name in ("_generated.pxd", "order/names.py"):
        assert (tmp_path / name).read_text() == (PROJECT / "src" / "gotrace" / name).read_text()


def test_public_names() -> None:
    assert sorted(gotrace.__all__) == sorted(set(gotrace.__all__))
    for name in gotrace.__all__:
        thing = getattr(gotrace, name)
        assert not name.startswith("_")
        if not isinstance(thing, gotrace.ALLOC.__class__.__mro__[1]):
            assert thing.__doc__, name


def test_import_needs_numpy_alone() -> None:
    program = (
        "import sys, gotrace\n"
        "print(sorted({name.split('.')[0] for name in sys.modules} & {'rich', 'matplotlib', 'pyarrow', 'hypothesis'}))"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"
