"""Record types: the public rows of each table, and the rows that kernels share with Python.

All are aligned structs; a unit stands behind each field. The C structs in ``_generated.pxd`` are written from
this page by ``tools/gen_pxd.py``. Never here: computation.
"""

from enum import IntEnum

import numpy as np
import numpy.typing as npt


def aligned(*fields: tuple[str, str] | tuple[str, str, tuple[int, ...]]) -> "np.dtype[np.void]":
    """Return an aligned struct of these fields."""
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

ALLOC = aligned(
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
EXPERIMENTAL = aligned(
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
GENERATION = aligned(
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
TYPE = aligned(
    ("name", "O"),  # str
    ("address", "u8"),  # byte address of the type descriptor: the identity
    ("size", "i8"),  # bytes of a value
    ("ptr_bytes", "i8"),  # bytes of its prefix that can hold pointers
)
STRING = aligned(
    ("text", "O"),  # str; bytes that are no UTF-8 come as surrogate escapes
    ("id", "u8"),  # as events of its generation name it
    ("generation", "u4"),  # low 32 bits of its number
)
STACK = aligned(
    ("id", "u8"),  # as events of its generation name it
    ("first", "i8"),  # row of frames where it begins, leaf first
    ("n_frames", "i4"),
    ("generation", "u4"),  # low 32 bits of its number
)
FRAME = aligned(
    ("pc", "u8"),
    ("line", "u8"),
    ("function", "i4"),  # row of strings
    ("file", "i4"),  # row of strings
    ("stack", "i4"),  # row of stacks
)
SAMPLE = aligned(
    ("time", "i8"),  # ns
    ("offset", "i8"),  # byte in the file
    ("g", "i8"),  # goroutine; -1 none
    ("m", "i8"),  # thread
    ("stack", "i4"),  # row of stacks
    ("p", "i4"),  # proc; -1 none
    ("generation", "u4"),  # low 32 bits of its number
)
SITE = aligned(
    ("type", "i4"),  # row of types
    ("stack", "i4"),  # row of stacks; 0 where no sample tells
    ("samples", "i8"),
    ("objects", "i8"),  # share of the type's objects, estimated; exact without a sample
    ("bytes", "i8"),
    ("objects_error", "f8"),  # one standard error of objects; 0 without a sample
    ("bytes_error", "f8"),
)
EVENT = aligned(
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
TRANSITION = aligned(
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
RANGE = aligned(
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
TASK = aligned(
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
REGION = aligned(
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
LOG = aligned(
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
LABEL = aligned(
    ("time", "i8"),
    ("offset", "i8"),
    ("g", "i8"),  # the goroutine that has the label from now on
    ("m", "i8"),
    ("label", "i4"),  # row of strings
    ("p", "i4"),
    ("generation", "u4"),
)
METRIC = aligned(
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
HEAP = aligned(
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
ESTIMATE = aligned(  # of a row of HEAP that is estimated
    *((f"{what}_samples", "i8") for what in ("inuse", "alloc", "free")),  # objects that are known, one each
    *((f"{what}_{unit}_error", "f8") for what in ("inuse", "alloc", "free") for unit in ("objects", "bytes")),
)
LIFETIME = aligned(
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


# --- the heap over time -------------------------------------------------------------------------------------


# --- lifetimes ----------------------------------------------------------------------------------------------


# --- the ordering -------------------------------------------------------------------------------------------
# Ids are signed here, as Go has them: the state machine compares them and never computes with them.


# --- the simulated runtime ------------------------------------------------------------------------------------


U1 = npt.NDArray[np.uint8]
U4 = npt.NDArray[np.uint32]
U8 = npt.NDArray[np.uint64]
F8 = npt.NDArray[np.float64]
I8 = npt.NDArray[np.int64]
I4 = npt.NDArray[np.int32]
Rows = npt.NDArray[np.void]
