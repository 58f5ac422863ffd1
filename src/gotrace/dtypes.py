"""Record types: the public rows of each table, and the rows that kernels share with Python.

All are aligned structs; a unit stands behind each field. The C structs in ``_generated.pxd`` are written from
this page by ``tools/gen_pxd.py``. Never here: computation.
"""

from enum import IntEnum

import numpy as np


def _aligned(*fields: tuple[str, str] | tuple[str, str, tuple[int, ...]]) -> "np.dtype[np.void]":
    return np.dtype(list(fields), align=True)


class What(IntEnum):
    """What an AllocFree event is about; wire type = 128 + 3 * what + op."""

    SPAN = 0
    OBJECT = 1
    STACK = 2


class Op(IntEnum):
    """What happened to it."""

    EXISTS = 0
    ALLOC = 1
    FREE = 2


class End(IntEnum):
    """How an object ended."""

    ALIVE = 0
    FREED = 1
    REUSED = 2  # its slot was allocated anew, without a free
    SPAN = 3  # its span was freed, or another one lies there


class State(IntEnum):
    """How much of a generation could be read."""

    WHOLE = 0
    CUT = 1
    SKIPPED = 2


# --- public rows --------------------------------------------------------------------------------------------

ALLOC = _aligned(
    ("time", "i8"),  # ns, the event's own time
    ("address", "u8"),  # byte address of the slot, span or stack
    ("size", "i8"),  # bytes; 0 unknown
    ("offset", "i8"),  # byte in the file
    ("g", "i8"),  # goroutine; -1 none
    ("m", "i8"),  # thread
    ("type", "i4"),  # row of types; 0 untyped, 1 unresolved
    ("p", "i4"),  # proc; -1 none
    ("generation", "u4"),  # low 32 bits of its number
    ("what", "u1"),  # What
    ("op", "u1"),  # Op
    ("spanclass", "u1"),  # sizeclass * 2 + noscan; 254 manual, 255 unknown
    ("inset", "u1"),  # bytes from address to the pointer named; 255 more
)
EXPERIMENTAL = _aligned(
    ("time", "i8"),  # ns, the event's own time
    ("offset", "i8"),  # byte in the file
    ("g", "i8"),  # goroutine; -1 none
    ("m", "i8"),  # thread
    ("args", "u8", (4,)),  # raw arguments without the time; unused 0
    ("p", "i4"),  # proc; -1 none
    ("generation", "u4"),  # low 32 bits of its number
    ("experiment", "u1"),  # id of the experiment
    ("type", "u1"),  # wire type
    ("n_args", "u1"),  # how many of args are used
)
GENERATION = _aligned(
    ("number", "u8"),
    ("offset", "i8"),  # byte of its first batch
    ("nbytes", "i8"),  # bytes
    ("start", "i8"),  # ns, smallest base time of its batches
    ("end", "i8"),  # ns, largest time of its events
    ("wall", "M8[ns]"),  # wall clock at start; NaT unknown
    ("frequency", "u8"),  # clock units a second
    ("events", "i8"),  # timed events
    ("batches", "i4"),
    ("threads", "i4"),
    ("strings", "i4"),
    ("stacks", "i4"),
    ("samples", "i4"),
    ("types", "i4"),
    ("state", "u1"),  # State
)
TYPE = _aligned(
    ("name", "O"),  # str
    ("address", "u8"),  # byte address of the type descriptor: the identity
    ("size", "i8"),  # bytes of a value
    ("ptr_bytes", "i8"),  # bytes of its prefix that can hold pointers
)
STRING = _aligned(
    ("text", "O"),  # str; bytes that are no UTF-8 come as surrogate escapes
    ("id", "u8"),  # as events of its generation name it
    ("generation", "u4"),  # low 32 bits of its number
)
STACK = _aligned(
    ("id", "u8"),  # as events of its generation name it
    ("first", "i8"),  # row of frames where it begins, leaf first
    ("n_frames", "i4"),
    ("generation", "u4"),  # low 32 bits of its number
)
FRAME = _aligned(
    ("pc", "u8"),
    ("line", "u8"),
    ("function", "i4"),  # row of strings
    ("file", "i4"),  # row of strings
    ("stack", "i4"),  # row of stacks
)
SAMPLE = _aligned(
    ("time", "i8"),  # ns
    ("offset", "i8"),  # byte in the file
    ("g", "i8"),  # goroutine; -1 none
    ("m", "i8"),  # thread
    ("stack", "i4"),  # row of stacks
    ("p", "i4"),  # proc; -1 none
    ("generation", "u4"),  # low 32 bits of its number
)
SITE = _aligned(
    ("type", "i4"),  # row of types
    ("stack", "i4"),  # row of stacks; 0 where no sample tells
    ("samples", "i8"),
    ("objects", "i8"),  # share of the type's objects, estimated; exact without a sample
    ("bytes", "i8"),
    ("objects_error", "f8"),  # one standard error of objects; 0 without a sample
    ("bytes_error", "f8"),
)
EVENT = _aligned(
    ("time", "i8"),  # ns, strictly rising
    ("offset", "i8"),  # byte in the file; -1 Sync
    ("g", "i8"),  # goroutine before the event's own effect; -1 none
    ("m", "i8"),  # thread, as g
    ("stack", "i4"),  # row of stacks
    ("p", "i4"),  # proc, as g
    ("generation", "u4"),  # low 32 bits of its number
    ("kind", "u1"),  # Kind
    ("type", "u1"),  # wire type; 7 CPU sample, 255 Sync
    ("part", "u1"),  # 0; 1, 2 for rows that a wire event adds
)
TRANSITION = _aligned(
    ("time", "i8"),  # ns, as in EVENT; so are offset, g, m, p, stack, generation, type and part here and below
    ("offset", "i8"),
    ("g", "i8"),
    ("m", "i8"),
    ("id", "i8"),  # goroutine or proc that changes its state
    ("stack", "i4"),
    ("resource_stack", "i4"),  # row of stacks: of that goroutine; where it starts, if it is new
    ("reason", "i4"),  # row of strings; 0 none
    ("p", "i4"),
    ("generation", "u4"),
    ("resource", "u1"),  # Resource
    ("old", "u1"),  # GoState, or ProcState
    ("new", "u1"),
    ("type", "u1"),
    ("part", "u1"),
)
RANGE = _aligned(
    ("time", "i8"),
    ("offset", "i8"),
    ("g", "i8"),
    ("m", "i8"),
    ("id", "i8"),  # goroutine or proc that it belongs to; -1 none
    ("swept", "i8"),  # bytes; -1 no end of a sweep
    ("reclaimed", "i8"),  # bytes; -1 as well
    ("stack", "i4"),
    ("reason", "i4"),  # row of strings: why the world stops; 0 none
    ("p", "i4"),
    ("generation", "u4"),
    ("kind", "u1"),  # Kind: RANGE_BEGIN, RANGE_ACTIVE, RANGE_END
    ("resource", "u1"),  # Resource
    ("type", "u1"),
    ("start", "u1"),  # wire type of the event that begins such a range: 26 STW, 29 GC, 32 sweep, 35 mark assist
)
TASK = _aligned(
    ("time", "i8"),
    ("offset", "i8"),
    ("g", "i8"),
    ("m", "i8"),
    ("task", "i8"),
    ("parent", "i8"),  # -1 none
    ("name", "i4"),  # row of strings; Go's API calls it the type
    ("stack", "i4"),
    ("p", "i4"),
    ("generation", "u4"),
    ("kind", "u1"),  # Kind: TASK_BEGIN, TASK_END
)
REGION = _aligned(
    ("time", "i8"),
    ("offset", "i8"),
    ("g", "i8"),
    ("m", "i8"),
    ("task", "i8"),  # 0 the background task
    ("name", "i4"),  # row of strings; Go's API calls it the type
    ("stack", "i4"),
    ("p", "i4"),
    ("generation", "u4"),
    ("kind", "u1"),  # Kind: REGION_BEGIN, REGION_END
)
LOG = _aligned(
    ("time", "i8"),
    ("offset", "i8"),
    ("g", "i8"),
    ("m", "i8"),
    ("task", "i8"),  # 0 the background task
    ("category", "i4"),  # row of strings
    ("message", "i4"),  # row of strings
    ("stack", "i4"),
    ("p", "i4"),
    ("generation", "u4"),
)
LABEL = _aligned(
    ("time", "i8"),
    ("offset", "i8"),
    ("g", "i8"),  # the goroutine that has the label from now on
    ("m", "i8"),
    ("label", "i4"),  # row of strings
    ("p", "i4"),
    ("generation", "u4"),
)
METRIC = _aligned(
    ("time", "i8"),
    ("offset", "i8"),
    ("g", "i8"),
    ("m", "i8"),
    ("value", "i8"),  # threads, or bytes
    ("stack", "i4"),
    ("p", "i4"),
    ("generation", "u4"),
    ("type", "u1"),  # 9 GOMAXPROCS, 37 bytes of live heap, 38 heap goal
)
HEAP = _aligned(
    ("name", "O"),  # str
    ("inuse_objects", "i8"),
    ("inuse_bytes", "i8"),
    ("alloc_objects", "i8"),
    ("alloc_bytes", "i8"),
    ("free_objects", "i8"),
    ("free_bytes", "i8"),
    ("start_objects", "i8"),
    ("start_bytes", "i8"),
)
ESTIMATE = _aligned(  # of a row of HEAP that is estimated
    *((f"{what}_samples", "i8") for what in ("inuse", "alloc", "free")),  # objects that are known, one each
    *((f"{what}_{unit}_error", "f8") for what in ("inuse", "alloc", "free") for unit in ("objects", "bytes")),
)
LIFETIME = _aligned(
    ("born", "i8"),  # ns; -1 it was there at the start
    ("died", "i8"),  # ns, when it was swept; -1 it lives
    ("address", "u8"),  # byte address of the slot
    ("size", "i8"),  # bytes; 0 unknown
    ("offset", "i8"),  # byte in the file: its allocation, or its event of the snapshot
    ("g", "i8"),  # goroutine that allocated it; -1 none
    ("type", "i4"),  # row of types; 0 untyped, 1 unresolved
    ("born_cycle", "i4"),  # mark phases that had begun; -1 it was there at the start
    ("died_cycle", "i4"),  # -1 it lives
    ("age", "i4"),  # mark phases that began while it lived, so far; -1 unknown
    ("spanclass", "u1"),  # as in ALLOC
    ("end", "u1"),  # End
)

