"""The house's rules: who imports whom, what is public, what is generated, what opens a file."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import gotrace

ROOT = Path(gotrace.__file__).parent
PROJECT = Path(__file__).parent.parent.parent
MODULES = sorted(ROOT.rglob("*.py"))
FLOORS = [
    {"spec", "dtypes", "errors", "losses", "_varint", "_batch", "_tables", "_fast_pext", "_runs", "_ahead", "_walk"}
    | {"_decode", "_pool", "_allocfree", "_blocks", "_text", "_encode", "_simulate", "_sites", "_lifetimes"},
    {"source", "header", "clock", "slabs", "tables", "experiments", "heap", "ordering", "selection", "parts", "reader"}
    | {
        "second",
        "wire",
        "parsed",
        "events",
        "varint",
        "raw",
        "simulation",
        "plots",
        "lifetimes",
        "owners",
        "sampling",
        "instants",
    },
    {"trace"},
    {"analysis"},
    {"report", "export"},
    {"cli"},
]


def floor(module: str) -> int:
    room = module.split(".")[1] if "." in module else ""
    return next((i for i, rooms in enumerate(FLOORS) if room in rooms), len(FLOORS))


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("gotrace"):
            found |= {f"{node.module}.{name.name}" if node.module == "gotrace" else node.module for name in node.names}
        elif isinstance(node, ast.Import):
            found |= {name.name for name in node.names if name.name.startswith("gotrace")}
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_downward(path: Path) -> None:
    name = ".".join(("gotrace", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__")
    if name in ("gotrace", "gotrace.__main__"):
        return
    for imported in imports(path):
        if imported not in ("gotrace", "gotrace.__version__"):
            assert floor(imported) <= floor(name), f"{name} imports {imported}"


def test_every_room_has_a_floor() -> None:
    rooms = {path.relative_to(ROOT).parts[0].removesuffix(".py") for path in MODULES} - {"__init__", "__main__"}
    assert rooms <= set().union(*FLOORS)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_says_what_lives_there_and_what_never(path: Path) -> None:
    said = ast.get_docstring(ast.parse(path.read_text())) or ""
    assert "ever" in said, path


def test_kernels_cimport_c_and_each_other_only() -> None:
    for path in (PROJECT / "src" / "gotrace").glob("*.p[yx][xd]"):
        for line in path.read_text().splitlines():
            if line.startswith(("import ", "from ")):
                assert " cimport " in line, f"{path.name}: {line}"
                assert line.startswith(("from libc.", "from gotrace._")), f"{path.name}: {line}"


def test_generated_files_are_fresh(tmp_path: Path) -> None:
    subprocess.run([sys.executable, PROJECT / "tools" / "gen_pxd.py", "-o", tmp_path], check=True)
    for name in ("_generated.pxd", "ordering/names.py"):
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
