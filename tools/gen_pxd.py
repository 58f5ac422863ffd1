"""Write ``_generated.pxd``, structs and constants for Cython, from their Python definitions.

The constants that the state machine uses are also written to ``order/names.py``, for its uncompiled form.

Run it after a change of a row type, an enum or a limit; a test compares. Never here: facts of its own.
"""

from __future__ import annotations

import argparse
import re
import sys
from enum import IntEnum
from pathlib import Path
from types import ModuleType

import numpy as np

PACKAGE = Path(__file__).parent.parent / "src" / "gotrace"
for name in (
    "gotrace",
    "gotrace.columns",
    "gotrace.experiments",
    "gotrace.scheduler",
    "gotrace.simulation",
    "gotrace.tables",
):  # their kernels may not be built yet
    sys.modules[name] = ModuleType(name)
    sys.modules[name].__path__ = [str(PACKAGE.joinpath(*name.split(".")[1:]))]

from gotrace import dtypes, errors  # noqa: E402
from gotrace.columns import rows as column_rows  # noqa: E402
from gotrace.experiments import rows as experiment_rows  # noqa: E402
from gotrace.heap import rows as heap_rows  # noqa: E402
from gotrace.order import rows as order_rows  # noqa: E402
from gotrace.scheduler import rows as sched_rows  # noqa: E402
from gotrace.simulation import rows as simulation_rows  # noqa: E402
from gotrace.spec import enums, events, limits, sizeclasses  # noqa: E402
from gotrace.spec.rules import Rule  # noqa: E402
from gotrace.tables import rows as table_rows  # noqa: E402
from gotrace.wire import rows as wire_rows  # noqa: E402

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
SOURCES: list[ModuleType] = [
    dtypes,
    errors,
    wire_rows,
    experiment_rows,
    order_rows,
    heap_rows,
    sched_rows,
    table_rows,
    column_rows,
    simulation_rows,
]
"""Modules all of whose row types without Python objects become structs."""

ENUMS: list[tuple[str, type[IntEnum]]] = [
    ("", errors.Status),
    ("KIND_", wire_rows.BatchKind),
    ("WHAT_", dtypes.What),
    ("OP_", dtypes.Op),
    ("", wire_rows.Layout),
    ("", heap_rows.HeapLayout),
    ("SPACE_", heap_rows.SpaceCounter),
    ("HEAP_", heap_rows.HeapCounter),
    ("ANOMALY_", experiment_rows.Anomaly),
    ("END_", dtypes.End),
    ("TIME_", dtypes.TimeKind),
    ("REGION_", dtypes.RegionEnd),
    ("STOP_", dtypes.StopKind),
    ("REPLAY_", heap_rows.ReplayCounter),
    ("KEY_", order_rows.Key),
    ("WAITS_", order_rows.WaitLayout),
    ("RULE_", Rule),
    ("EVENT_", enums.EventKind),
    ("EV_", enums.EventType),
    ("GO_", enums.GoStatus),
    ("PROC_", enums.ProcStatus),
    ("GO_STATE_", enums.GoState),
    ("PROC_STATE_", enums.ProcState),
    ("RESOURCE_", enums.Resource),
    ("GC_", enums.GCPhase),
    ("ORDER_ANOMALY_", enums.OrderAnomaly),
    ("ROLE_", sched_rows.NameRole),
    ("SUM_", sched_rows.SumKind),
    ("ACTION_", simulation_rows.Action),
    ("REASON_", simulation_rows.Reason),
    ("SIM_ANOMALY_", simulation_rows.SimulatedAnomaly),
    ("PARAM_", simulation_rows.Param),
    ("READ_", simulation_rows.Reading),
    ("TALLY_", simulation_rows.Tally),
]
NUMBERS: list[tuple[ModuleType, tuple[str, ...]]] = [
    (events, ("ALLOC_FREE",)),
    (limits, ("MAX_BATCH_SIZE", "MAX_STRING", "MAX_FRAMES", "HEAP_ADDRESS_BITS")),
    (sizeclasses, ("PAGE_BYTES", "HEADER_FROM", "TINY_CLASS", "MANUAL", "UNKNOWN_CLASS")),
]
SETS = ("STARTS_G", "STOPS_G", "CHANGES_CONTEXT")
"""Sets of event types below 64, as bits."""


def struct(name: str, dtype: np.dtype[np.void]) -> str:
    assert dtype.fields is not None
    lines = [f"cdef struct {name}:"]
    for field in dtype.names or ():
        kind = dtype.fields[field][0]
        size = f"[{kind.shape[0]}]" if kind.shape else ""
        lines.append(f"    {C_TYPES[kind.base.name]} {field}{size}")
    return "\n".join(lines)


def structs() -> dict[str, np.dtype[np.void]]:
    """Return all row types that C can hold, by name."""
    found: dict[str, np.dtype[np.void]] = {}
    for module in SOURCES:
        for name, value in vars(module).items():
            if isinstance(value, np.dtype) and value.fields is not None:
                kinds = [field[0].base.name for field in value.fields.values()]
                if all(kind in C_TYPES for kind in kinds):
                    assert found.setdefault(name, value) is value, f"two row types named {name}"
    return found


def numbers() -> dict[str, int]:
    """Return all constants, by name."""
    found = {f"{prefix}{name}": int(member) for prefix, enum in ENUMS for name, member in enum.__members__.items()}
    return found | {name: getattr(module, name) for module, names in NUMBERS for name in names}


def render() -> str:
    """Return the text of the file for Cython."""
    parts = [
        "# Written by tools/gen_pxd.py from the row types, enums and limits of the package. Do not edit.",
        "from libc.stdint cimport int8_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t",
        "",
        "cdef enum:",
        *(f"    {name} = {value}" for name, value in numbers().items()),
        "",
        "cdef extern from *:",
        '    """',
    ]
    for name in SETS:
        parts.append(f"    #define GT_{name} UINT64_C({sum(1 << kind for kind in getattr(enums, name)):#x})")
    parts.append('    """')
    parts += [f'    const uint64_t {name} "GT_{name}"' for name in SETS]
    parts.append("")
    for name, dtype in structs().items():
        parts += [struct(name, dtype), ""]
    return "\n".join(parts)


def render_names() -> str:
    """Return the text of the module that gives constants to the uncompiled state machine."""
    used = set(re.findall(r"\b[A-Z][A-Z0-9_]+\b", (PACKAGE / "order" / "machine.py").read_text()))
    parts = [
        '"""The constants of ``_generated.pxd`` that the uncompiled state machine uses. Written by tools/gen_pxd.py.',
        "",
        "Never here: anything else.",
        '"""',
        "",
        *(f"{name} = {value}" for name, value in numbers().items() if name in used),
    ]
    return "\n".join(parts) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--output", type=Path, default=PACKAGE, help="folder to write into")
    folder = parser.parse_args().output
    (folder / "_generated.pxd").write_text(render())
    (folder / "order").mkdir(exist_ok=True)
    (folder / "order" / "names.py").write_text(render_names())


if __name__ == "__main__":
    main()