# --- rows between kernels and Python ------------------------------------------------------------------------


class BatchKind(IntEnum):
    """What a batch holds, told by its type byte and, for an ordinary one, by its first data byte."""

    EVENTS = 0
    STRINGS = 1
    STACKS = 2
    SAMPLES = 3
    SYNC = 4
    EXPERIMENT = 5
    END = 6


BATCH = _aligned(
    ("offset", "i8"),  # absolute byte of the type byte
    ("time", "u8"),  # clock units
    ("generation", "u8"),
    ("m", "i8"),
    ("gen", "i4"),  # row of GEN in this slab
    ("size", "i4"),  # data bytes
    ("head", "u1"),  # header bytes
    ("kind", "u1"),  # BatchKind
    ("experiment", "u1"),
)
RAW_STRING = _aligned(
    ("id", "u8"),
    ("offset", "i8"),  # absolute byte of the record
    ("at", "i8"),  # buffer index of its bytes
    ("length", "i4"),
    ("gen", "i4"),  # row of GEN
)
RAW_STACK = _aligned(
    ("id", "u8"),
    ("offset", "i8"),  # absolute byte of the record
    ("first", "i8"),  # its leaf's place among all frames
    ("n_frames", "i4"),
    ("gen", "i4"),  # row of GEN
)
RAW_PC = _aligned(  # as a frame defines it
    ("pc", "u8"),
    ("function", "u8"),  # string id
    ("file", "u8"),  # string id
    ("line", "u8"),
    ("stack", "i4"),  # row of RAW_STACK
    ("gen", "i4"),  # row of GEN
)
NEAR_PC = _aligned(  # where a pc was met last
    ("pc", "u8"),
    ("row", "i4"),  # row of RAW_PC
    ("gen", "i4"),  # row of GEN + 1
)
RAW_SAMPLE = _aligned(
    ("offset", "i8"),  # absolute byte of the record
    ("args", "u8", (5,)),  # time, m, p, g, stack
    ("gen", "i4"),  # row of GEN
)
RAW_TYPE = _aligned(
    ("id", "u8"),
    ("address", "u8"),  # byte address of the type descriptor
    ("size", "u8"),  # bytes
    ("ptr_bytes", "u8"),  # bytes
    ("at", "i8"),  # index of the name's bytes in the batch's data
    ("length", "i8"),  # bytes of the name
)
CLOCK = _aligned(
    ("frequency", "u8"),  # clock units a second
    ("time", "u8"),  # clock units: when the snapshot was taken
    ("mono", "u8"),  # ns of the monotonic clock
    ("sec", "i8"),  # s since the Unix epoch
    ("nsec", "i8"),  # ns of that second
    ("n_frequencies", "u1"),
    ("n_snapshots", "u1"),
)
FAULT = _aligned(
    ("offset", "i8"),  # absolute byte
    ("detail", "u8"),  # the number at fault
    ("limit", "u8"),  # the bound it broke
    ("status", "i4"),  # Status of errors.py; 0 none
    ("batch", "i4"),  # row of BATCH; -1 none
    ("type", "i4"),  # event type; -1 none
)
GEN = _aligned(
    ("number", "u8"),
    ("factor", "f8"),  # ns per clock unit
    ("heap_base", "u8"),  # AllocFree info: lowest heap address
    ("object_align", "u8"),
    ("stack_align", "u8"),
    ("type_at", "i8"),  # where its part of the type index begins
    ("first_run", "i4"),
    ("n_runs", "i4"),
    ("page_shift", "u1"),
    ("type_bits", "u1"),  # log2 of the size of that part; 0 none
    ("relative", "u1"),  # 1: no info batch so far
)
RUN = _aligned(
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
    ("part", "i4"),  # and the pool's row that is the first of them
)
DECODED = _aligned(
    ("args", "u8", (4,)),  # what the event has not is 0
    ("time", "i8"),  # ns
    ("start", "i8"),  # buffer index
    # For the order, found out ahead: rows of stacks and strings that the event names, 0 none, -1 unknown.
    ("stack", "i4"),
    ("name", "i4"),
    ("type", "u1"),
    ("unused", "u1", (7,)),  # one line of the cache
)
BRIEF = _aligned(  # what merging and nearly all rows need of an event: half a line of the cache
    ("time", "i8"),  # ns
    ("arg", "u8"),  # its first number; of an object, the address
    ("place", "i8"),  # buffer index << 8 | type
    # Of an object: where its page is noted, 0 if that must be asked later, and the row of its type.
    ("hint", "i4"),
    ("type_row", "i4"),
)
LEAST_AHEAD = 8  # events of a run for which the pool always has room
CTX = _aligned(
    ("g", "i8"),
    ("m", "i8"),
    ("p", "i4"),
    ("in_syscall", "u1"),
)


