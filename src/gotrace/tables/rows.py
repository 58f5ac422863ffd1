"""Row types of the tables' kernels. Never here: rows of public tables."""

from __future__ import annotations

from gotrace.dtypes import aligned

OPEN_WORK = aligned(  # a task or region that a goroutine has open, or an active task
    ("id", "i8"),  # task of a region, ~task of a task; of an active task, the goroutine that started it
    ("label", "i4"),
    ("shown", "i4"),  # label of the goroutine's allocations while this is its innermost task or region
    ("next", "i4"),  # next outer row, 0 none; of a free row the next free one
    ("depth", "i4"),  # 1 for the outermost
)
