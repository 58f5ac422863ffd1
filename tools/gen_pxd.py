"""Write ``_generated.pxd``, record structs and enums for Cython, from their Python definitions; and the enums
once more as ``ordering/names.py``.

Run it after a change of ``dtypes.py``, ``errors.Status`` or ``spec/limits.py``; a test compares. Never here:
facts of its own.
"""

from __future__ import annotations

import argparse
import sys
from enum import IntEnum
from pathlib import Path
from types import ModuleType

import numpy as np

# The package without its kernels, which may not be built yet.
sys.modules["gotrace"] = ModuleType("gotrace")
sys.modules["gotrace"].__path__ = [str(Path(__file__).parent.parent / "src" / "gotrace")]

from gotrace import dtypes  # noqa: E402
from gotrace.errors import Status  # noqa: E402
from gotrace.spec import enums, limits  # noqa: E402
from gotrace.spec.rules import Rule  # noqa: E402

C_TYPES = {
    "int64": "int64_t",
    "uint64": "uint64_t",
    "int32": "int32_t",
    "uint32": "uint32_t",
    "uint16": "uint16_t",
    "uint8": "uint8_t",
    "int8": "int8_t",
    "float64": "double",
}
STRUCTS = [
    *("ALLOC", "EXPERIMENTAL", "LIFETIME"),
    *("BATCH", "FAULT", "CLOCK", "RAW_STRING", "RAW_STACK", "RAW_PC", "NEAR_PC", "RAW_SAMPLE", "RAW_TYPE"),
    *("GEN", "RUN", "DECODED", "BRIEF", "CTX", "PAGE", "SPAN", "COUNTS"),
    *("MARK", "HELD_SPAN", "CELL", "TALLY", "CYCLE"),
    *("EVENT", "SAMPLE", "ORDERED", "SPEC", "PLACE", "G_STATE", "P_STATE", "M_STATE"),
    *("OPEN_RANGE", "OPEN_REGION", "ACTIVE_TASK", "NAME", "SCHED", "FRONT", "NOTE"),
    *("SIM_M", "SIM_P", "SIM_G", "SIM_SPAN"),
]
ENUMS: list[tuple[str, type[IntEnum]]] = [
    ("", Status),
    ("KIND_", dtypes.BatchKind),
    ("WHAT_", dtypes.What),
    ("OP_", dtypes.Op),
    ("", dtypes.Layout),
    ("SIZE_", dtypes.HeapSize),
    ("ODD_", dtypes.Anomaly),
    ("END_", dtypes.End),
    ("LIFE_", dtypes.Life),
    ("KEY_", dtypes.Key),
    ("RULE_", Rule),
    ("EVENT_", enums.EventKind),
    ("EV_", enums.EventType),
    ("GO_", enums.GoStatus),
    ("PROC_", enums.ProcStatus),
    ("GO_STATE_", enums.GoState),
    ("PROC_STATE_", enums.ProcState),
    ("RESOURCE_", enums.Resource),
    ("GC_", enums.GCPhase),
    ("ODDITY_", enums.Oddity),
    ("ACT_", dtypes.Act),
    ("REASON_", dtypes.Reason),
    ("QUIRK_", dtypes.Quirk),
    ("KNOB_", dtypes.Knob),
    ("READ_", dtypes.Reading),
    ("TOLD_", dtypes.Told),
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
        "from libc.stdint cimport int8_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t",
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


def render_names() -> str:
    """Return the text of the module that gives the enums to the uncompiled state machine."""
    parts = [
        '"""The enums of ``_generated.pxd`` for the uncompiled state machine. Written by tools/gen_pxd.py.',
        "",
        "Never here: anything else.",
        '"""',
        "",
    ]
    for prefix, enum in ENUMS:
        parts += [f"{prefix}{name} = {member.value}" for name, member in enum.__members__.items()]
    parts += [f"{name} = {getattr(limits, name)}" for name in LIMITS]
    return "\n".join(parts) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--output", type=Path, default=Path("src/gotrace"), help="folder to write into")
    folder = parser.parse_args().output
    (folder / "_generated.pxd").write_text(render())
    (folder / "ordering").mkdir(exist_ok=True)
    (folder / "ordering" / "names.py").write_text(render_names())


if __name__ == "__main__":
    main()
