"""Record types of the public tables, the enums of their fields, and aliases of array types.

All are aligned structs, with the unit of a field in the comment after it. ``tools/gen_pxd.py`` writes the C structs of
``_generated.pxd`` from them. Never here: computation.
"""

from enum import IntEnum

import numpy as np
import numpy.typing as npt


def aligned(*fields: tuple[str, str] | tuple[str, str, tuple[int, ...]]) -> "np.dtype[np.void]":
    """Return an aligned struct of these fields."""
    return np.dtype(list(fields), align=True)


class What(IntEnum):
    """Subject of an AllocFree event; wire type = 128 + 3 * what + op."""

    SPAN = 0
    OBJECT = 1
    STACK = 2


class Op(IntEnum):
    """Operation of an AllocFree event on its subject."""

    EXISTS = 0
    ALLOC = 1
    FREE = 2


class End(IntEnum):
    """How the life of an object ended."""

    ALIVE = 0
    FREED = 1
    REUSED = 2  # its slot was allocated again, without a free
    SPAN = 3  # its span was freed or replaced


class State(IntEnum):
    """The extent to which a generation could be read."""

    WHOLE = 0
    CUT = 1
    SKIPPED = 2


class TimeKind(IntEnum):
    """What a row of GOTIME adds up."""

    BAD = 0
    WAITING = 1
    RANGE = 2


class RegionEnd(IntEnum):
    """How a region ended."""

    ENDED = 0
    GOROUTINE = 1  # with its goroutine
    OPEN = 2  # not in the trace
    UNSEEN = 3  # it ended, but its start was not seen


