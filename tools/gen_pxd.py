"""Write ``src/gotrace/_generated.pxd``: record structs and enums for Cython, from their Python definitions.

Run it after a change of ``dtypes.py``, ``errors.Status`` or ``spec/limits.py``; a test compares. Never here:
facts of its own.
"""

from __future__ import annotations

import argparse
from enum import IntEnum
from pathlib import Path

import numpy as np

from gotrace import dtypes
from gotrace.errors import Status
from gotrace.spec import limits

C_TYPES = {
    "int64": "int64_t",
    "uint64": "uint64_t",
    "int32": "int32_t",
    "uint32": "uint32_t",
    "uint8": "uint8_t",
    "float64": "double",
}
STRUCTS = [
    *("ALLOC", "EXPERIMENTAL"),
    *("BATCH", "FAULT", "CLOCK", "RAW_STRING", "RAW_STACK", "RAW_FRAME", "RAW_SAMPLE", "RAW_TYPE"),
    *("GEN", "RUN", "DECODED", "CTX", "SPAN", "SPAN_REST", "COUNTS"),
]
ENUMS: list[tuple[str, type[IntEnum]]] = [
    ("", Status),
    ("KIND_", dtypes.BatchKind),
    ("WHAT_", dtypes.What),
    ("OP_", dtypes.Op),
    ("", dtypes.Layout),
    ("SIZE_", dtypes.HeapSize),
    ("ODD_", dtypes.Anomaly),
]
LIMITS = ["MAX_BATCH_SIZE", "MAX_STRING", "MAX_FRAMES", "HEAP_ADDRESS_BITS"]


def struct(name: str, dtype: np.dtype[np.void]) -> str:
    assert dtype.fields is not None
    lines = [f"cdef struct {name}:"]
    for field in dtype.names or ():
        kind = dtype.fields[field][0]
        size = f"[{kind.shape[0]}]" if kind.shape else ""
        lines.append(f"    {C_TYPES[kind.base.name]} {field}{size}")
    return "\n".join(lines)


def render() -> str:
    """Return the text of the file."""
    parts = [
        "# Written by tools/gen_pxd.py from dtypes.py, errors.py and spec/limits.py. Do not edit.",
        "from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t",
        "",
    ]
    for prefix, enum in ENUMS:
        parts.append("cdef enum:")
        parts += [f"    {prefix}{name} = {member.value}" for name, member in enum.__members__.items()]
        parts.append("")
    parts.append("cdef enum:")
    parts += [f"    {name} = {getattr(limits, name)}" for name in LIMITS]
    parts.append("")
    for name in STRUCTS:
        parts += [struct(name, getattr(dtypes, name)), ""]
    return "\n".join(parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--output", type=Path, default=Path("src/gotrace/_generated.pxd"))
    parser.parse_args().output.write_text(render())


if __name__ == "__main__":
    main()
