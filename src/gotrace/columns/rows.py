"""Row type of the kernel that turns rows into columns. Never here: computation."""

from __future__ import annotations

from gotrace.dtypes import aligned

COPY = aligned(  # a column to copy
    ("target", "i8"),  # byte of the column in the block
    ("nulls", "i8"),  # byte of its validity bitmap in the block; -1 none
    ("null", "i8"),  # the value that is null
    ("n_nulls", "i8"),  # nulls so far
    ("source", "i4"),  # byte in the row
    ("width", "i4"),  # bytes of a value: 1, 4 or 8
    ("mapped", "u1"),  # 1: each value is a place in the map
)