class Layout(IntEnum):
    """Sizes of the kernels' working arrays, and a flag."""

    AHEAD = 128  # events of a run that are decoded ahead at most
    PARTS = 16  # times that, with a second thread: one part is in use, the others are made

    LEAF = 32  # pages a leaf of the page map holds
    GROUP = 32  # cells a group holds
    GROUPS = 32  # groups a span can have
    REPLAY = 8  # flag of the kernel beside 1 << What: replay objects
    GRID = 128  # rows of the map of addresses
    AGES = 64  # ages in GC cycles that are told apart; the last one has all above


PAGE = _aligned(  # what lies on a page of the heap: all that nearly every event of an object needs
    ("span", "i4"),  # 0 none
    ("n_slots", "u2"),  # of a span of a small size class; 0: the span must be asked
    ("spanclass", "u1"),
    ("index", "u1"),  # pages of the span before it
)
SPAN = _aligned(
    ("groups", "i4", (Layout.GROUPS,)),  # cells in groups, made when first used; 0 none
    ("page", "u8"),  # number of its first page
    ("bytes", "i8"),
    ("elem", "i8"),  # bytes of a slot
    ("late", "i8"),  # ns: last allocation in a live slot, whose old object's free is still to come
    ("late_m", "i8"),  # and the thread that made it
    ("born", "i8"),  # ns: the span's allocation, if it lay over a live span
    ("born_m", "i8"),  # and the thread that made it
    ("old_bytes", "i8"),  # of that span, whose free is still to come
    ("n_slots", "u4"),
    ("n_pages", "i4"),  # entries in the page map
    ("next_free", "i4"),
    ("spanclass", "u1"),
    ("over", "u1"),  # 1: it was allocated over a live span whose free did not come yet
    ("old_spanclass", "u1"),  # of that span
)


