"""Extensions and their compiler directives; everything else is in pyproject.toml.

``GOTRACE_BUILD`` chooses the mode: ``release`` (default), ``debug`` (bounds, overflow and None checks, C
assertions), ``coverage`` (line tracing), ``sanitize`` (debug under AddressSanitizer and UBSan) or ``threads`` (debug
under ThreadSanitizer).
"""

import os
import platform
import re
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

os.chdir(Path(__file__).parent)  # setuptools wants relative paths
PACKAGE = Path("src/gotrace")
# Every .pyx is a kernel, and so is a .py that has a .pxd beside it.
KERNELS = sorted(
    [*PACKAGE.rglob("*.pyx"), *(path for path in PACKAGE.rglob("*.py") if path.with_suffix(".pxd").exists())]
)
SHARED = "gotrace._cyutility"  # Cython's own code for memoryviews, once instead of in each kernel
CIMPORT = re.compile(r"^from[ \t]+(gotrace[\w.]*)[ \t]+cimport", re.M)
MODES = ("release", "debug", "coverage", "sanitize", "threads")

mode = os.environ.get("GOTRACE_BUILD", "release")
if mode not in MODES:
    raise SystemExit(f"GOTRACE_BUILD={mode!r}: choose one of {', '.join(MODES)}")

checked = mode != "release"
directives = {
    "language_level": 3,
    "boundscheck": checked,
    "wraparound": checked,
    "initializedcheck": checked,
    "nonecheck": checked,
    "cdivision": True,
    "embedsignature": True,
    "linetrace": mode == "coverage",
    "freethreading_compatible": True,
}
# The casts of Cython's own generated code keep three warnings from being useful; ours must stay silent.
cflags = [
    "-Wall",
    "-Wextra",
    "-Wno-unused-parameter",
    "-Wno-unused-function",
    "-Wno-missing-field-initializers",
    "-fno-strict-aliasing",
    "-ffp-contract=off",
]
ldflags = []
macros = []
if mode == "release":
    cflags += ["-O3", "-DNDEBUG", "-g1"]
else:
    cflags += ["-O1", "-g", "-UNDEBUG"]
if mode == "coverage":
    macros += [("CYTHON_TRACE_NOGIL", "1")]
sanitizers = {
    "sanitize": ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined", "-fno-omit-frame-pointer"],
    "threads": ["-fsanitize=thread"],
}
cflags += sanitizers.get(mode, [])
ldflags += sanitizers.get(mode, [])


def module_of(path):
    """Name of a module by its path."""
    return ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)


def headers_of(kernel):
    """Return the .pxd files that a kernel is made of: its own, and all that these cimport."""
    found, waiting = set(), [kernel.with_suffix(".pxd"), kernel]
    while waiting:
        path = waiting.pop()
        if path.suffix == ".pxd":
            if path in found or not path.exists():
                continue
            found.add(path)
        for name in CIMPORT.findall(path.read_text()):
            waiting.append(PACKAGE.parent.joinpath(*name.split(".")).with_suffix(".pxd"))
    return sorted(map(str, found))


# Other builds test the portable code, which this processor would otherwise never run.
PEXT = ["-mbmi", "-mbmi2", "-DGOTRACE_PEXT"]
pext = mode == "release" and platform.machine() in ("x86_64", "AMD64")

setup(
    ext_modules=cythonize(
        [
            Extension(
                module_of(kernel),
                [str(kernel)],
                depends=headers_of(kernel),
                extra_compile_args=cflags + PEXT * (pext and kernel.stem.endswith("_bmi2")),
                extra_link_args=ldflags,
                define_macros=macros,
            )
            for kernel in KERNELS
        ]
        + [Extension(SHARED, [], extra_compile_args=cflags, extra_link_args=ldflags)],
        shared_utility_qualified_name=SHARED,
        compiler_directives=directives,
        build_dir=f"build/{mode}",
    )
)
