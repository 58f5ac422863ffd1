"""Row types of the AllocFree experiment's own tables. Never here: computation."""

from __future__ import annotations

from enum import IntEnum

from gotrace.dtypes import aligned

RAW_TYPE = aligned(
    ("id", "u8"),
    ("address", "u8"),  # byte address of the type descriptor
    ("size", "u8"),  # bytes
    ("ptr_bytes", "u8"),  # bytes
    ("at", "i8"),  # index of the name's bytes in the batch's data
    ("length", "i8"),  # bytes of the name
)


class Anomaly(IntEnum):
    """Anomalies of AllocFree events; each is an index in the kernel's array ``anomalies``."""

    RELATIVE = 0
    UNRESOLVED_TYPE = 1
    OVERLAPPING_SPAN = 2
    UNKNOWN_SPAN_FREED = 3
    OBJECT_IN_FREED_SPAN = 4
    OBJECT_OUTSIDE = 5
    LIVE_SLOT_ALLOCATED = 6
    TINY_SHARED = 7
    UNKNOWN_OBJECT_FREED = 8
    STACK_OF_ORDER_0 = 9
    LIVE_STACK_ALLOCATED = 10
    UNKNOWN_STACK_FREED = 11
    LATE_FREE = 12