class HeapSize(IntEnum):
    """Places in the kernel's array ``sizes``: how much of each table is used, and what is live."""

    N_SPANS = 0
    FREE_SPAN = 1  # head of the list of free spans, row + 1
    N_LEAVES = 2
    N_STACKS = 3  # keys in the map of stacks, freed ones too
    N_LOOSE = 4
    N_GROUPS = 5
    FREE_GROUP = 6
    N_KEYS = 7
    HEAP_SPANS = 8
    HEAP_SPAN_BYTES = 9
    MANUAL_SPANS = 10
    MANUAL_SPAN_BYTES = 11
    STACKS = 12
    STACK_BYTES = 13
    LATE_STACK = 14  # ns: last allocation of a live stack, whose free is still to come
    LATE_STACK_M = 15  # and the thread that made it
    EVENTS = 16  # alloc/free events seen
    LATEST = 17  # ns: latest time of any event


class Anomaly(IntEnum):
    """Places in the kernel's array ``anomalies``."""

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


COUNTS = _aligned(
    ("type", "i4"),
    ("spanclass", "u1"),
    ("alloc_objects", "i8"),
    ("alloc_bytes", "i8"),
    ("free_objects", "i8"),
    ("free_bytes", "i8"),
    ("start_objects", "i8"),
    ("start_bytes", "i8"),
)

