"""Row types of batches, structural records and decoded events. Never here: computation."""

from __future__ import annotations

from enum import IntEnum

from gotrace.dtypes import aligned


class BatchKind(IntEnum):
    """What a batch holds, told by its type byte and, for an ordinary one, by its first data byte."""

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
    ("first", "i8"),  # its leaf's place among all frames
    ("n_frames", "i4"),
    ("gen", "i4"),  # row of GENERATION_ROW
)
RAW_PC = aligned(  # as a frame defines it
    ("pc", "u8"),
    ("function", "u8"),  # string id
    ("file", "u8"),  # string id
    ("line", "u8"),
    ("stack", "i4"),  # row of RAW_STACK
    ("gen", "i4"),  # row of GENERATION_ROW
)
PC_CACHE = aligned(  # where a pc was met last
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
    ("frequency", "u8"),  # clock units a second
    ("time", "u8"),  # clock units: when the snapshot was taken
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
    ("type_at", "i8"),  # where its part of the type index begins
    ("first_cursor", "i4"),
    ("n_cursors", "i4"),
    ("page_shift", "u1"),
    ("type_bits", "u1"),  # log2 of the size of that part; 0 none
    ("relative", "u1"),  # 1: no info batch so far
)
CURSOR = aligned(
    ("due", "i8"),  # ns, of its next event
    ("time", "i8"),  # ns, of the last event decoded; 0 none in this batch
    ("next", "i8"),  # buffer index of the first event not decoded yet
    ("end", "i8"),  # and behind the current batch's data
    ("base", "i8"),  # ns, the current batch's base time
    ("snapshot", "i8"),  # EXISTS events below this buffer index are applied already
    ("m", "i8"),
    ("batch", "i4"),  # place in the list of batches
    ("last_batch", "i4"),  # end of its part of that list
    ("at", "i4"),  # its next event, in its part of the pool
    ("n", "i4"),  # events in its part of the pool, all of one batch
    ("first", "i4"),  # and the pool's row that is the first of them
)
DECODED = aligned(
    ("args", "u8", (4,)),  # what the event has not is 0
    ("time", "i8"),  # ns
    ("start", "i8"),  # buffer index
    # For the order, found out ahead: rows of stacks and strings that the event names, 0 none, -1 unknown.
    ("stack", "i4"),
    ("name", "i4"),
    ("type", "u1"),
    ("unused", "u1", (7,)),  # one line of the cache
)
COMPACT = aligned(  # what merging and nearly all rows need of an event: half a line of the cache
    ("time", "i8"),  # ns
    ("arg", "u8"),  # its first number; of an object, the address
    ("place", "i8"),  # buffer index << 8 | type
    # Of an object: where its page is noted, 0 if that must be asked later, and the row of its type.
    ("page_slot", "i4"),
    ("type_row", "i4"),
)
LEAST_DECODED = 8  # events of a run for which the pool always has room
THREAD = aligned(
    ("g", "i8"),
    ("m", "i8"),
    ("p", "i4"),
    ("in_syscall", "u1"),
)


class Layout(IntEnum):
    """Sizes of the kernels' working arrays."""

    AHEAD = 128  # events of a run that are decoded ahead at most
    RING = 16  # times that, with a second thread: one part is in use, the others are made
    LEAF = 32  # pages a leaf of the page map holds


PICKED = aligned(  # an event picked out, or a run of them
    ("time", "i8"),  # ns
    ("offset", "i8"),  # absolute byte
    ("last", "i8"),  # and that of the run's last event
    ("m", "i8"),
    ("args", "u8", (4,)),  # what the event has not is anything
    ("gen", "i4"),  # row of GENERATION_ROW
    ("type", "u1"),
)
