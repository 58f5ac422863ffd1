"""Target ``kernels``: the kernels on small inputs, meant for a build with sanitizers.

An input goes once through all kernels by way of the package, which takes some milliseconds; then the compiled loop
gives changed copies of it to the lower kernels. Never here: what a right result is, apart from the kind of an error.
"""

from __future__ import annotations

import importlib.util
from collections import Counter
from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
from Cython.Build import cythonize
from setuptools import Distribution, Extension
from setuptools.command.build_ext import build_ext

import gotrace
from fuzzing.checks import Problem, problem_of
from gotrace.spec.versions import VERSIONS

COPIES = 128  # changed copies of an input for the lower kernels
TABLES = ["allocs", "lifetimes", "experimental", "events", "samples", "frames"]
HERE = Path(__file__).parent
BUILD = HERE.parent.parent / "build" / "fuzz"


@cache
def compiled() -> ModuleType:
    """Compile the loop, if it changed, and import it."""
    include = str(Path(gotrace.__file__).parent.parent)
    extension = Extension("fuzzing.loop", [str(HERE / "loop.pyx")])
    directives = {"language_level": 3, "show_performance_hints": False}
    modules = cythonize(  # type: ignore[no-untyped-call]
        [extension], include_path=[include], build_dir=str(BUILD), compiler_directives=directives, quiet=True
    )
    command = build_ext(Distribution({"ext_modules": modules}))
    command.build_lib = command.build_temp = str(BUILD)
    command.ensure_finalized()
    command.run()
    spec = importlib.util.spec_from_file_location("fuzzing.loop", command.get_ext_fullpath("fuzzing.loop"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _text(data: bytes, mode: Any) -> None:
    with gotrace.open(data) as trace:
        for _ in trace.text(mode):
            pass


def _tables(data: bytes, errors: Any) -> None:
    with gotrace.open(data, errors=errors) as trace:
        for _ in trace.iterate(TABLES, step_size=2048):
            pass


CALLS = {
    "tables": partial(_tables, errors="raise"),
    "tables, salvaged": partial(_tables, errors="salvage"),
    "parsed text": partial(_text, mode="parsed"),
    "wire text": partial(_text, mode="wire"),
}


class Kernels:
    """An input for all kernels, and changed copies for the lower ones."""

    lot = 1
    largest = 3_000

    def __init__(self, shown: npt.NDArray[np.uint8], shown_size: npt.NDArray[np.int64]) -> None:
        loop = compiled()
        self._loops = {f"go 1.{number} ".encode(): loop.Kernels(version) for number, version in VERSIONS.items()}
        self._shown, self._shown_size = shown, shown_size
        self._calls = 0
        self.changed = 0
        self.documented = Counter[str]()

    @property
    def runs(self) -> int:
        """Calls of the package and of kernels."""
        return self._calls + sum(int(loop.calls) for loop in self._loops.values())

    def check(self, inputs: Sequence[bytes], number: int, only: str | None = None) -> list[Problem | None]:
        """Test one input; with ``only``, without changed copies."""
        (data,) = inputs
        for name, call in CALLS.items():
            found = problem_of(name, partial(call, data))
            self._calls += 1
            if found is not None:
                return [found]
        loop = self._loops.get(data[:8])
        if loop is not None and len(data) >= 16:
            if only:
                loop.read(np.frombuffer(data, np.uint8).copy())
            else:
                loop.run(np.frombuffer(data, np.uint8), number + 1, COPIES, self._shown, self._shown_size)
                self.changed += COPIES
        return [None]