# --- the heap over time -------------------------------------------------------------------------------------

MOMENT = _aligned(  # one bin of time
    ("alloc_objects", "i8"),
    ("alloc_bytes", "i8"),
    ("free_objects", "i8"),
    ("free_bytes", "i8"),
    ("inuse_objects", "i8"),  # at the end of the bin; so are the next four
    ("inuse_bytes", "i8"),
    ("span_bytes", "i8"),  # held by spans of objects
    ("manual_bytes", "i8"),  # held by spans managed by hand
    ("stack_bytes", "i8"),
    ("most_bytes", "i8"),  # largest inuse_bytes within the bin
)

# --- lifetimes ----------------------------------------------------------------------------------------------

MARK = _aligned(  # an event picked out, or a run of them
    ("time", "i8"),  # ns
    ("offset", "i8"),  # absolute byte
    ("last", "i8"),  # and that of the run's last event
    ("m", "i8"),
    ("args", "u8", (4,)),  # what the event has not is anything
    ("gen", "i4"),  # row of GEN
    ("type", "u1"),
)
HELD_SPAN = _aligned(  # a live span and its slots
    ("base", "u8"),  # byte address
    ("elem", "i8"),  # bytes of a slot
    ("reciprocal", "u4"),  # ceil(2**32 / elem); 0 where slot 0 is all there is
    ("n_slots", "u4"),
    ("live", "i4"),  # slots with a live object
    ("n_pages", "i4"),  # entries in the page map; 0: no live span
    ("spanclass", "u1"),
    ("over", "u1"),  # 1: it was allocated over a live span whose free did not come yet
    ("groups", "i4", (Layout.GROUPS,)),  # cells in groups, made when first used; 0 none
    ("bytes", "i8"),  # of the whole span
    ("late", "i8"),  # ns: last allocation in a live slot, whose old object's free is still to come
    ("late_m", "i8"),  # and the thread that made it
    ("born", "i8"),  # ns: the span's allocation, if it lay over a live span
    ("born_m", "i8"),  # and the thread that made it
    ("next_free", "i4"),
)
CELL = _aligned(  # what lives in a slot
    ("born", "i8"),  # as in LIFETIME
    ("offset", "i8"),
    ("g", "i8"),
    ("key", "i4"),  # row of TALLY + 1; 0 nothing
    ("cycle", "i4"),  # of its birth; -1 unknown
)
TALLY = _aligned(  # a group of objects
    ("label", "i8"),  # of the group, when objects do not count by type and size class
    ("counts", "i8", (6,)),  # objects and bytes: allocated, freed, there at the start
    ("peak", "i8", (6,)),  # counts at the peak, if ``peak_id`` is the latest
    ("aged", "i8", (2,)),  # objects and bytes that died at an age asked for
    ("peak_id", "i8"),
    ("type", "i4"),
    ("spanclass", "u1"),
)
CYCLE = _aligned(  # from the begin of a GC cycle to the begin of the next
    ("alloc_objects", "i8"),
    ("alloc_bytes", "i8"),
    ("free_objects", "i8"),
    ("free_bytes", "i8"),
    ("inuse_objects", "i8"),  # when it began
    ("inuse_bytes", "i8"),
)