class StopKind(IntEnum):
    """What delayed a stop-the-world: how the last proc that stopped was freed."""

    NONE = 0  # no other proc ran
    PREEMPTED = 1  # its goroutine was preempted
    BLOCKED = 2  # its goroutine blocked or ended by itself
    SYSCALL = 3  # it was taken from a system call
    UNKNOWN = 4


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
    ("inset", "u1"),  # bytes from address to the pointer in the event; 255 if more
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
    ("n_args", "u1"),  # number of args used
)
GENERATION = aligned(
    ("number", "u8"),
    ("offset", "i8"),  # byte of its first batch
    ("nbytes", "i8"),  # bytes of its batches
    ("start", "i8"),  # ns, smallest base time of its batches
    ("end", "i8"),  # ns, largest time of its events
    ("wall", "M8[ns]"),  # wall clock at start; NaT unknown
    ("frequency", "u8"),  # clock units per second
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
    ("address", "u8"),  # byte address of the type descriptor, which identifies the type
    ("size", "i8"),  # bytes of a value
    ("ptr_bytes", "i8"),  # bytes of the prefix that can contain pointers
)
STRING = aligned(
    ("text", "O"),  # str; bytes that are not valid UTF-8 become surrogate escapes
    ("id", "u8"),  # id in its generation
    ("generation", "u4"),  # low 32 bits of its number
)
STACK = aligned(
    ("id", "u8"),  # id in its generation
    ("first", "i8"),  # first of its rows of frames, leaf first
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
    ("stack", "i4"),  # row of stacks; 0 without a sample
    ("samples", "i8"),
    ("objects", "i8"),  # estimated share of the type's objects; exact without a sample
    ("bytes", "i8"),
    ("objects_error", "f8"),  # one standard error of objects; 0 without a sample
    ("bytes_error", "f8"),
)
EVENT = aligned(
    ("time", "i8"),  # ns, strictly increasing
    ("offset", "i8"),  # byte in the file; -1 Sync
    ("g", "i8"),  # goroutine before the effect of the event; -1 none
    ("m", "i8"),  # thread, likewise
    ("stack", "i4"),  # row of stacks
    ("p", "i4"),  # proc, likewise
    ("generation", "u4"),  # low 32 bits of its number
    ("kind", "u1"),  # Kind
    ("type", "u1"),  # wire type; 7 CPU sample, 255 Sync
    ("part", "u1"),  # 0; 1 or 2 for further rows of the same wire event
)
TRANSITION = aligned(
    ("time", "i8"),  # ns; it and offset, g, m, p, stack, generation, type, part are as in EVENT, here and below
    ("offset", "i8"),
    ("g", "i8"),
    ("m", "i8"),
    ("id", "i8"),  # goroutine or proc whose state changes
    ("stack", "i4"),
    ("resource_stack", "i4"),  # row of stacks: of that goroutine, or its start if it is new
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
    ("id", "i8"),  # goroutine or proc of the range; -1 none
    ("swept", "i8"),  # bytes, at the end of a sweep; -1 otherwise
    ("reclaimed", "i8"),  # bytes, at the end of a sweep; -1 otherwise
    ("stack", "i4"),
    ("reason", "i4"),  # row of strings: reason of a stop-the-world; 0 none
    ("p", "i4"),
    ("generation", "u4"),
    ("kind", "u1"),  # Kind: RANGE_BEGIN, RANGE_ACTIVE, RANGE_END
    ("resource", "u1"),  # Resource
    ("type", "u1"),
    ("start", "u1"),  # wire type of the event that starts such a range: 26 STW, 29 GC, 32 sweep, 35 mark assist
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
    ("g", "i8"),  # goroutine that has the label from this time on
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
ESTIMATE = aligned(  # precision of an estimated row of HEAP
    *((f"{what}_samples", "i8") for what in ("inuse", "alloc", "free")),  # number of sampled objects
    *((f"{what}_{unit}_error", "f8") for what in ("inuse", "alloc", "free") for unit in ("objects", "bytes")),
)
LIFETIME = aligned(
    ("born", "i8"),  # ns; -1 if older than the trace
    ("died", "i8"),  # ns, when it was swept; -1 while alive
    ("address", "u8"),  # byte address of the slot
    ("size", "i8"),  # bytes; 0 unknown
    ("offset", "i8"),  # byte in the file, of its allocation or its snapshot event
    ("g", "i8"),  # goroutine that allocated it; -1 none
    ("type", "i4"),  # row of types; 0 untyped, 1 unresolved
    ("born_cycle", "i4"),  # mark phases started before; -1 if older than the trace
    ("died_cycle", "i4"),  # mark phases started before; -1 while alive
    ("age", "i4"),  # mark phases that started while it was alive; -1 unknown
    ("spanclass", "u1"),  # as in ALLOC
    ("end", "u1"),  # End
)
STATE = aligned(  # an interval that a goroutine spends in one state
    ("start", "i8"),  # ns
    ("end", "i8"),  # ns; -1 open
    ("offset", "i8"),  # byte in the file, of the event that starts it
    ("g", "i8"),
    ("by_g", "i8"),  # goroutine whose event ends it: the waker, else g itself; -1 none
    ("m", "i8"),  # thread, of RUNNING and SYSCALL; -1 otherwise
    ("p_lost", "i8"),  # ns, when a system call's P was taken or released; -1 never, and for other states
    ("stack", "i4"),  # row of stacks, of the event that starts it
    ("by_stack", "i4"),  # row of stacks, of the event that ends it
    ("reason", "i4"),  # row of strings: why it waits, or was stopped; 0 none
    ("p", "i4"),  # proc at its start, of RUNNING and SYSCALL; -1 otherwise
    ("generation", "u4"),  # low 32 bits of its number, at its start
    ("life", "i4"),  # earlier lives of the goroutine's id
    ("state", "u1"),  # GoState
    ("next_state", "u1"),  # GoState; 0 open
    ("start_known", "u1"),  # 0: it started before start
)
GOROUTINE = aligned(  # a life of a goroutine; times in ns
    ("created", "i8"),
    ("started", "i8"),  # first RUNNING; -1 never
    ("ended", "i8"),  # -1 alive
    ("g", "i8"),
    ("creator_g", "i8"),  # -1 none, or not in the trace
    ("exec", "i8"),  # RUNNING
    ("sched", "i8"),  # RUNNABLE
    ("block", "i8"),  # WAITING
    ("syscall", "i8"),  # SYSCALL, with its P
    ("syscall_block", "i8"),  # SYSCALL, after it lost its P
    ("total", "i8"),  # from created to ended, or to the end of the trace
    ("unknown", "i8"),  # total less the five times above
    ("sched_max", "i8"),  # longest RUNNABLE interval
    ("starts", "i8"),  # RUNNING intervals
    ("assist", "i8"),  # in mark assists; this and the next two overlap the times above
    ("sweep", "i8"),  # in sweeps
    ("stw", "i8"),  # from requesting a stopped world to its restart
    ("function", "i4"),  # row of strings: where it starts; 0 no stack seen
    ("stack", "i4"),  # row of stacks, of its creator
    ("life", "i4"),  # earlier lives of this id
    ("state", "u1"),  # GoState, the last one
)
GOTIME = aligned(  # time of a goroutine by reason
    ("g", "i8"),
    ("life", "i4"),  # as in GOROUTINE
    ("kind", "u1"),  # TimeKind
    ("name", "i4"),  # row of strings: reason of the wait, or of the stopped world; 0 none
    ("time", "i8"),  # ns
    ("count", "i8"),
    ("start", "u1"),  # of a range, as in RANGE; 0 otherwise
)
REGIONTIME = aligned(  # a region; times in ns
    ("start", "i8"),  # -1 not seen
    ("end", "i8"),  # -1 not seen
    ("g", "i8"),
    ("task", "i8"),  # 0 the background task
    ("exec", "i8"),  # this and the next five as in GOROUTINE, within the region
    ("sched", "i8"),
    ("block", "i8"),
    ("syscall", "i8"),
    ("syscall_block", "i8"),
    ("total", "i8"),
    ("stack", "i4"),  # row of stacks, where it starts
    ("end_stack", "i4"),  # row of stacks, where it ends
    ("name", "i4"),  # row of strings
    ("depth", "i4"),  # regions around it
    ("inherited", "u1"),  # 1: of a goroutine that was created in a region of the task; it has no name
    ("end_kind", "u1"),  # RegionEnd
)
TASKTIME = aligned(
    ("start", "i8"),  # ns; -1 not seen
    ("end", "i8"),  # ns; -1 not seen
    ("task", "i8"),
    ("parent", "i8"),  # -1 none
    ("g", "i8"),  # that starts it; -1 not seen
    ("end_g", "i8"),  # that ends it; -1 not seen
    ("regions", "i4"),
    ("logs", "i4"),
    ("goroutines", "i4"),  # that start it, end it, log to it or have a region of it
    ("name", "i4"),  # row of strings
)
PAUSE = aligned(  # a stop-the-world; times in ns
    ("start", "i8"),  # when it was requested
    ("stopped", "i8"),  # when the last other proc stopped
    ("restarted", "i8"),  # when the first proc started again
    ("end", "i8"),  # -1 not in the trace
    ("g", "i8"),  # that requested it; -1 none
    ("m", "i8"),
    ("culprit_g", "i8"),  # that ran last on the last proc that stopped; -1 none
    ("culprit_m", "i8"),  # its thread; -1 none
    ("reason", "i4"),  # row of strings
    ("stack", "i4"),  # row of stacks, of the request
    ("culprit_stack", "i4"),  # row of stacks, where culprit_g was stopped
    ("p", "i4"),  # of the request; -1 none
    ("culprit_p", "i4"),  # the last proc that stopped; -1 none
    ("stop_kind", "u1"),  # StopKind
)
CYCLE = aligned(  # a mark phase
    ("start", "i8"),  # ns
    ("end", "i8"),  # ns; -1 open
    ("live_start", "i8"),  # bytes of live heap at its start; -1 unknown, here and in the next two
    ("live_end", "i8"),
    ("goal", "i8"),  # bytes, heap goal at its start
    ("assist", "i8"),  # ns of mark assists
    ("assists", "i8"),  # number of mark assists
    ("dedicated", "i8"),  # ns of dedicated workers
    ("fractional", "i8"),  # ns of fractional workers
    ("idle", "i8"),  # ns of idle workers
    ("swept", "i8"),  # bytes, until the next cycle
    ("reclaimed", "i8"),  # bytes, until the next cycle
    ("sweep_pause", "i4"),  # row of pauses: sweep termination; -1 none
    ("mark_pause", "i4"),  # row of pauses: mark termination; -1 none
    ("number", "i4"),  # from 0
)
PROC = aligned(  # use of a proc; times in ns
    ("id", "i8"),
    ("running", "i8"),  # of a goroutine
    ("idle", "i8"),
    ("syscall", "i8"),
    ("gc", "i8"),  # of a mark worker, an assist or a sweep; part of running
    ("starts", "i8"),
    ("steals", "i8"),
)
THREAD = aligned(  # use of a thread, as in PROC
    *((name, "i8") for name in PROC.names or ()),
)
U1 = npt.NDArray[np.uint8]
U4 = npt.NDArray[np.uint32]
U8 = npt.NDArray[np.uint64]
F8 = npt.NDArray[np.float64]
I8 = npt.NDArray[np.int64]
I4 = npt.NDArray[np.int32]
Rows = npt.NDArray[np.void]


def opaque(rows: Rows) -> Rows:
    """Return a view whose copies have the same bytes as the rows, padding included; numpy copies fields only."""
    return rows.view(f"V{rows.dtype.itemsize}")


def narrow(dtype: np.dtype[np.void], keep: list[str]) -> np.dtype[np.void]:
    """Return a row type with only the given fields, in that order."""
    if keep == list(dtype.names or ()):
        return dtype
    assert dtype.fields is not None
    return np.dtype([(name, dtype.fields[name][0]) for name in keep], align=True)


def select(rows: Rows, dtype: np.dtype[np.void], where: npt.NDArray[np.bool_] | None = None) -> Rows:
    """Return rows with only the fields of ``dtype``; with a mask, only its rows."""
    if where is None and rows.dtype == dtype:
        return rows
    chosen = np.zeros(len(rows) if where is None else np.count_nonzero(where), dtype)
    for name in dtype.names or ():
        chosen[name] = rows[name] if where is None else rows[name][where]
    return chosen
