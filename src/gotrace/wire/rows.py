"""Row types of batches, structural records and decoded events. Never here: computation."""

from __future__ import annotations

from enum import IntEnum

from gotrace.dtypes import aligned


class BatchKind(IntEnum):
    """Content of a batch, by its type byte and, for an ordinary batch, its first data byte."""

    EVENTS = 0
    STRINGS = 1
    STACKS = 2
    SAMPLES = 3
    SYNC = 4
    EXPERIMENT = 5
    END = 6


BATCH = aligned(
    ("offset", "i8"),  # absolute byte of the type byte
    ("time", "u8"),  # clock units
    ("generation", "u8"),
    ("m", "i8"),
    ("gen", "i4"),  # row of GENERATION_ROW in this slab
    ("size", "i4"),  # data bytes
    ("head", "u1"),  # header bytes
    ("kind", "u1"),  # BatchKind
    ("experiment", "u1"),
)
RAW_STRING = aligned(
    ("id", "u8"),
    ("offset", "i8"),  # absolute byte of the record
    ("at", "i8"),  # buffer index of its bytes
    ("length", "i4"),
    ("gen", "i4"),  # row of GENERATION_ROW
)
RAW_STACK = aligned(
    ("id", "u8"),
    ("offset", "i8"),  # absolute byte of the record
    ("first", "i8"),  # index of its leaf in all frames
    ("n_frames", "i4"),
    ("gen", "i4"),  # row of GENERATION_ROW
)
RAW_PC = aligned(  # a pc, as its first frame defines it
    ("pc", "u8"),
    ("function", "u8"),  # string id
    ("file", "u8"),  # string id
    ("line", "u8"),
    ("stack", "i4"),  # row of RAW_STACK
    ("gen", "i4"),  # row of GENERATION_ROW
)
PC_CACHE = aligned(  # the last row of a pc
    ("pc", "u8"),
    ("row", "i4"),  # row of RAW_PC
    ("gen", "i4"),  # row of GENERATION_ROW + 1
)
RAW_SAMPLE = aligned(
    ("offset", "i8"),  # absolute byte of the record
    ("args", "u8", (5,)),  # time, m, p, g, stack
    ("gen", "i4"),  # row of GENERATION_ROW
)
CLOCK = aligned(
    ("frequency", "u8"),  # clock units per second
    ("time", "u8"),  # clock units, of the snapshot
    ("mono", "u8"),  # ns of the monotonic clock
    ("sec", "i8"),  # s since the Unix epoch
    ("nsec", "i8"),  # ns of that second
    ("n_frequencies", "u1"),
    ("n_snapshots", "u1"),
)
GENERATION_ROW = aligned(
    ("number", "u8"),
    ("factor", "f8"),  # ns per clock unit
    ("heap_base", "u8"),  # AllocFree info: lowest heap address
    ("object_align", "u8"),
    ("stack_align", "u8"),
    ("type_at", "i8"),  # start of its part of the type index
    ("first_cursor", "i4"),
    ("n_cursors", "i4"),
    ("page_shift", "u1"),
    ("type_bits", "u1"),  # log2 of the size of that part; 0 if none
    ("relative", "u1"),  # 1 if there was no info batch so far
)
CURSOR = aligned(
    ("due", "i8"),  # ns, of its next event
    ("time", "i8"),  # ns, of the last decoded event; 0 if none in this batch
    ("next", "i8"),  # buffer index of the first event not yet decoded
    ("end", "i8"),  # buffer index of the end of the current batch
    ("base", "i8"),  # ns, the current batch's base time
    ("snapshot", "i8"),  # EXISTS events before this buffer index are already applied
    ("m", "i8"),
    ("batch", "i4"),  # index in the list of batches
    ("last_batch", "i4"),  # end of its batches in that list
    ("at", "i4"),  # its next event, in its lot of the pool
    ("n", "i4"),  # events in its lot, all of one batch
    ("first", "i4"),  # first row of its lot in the pool
)
DECODED = aligned(
    ("args", "u8", (4,)),  # 0 for those that the event lacks
    ("time", "i8"),  # ns
    ("start", "i8"),  # buffer index
    # For the order, resolved in advance: rows of the stack and string that the event names; 0 none, -1 unknown.
    ("stack", "i4"),
    ("name", "i4"),
    ("type", "u1"),
    ("unused", "u1", (7,)),  # fills a cache line
)
COMPACT = aligned(  # the fields that the merge and most rows need of an event, in half a cache line
    ("time", "i8"),  # ns
    ("arg", "u8"),  # its first argument; of an object, the address
    ("place", "i8"),  # buffer index << 8 | type
    # Of an object: the index of its page in leaves, 0 if it must be looked up later, and the row of its type.
    ("page_slot", "i4"),
    ("type_row", "i4"),
)
LEAST_DECODED = 2  # events of each cursor for which the pool always has room
CONTEXT = aligned(
    ("g", "i8"),
    ("m", "i8"),
    ("p", "i4"),
    ("in_syscall", "u1"),
)


class Layout(IntEnum):
    """Sizes of the kernels' working arrays."""

    AHEAD = 128  # most events of a cursor that are decoded ahead
    RING = 16  # lots of that size with a background thread: one is in use, the others are filled
    LEAF = 32  # pages in a leaf of the page map


PICKED = aligned(  # a selected event, or consecutive snapshot events
    ("time", "i8"),  # ns
    ("offset", "i8"),  # absolute byte
    ("last", "i8"),  # absolute byte of the last of them
    ("m", "i8"),
    ("args", "u8", (4,)),  # undefined for those that the event lacks
    ("gen", "i4"),  # row of GENERATION_ROW
    ("type", "u1"),
)