class Life(IntEnum):
    """Places in the array of numbers that the replay of lifetimes keeps."""

    N_SPANS = 0
    FREE_SPAN = 1  # head of the list of free spans
    N_LEAVES = 2
    N_STACKS = 3
    N_LOOSE = 4
    N_GROUPS = 5
    FREE_GROUP = 6
    N_KEYS = 7
    HEAP_SPANS = 8  # live ones, and below
    HEAP_SPAN_BYTES = 9
    MANUAL_SPANS = 10
    MANUAL_SPAN_BYTES = 11
    STACKS = 12
    STACK_BYTES = 13
    LATE_STACK = 14  # ns: last allocation of a live stack, whose free is still to come
    LATE_STACK_M = 15
    INUSE_OBJECTS = 16
    INUSE_BYTES = 17
    TIME = 18  # ns: of the last event replayed
    CYCLE = 19  # mark phases that have begun
    PEAK_ID = 20  # how many peaks there were
    RISING = 21  # 1: the peak is now
    PEAK_BYTES = 22
    PEAK_TIME = 23
    PEAK_CYCLE = 24
    PEAK_MEMORY = 25  # as from HEAP_SPANS on, six places
    STOPPED = 31  # 1: the instant asked for is reached
    ROWS = 32  # replayed
    PEAK_ROWS = 33  # and up to the peak
    MOST_BYTES = 34  # in use since somebody last looked


# --- the ordering -------------------------------------------------------------------------------------------
# Ids are signed here, as Go has them: the state machine compares them and never computes with them.

