"""The layout of the code: who imports whom, what is public, what is generated, how wide kernels are."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
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


@pytest.mark.parametrize(
    ("tool", "names"),
    [
        ("gen_pxd.py", ["_generated.pxd", "order/names.py"]),
        ("gen_pyi.py", [str(path.relative_to(layout.PACKAGE)) for path in SOURCES if path.suffix == ".pyi"]),
    ],
)
def test_generated_files_are_fresh(tool: str, names: list[str], tmp_path: Path) -> None:
    subprocess.run([sys.executable, PROJECT / "tools" / tool, "-o", tmp_path], check=True)
    for name in names:
        if name != "order/machine.pyi":  # the one that is written by hand
            assert (tmp_path / name).read_text() == (layout.PACKAGE / name).read_text(), name


def test_kernels_are_found_and_depend_on_their_headers() -> None:
    """What setup.py builds is what the layout calls kernels."""
    program = (
        "import setuptools, runpy; found = {}\n"
        "setuptools.setup = lambda ext_modules: found.update({e.name: sorted(e.depends) for e in ext_modules})\n"
        "import Cython.Build; Cython.Build.cythonize = lambda modules, **_: modules\n"
        "runpy.run_path('setup.py'); print(found)"
    )
    run = subprocess.run([sys.executable, "-c", program], cwd=PROJECT, capture_output=True, text=True, check=True)
    found = ast.literal_eval(run.stdout)
    assert set(found) == {layout.module(path) for path in layout.kernels()} | {"gotrace._cyutility"}
    assert "src/gotrace/wire/_stream.pxd" in found["gotrace.wire._scan"]
    assert "src/gotrace/order/machine.pxd" not in found["gotrace.wire._scan"]


def test_a_source_distribution_has_all_that_a_build_needs(tmp_path: Path) -> None:
    project = tmp_path / "project"
    ignore = shutil.ignore_patterns("build", "*.so", ".git", "tests", "benchmarks", "docs", "*.egg-info", ".*_cache")
    shutil.copytree(PROJECT, project, ignore=ignore)
    build = "import sys; from setuptools import build_meta as b; print(getattr(b, sys.argv[1])(sys.argv[2]))"

    def run(hook: str, folder: Path) -> Path:
        command = [sys.executable, "-c", build, hook, str(tmp_path)]
        env = {**os.environ, "CFLAGS": "-O0"}
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True, env=env)
        return tmp_path / done.stdout.splitlines()[-1]

    source = run("build_sdist", project)
    with tarfile.open(source) as archive:
        archive.extractall(tmp_path, filter="data") if hasattr(tarfile, "data_filter") else archive.extractall(tmp_path)
    wheel = run("build_wheel", tmp_path / source.name.removesuffix(".tar.gz"))
    names = zipfile.ZipFile(wheel).namelist()
    for path in layout.kernels():
        stem = f"gotrace/{path.relative_to(layout.PACKAGE).with_suffix('')}."
        assert any(name.startswith(stem) and name.endswith(".so") for name in names), stem
    assert "gotrace/report/web/page.html" in names
    assert "gotrace/py.typed" in names


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
        "others = {'rich', 'matplotlib', 'pyarrow', 'pandas', 'polars', 'duckdb', 'hypothesis'}\n"
        "print(sorted({name.split('.')[0] for name in sys.modules} & others))"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"
