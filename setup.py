"""Extensions and their compiler directives; everything else is in pyproject.toml.

``GOTRACE_BUILD`` chooses the mode: ``release`` (default), ``debug`` (bounds, overflow and None checks, C
assertions), ``coverage`` (line tracing), ``sanitize`` (debug under AddressSanitizer and UBSan) or ``threads`` (debug
under ThreadSanitizer).
"""

import os
import platform
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

KERNELS = ["_varint", "_batch", "_tables", "_fast_pext", "_runs", "_ahead", "_walk", "_decode", "_pool", "_allocfree"]
KERNELS += ["_blocks", "_text", "_encode", "_simulate", "_sites", "_lifetimes"]
SOURCES = {f"gotrace.{name}": f"src/gotrace/{name}.pyx" for name in KERNELS}
SOURCES["gotrace.ordering.machine"] = "src/gotrace/ordering/machine.py"
SHARED = "gotrace._cyutility"  # Cython's own code for memoryviews, once instead of in each kernel
HEADERS = sorted(map(str, Path("src/gotrace").rglob("*.pxd")))
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

# Other builds test the portable code, which this processor would otherwise never run.
PEXT = ["-mbmi", "-mbmi2", "-DGOTRACE_PEXT"]
pext = mode == "release" and platform.machine() in ("x86_64", "AMD64")

setup(
    ext_modules=cythonize(
        [
            Extension(
                name,
                [source],
                depends=HEADERS,
                extra_compile_args=cflags + PEXT * (pext and name == "gotrace._fast_pext"),
                extra_link_args=ldflags,
                define_macros=macros,
            )
            for name, source in SOURCES.items()
        ]
        + [Extension(SHARED, [], extra_compile_args=cflags, extra_link_args=ldflags)],
        shared_utility_qualified_name=SHARED,
        compiler_directives=directives,
        build_dir=f"build/{mode}",
    )
)