ORDERED = _aligned(  # an ordered event and all that it learned; begins like EVENT
    ("time", "i8"),
    ("offset", "i8"),
    ("g", "i8"),
    ("m", "i8"),
    ("stack", "i4"),
    ("p", "i4"),
    ("generation", "u4"),
    ("kind", "u1"),
    ("type", "u1"),
    ("part", "u1"),
    ("resource", "u1"),  # Resource: what args[0] of a transition or range names
    # As on the wire, but: transitions and ranges begin with the resource's id (then what a sweep swept and
    # reclaimed), tasks have id and parent, regions and logs the task, a Sync its number and its row of GEN + 1.
    ("args", "i8", (4,)),
    ("stack2", "i4"),  # row of stacks: of the resource
    ("name", "i4"),  # row of strings; below 0: the name ~name of the whole trace
    ("text", "i4"),  # row of strings: message of a log
    ("old", "u1"),  # GoState or ProcState before
    ("new", "u1"),  # and after
)
SPEC = _aligned(  # what the ordering asks of an event type
    ("kind", "u1"),
    ("rule", "u1"),
    ("start", "u1"),  # type of the event that begins what this one ends or continues
    ("creates", "u1"),  # 1: the state must have room
    ("bulk", "u1"),  # it changes nothing, so that many pass at once, and needs 1: a thread, 2: a thread and a P
    ("stack", "i1"),  # places of arguments: the context's stack; -1 none
    ("stack2", "i1"),  # another stack
    ("string", "i1"),
    ("string2", "i1"),
    ("needs", "u1", (3,)),  # of thread, proc, goroutine: 0 either, 1 required, 2 forbidden
)
PLACE = _aligned(  # of the hash table of all ids
    ("key", "i8"),
    ("row", "i4"),  # of the table that kind names; 0 this place is empty
    ("kind", "i4"),
)
G_STATE = _aligned(
    ("id", "i8"),
    ("generation", "i8"),  # of its sequence number
    ("seq", "i8"),
    ("regions", "i4"),  # innermost open region, 0 none; of a free row the next free one
    ("ranges", "i4"),  # first open range; 0 none
    ("status", "u1"),  # GoStatus
)
P_STATE = _aligned(
    ("id", "i8"),
    ("generation", "i8"),
    ("seq", "i8"),
    ("ranges", "i4"),
    ("status", "u1"),  # ProcStatus
)
M_STATE = _aligned(
    ("id", "i8"),
    ("g", "i8"),  # -1 none
    ("p", "i8"),  # -1 none
    ("known", "u1"),  # 1: one of its events was tried, or a status named it
)
OPEN_RANGE = _aligned(
    ("description", "i8"),  # string id of what stopped the world, in the generation of the begin
    ("name", "i4"),  # and the name it had; 0 none
    ("next", "i4"),
    ("type", "u1"),  # of the event that begins it
)
OPEN_REGION = _aligned(
    ("task", "i8"),
    ("name", "i4"),
    ("next", "i4"),
)
ACTIVE_TASK = _aligned(
    ("id", "i8"),
    ("parent", "i8"),
    ("name", "i4"),
    ("next", "i4"),  # of a free row the next free one
)
NAME = _aligned(
    ("key", "i8"),  # hash of its bytes
    ("at", "i8"),  # place of its bytes in letters
    ("length", "i4"),
    ("row", "i4"),  # of strings, where it was first seen
)
NOTE = _aligned(  # something odd that the machine tolerated
    ("offset", "i8"),  # absolute byte of the event
    ("id", "i8"),  # of the goroutine or proc
    ("what", "u1"),  # Oddity
)
FRONT = _aligned(  # a thread in the frontier, or a CPU sample that waits
    ("time", "i8"),  # ns: of its next event
    ("run", "i4"),  # number of the run, or of the sample
)
SCHED = _aligned(  # what the machine knows beside its tables: one row
    ("initial", "i8"),  # number of the generation in which the first event was tried
    ("gc_seq", "i8"),
    ("last", "i8"),  # ns: time of the last event
    ("syncs", "i8"),
    ("n_letters", "i8"),
    ("n_ps", "i4"),  # rows in use, row 0 included
    ("n_ms", "i4"),
    ("n_names", "i4"),
    ("n_places", "i4"),
    ("free_g", "i4"),  # head of the list of free rows; 0 none
    ("free_task", "i4"),
    ("free_range", "i4"),
    ("free_region", "i4"),
    ("started", "u1"),  # 1: initial is known
    ("gc", "u1"),  # GCPhase
)


class Key(IntEnum):
    """Kinds of keys in the hash table of the ordering."""

    G = 0
    P = 1
    M = 2
    TASK = 3
    NAME = 4


# --- the simulated runtime ------------------------------------------------------------------------------------

SIM_M = _aligned(
    ("id", "i8"),
    ("base", "u8"),  # clock units: time of the batch in its buffer
    ("last", "u8"),  # of its latest event
    ("g", "i4"),  # row of SIM_G, -1 none
    ("p", "i4"),  # row of SIM_P, -1 none
    ("at", "i4"),  # bytes in its buffer
    ("next", "i4"),  # of a list of threads: of those that park, or of those in system calls
)
SIM_P = _aligned(
    ("seq", "i8"),  # of its latest event with a number
    ("told", "i8"),  # generation in which its status stands
    ("tiny", "u8"),  # address of the slot in which its tiny objects lie, 0 none
    ("tiny_at", "i4"),  # bytes of it that are taken
    ("m", "i4"),  # row of SIM_M that holds it, -1 none
    ("place", "i4"),  # among those that run
    ("cycle", "i4"),  # of the collector, as far as its cached spans know
    ("state", "i4"),  # ProcStatus
)
SIM_G = _aligned(
    ("id", "i8"),
    ("seq", "i8"),
    ("told", "i8"),
    ("m", "i4"),  # row of SIM_M, -1 none
    ("span", "i4"),  # row of SIM_SPAN that holds its stack, -1 none
    ("slot", "i4"),  # and where in it
    ("order", "i4"),  # bit length of its stack's size, 0 without one
    ("next", "i4"),  # of a list of goroutines, -1 the last
    ("state", "i4"),  # GoStatus
)
SIM_SPAN = _aligned(
    ("live", "u8", (16,)),  # a bit for each slot that an object lies in
    ("old", "u8", (16,)),  # those that were there at the last sweep
    ("page", "i8"),
    ("pages", "i8"),
    ("elem", "i8"),  # bytes of a slot
    ("cells", "i8"),  # where what is known of its objects begins
    ("slots", "i4"),
    ("taken", "i4"),  # slots with an object
    ("look", "i4"),  # no slot before this one is free
    ("spanclass", "i4"),  # 254 manual, -1 no span
    ("cycle", "i4"),  # of the collector, when it was swept last
    ("next", "i4"),  # of a list of spans, -1 the last
)


class Act(IntEnum):
    """What a simulated goroutine does instead of allocating."""

    BLOCK = 0
    UNBLOCK = 1
    STOP = 2
    CREATE = 3
    DESTROY = 4
    SYSCALL = 5  # short
    LONG_SYSCALL = 6  # the proc is taken away meanwhile
    SWITCH = 7
    GROW_STACK = 8
    ASSIST = 9  # only while the collector marks
    LIVE_HEAP = 10  # an allocation that no experiment tells; the live heap is


class Reason(IntEnum):
    """Strings of a simulated trace, by id."""

    PREEMPTED = 1
    GOSCHED = 2
    CHAN_RECEIVE = 3
    SELECT = 4
    SYNC = 5
    SLEEP = 6
    WORKER_IDLE = 7
    START_TRACE = 8
    SWEEP_TERMINATION = 9
    MARK_TERMINATION = 10
    DEDICATED = 11
    OTHERS = 12  # names of functions and files from here on


class Quirk(IntEnum):
    """Anomalies of real traces (FORMAT 9.9) that the simulated runtime is asked for, as bits."""

    TIMES_AHEAD = 1
    SNAPSHOT_INTERLEAVED = 2
    OUTSIDE_PROC = 4
    WRONG_STATUS = 8
    DROPPED = 16
    NEXT_GENERATION = 32
    UNDER_WAY = 64
    IMPLICIT_FREE = 128


class Knob(IntEnum):
    """Places in the whole numbers that say how a simulated program behaves; shares are of 65536."""

    SEED = 0
    PROCS = 1
    GOROUTINES = 2
    LIVE_BYTES = 3
    LEAST_HEAP = 4
    GOGC = 5
    BUSY = 6
    SHORT_RUN = 7
    LONG_RUN = 8
    LONG_SHARE = 9
    PACE = 10  # clock units between events, on average
    MARK_EVENTS = 11
    OLD_SURVIVE = 12
    CLUSTERED = 13
    RELEASE = 14
    QUIRKS = 15
    N_STACKS = 16
    HEAP_BASE = 17
    FIRST_PAGE = 18
    GENERATION_UNITS = 19
    GENERATION_EVENTS = 20


class Reading(IntEnum):
    """Places in what a simulated runtime tells of itself."""

    NOW = 0  # clock units
    EVENTS = 1
    GEN = 2
    OUT = 3  # bytes in the output
    N_SPANS = 4  # rows in use or free again, of each table
    N_PAGES = 5
    N_CELLS = 6
    N_GOROUTINES = 7
    N_TYPE_IDS = 8
    CYCLES = 9  # of the collector
    STARTED = 10  # clock units: when the session began
    LIVE_BYTES = 11
    LIVE_OBJECTS = 12
    LATE = 13  # rows of what was freed after the time that is asked for
    TOLD_EVENTS = 14  # in this session


class Told(IntEnum):
    """Columns of what a simulated trace tells of each type."""

    ALLOCS = 0
    ALLOC_BYTES = 1
    FREES = 2
    FREE_BYTES = 3
    START = 4
    START_BYTES = 5
