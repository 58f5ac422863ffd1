"""Row types and enums of the simulated runtime. Never here: computation."""

from __future__ import annotations

from enum import IntEnum

from gotrace.dtypes import aligned

SIM_M = aligned(
    ("id", "i8"),
    ("base", "u8"),  # clock units: time of the batch in its buffer
    ("last", "u8"),  # clock units: time of its latest event
    ("g", "i4"),  # row of SIM_G, -1 none
    ("p", "i4"),  # row of SIM_P, -1 none
    ("at", "i4"),  # bytes in its buffer
    ("next", "i4"),  # next thread in the list of parked threads, or of threads in system calls
)
SIM_P = aligned(
    ("seq", "i8"),  # sequence number of its latest event
    ("reported", "i8"),  # latest generation that has its status
    ("tiny", "u8"),  # address of its slot of tiny objects, 0 none
    ("tiny_at", "i4"),  # used bytes of that slot
    ("m", "i4"),  # row of its thread in SIM_M, -1 none
    ("place", "i4"),  # index in the list of busy procs
    ("cycle", "i4"),  # of the collector, when its cached spans were swept last
    ("state", "i4"),  # ProcStatus
)
SIM_G = aligned(
    ("id", "i8"),
    ("seq", "i8"),  # sequence number of its latest event
    ("reported", "i8"),  # latest generation that has its status
    ("m", "i4"),  # row of SIM_M, -1 none
    ("span", "i4"),  # row of its stack's span in SIM_SPAN, -1 none
    ("slot", "i4"),  # slot of the stack in that span
    ("order", "i4"),  # bit length of its stack's size, 0 without a stack
    ("next", "i4"),  # next goroutine in its list, -1 none
    ("state", "i4"),  # GoStatus
)
SIM_SPAN = aligned(
    ("live", "u8", (16,)),  # a bit for each slot that has an object
    ("old", "u8", (16,)),  # the same at the last sweep
    ("page", "i8"),
    ("pages", "i8"),
    ("elem", "i8"),  # bytes of a slot
    ("cells", "i8"),  # index of the first object's birth and type
    ("slots", "i4"),
    ("taken", "i4"),  # slots with an object
    ("look", "i4"),  # no slot before this one is free
    ("spanclass", "i4"),  # 254 manual, -1 no span
    ("cycle", "i4"),  # of the collector, when the span was swept last
    ("next", "i4"),  # next span in its list, -1 none
)


class Action(IntEnum):
    """Actions of a simulated goroutine, other than an allocation."""

    BLOCK = 0
    UNBLOCK = 1
    STOP = 2
    CREATE = 3
    DESTROY = 4
    SYSCALL = 5  # short: the proc stays with the thread
    LONG_SYSCALL = 6  # the proc may be stolen
    SWITCH = 7
    GROW_STACK = 8
    ASSIST = 9  # only while the collector marks
    LIVE_HEAP = 10  # a HeapAlloc event alone


class Reason(IntEnum):
    """Ids of the strings of a simulated trace."""

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


class SimulatedAnomaly(IntEnum):
    """Anomalies of real traces (FORMAT 9.9) that the simulated runtime reproduces, as bits."""

    TIMES_AHEAD = 1
    SNAPSHOT_INTERLEAVED = 2
    OUTSIDE_PROC = 4
    WRONG_STATUS = 8
    DROPPED = 16
    NEXT_GENERATION = 32
    UNDER_WAY = 64
    IMPLICIT_FREE = 128


class Param(IntEnum):
    """Indices of the parameters of a simulated program; shares are in units of 1/65536."""

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
    """Indices of the readings of a simulated runtime."""

    NOW = 0  # clock units
    EVENTS = 1
    GEN = 2
    OUT = 3  # bytes in the output
    N_SPANS = 4  # rows of this table in use or on its free list; so are the next four
    N_PAGES = 5
    N_CELLS = 6
    N_GOROUTINES = 7
    N_TYPE_IDS = 8
    CYCLES = 9  # of the collector
    STARTED = 10  # clock units: start of the session
    LIVE_BYTES = 11
    LIVE_OBJECTS = 12
    LATE = 13  # rows of objects freed after the requested time
    TRACED_EVENTS = 14  # events of this session


class Tally(IntEnum):
    """Columns of a simulated trace's counts by type."""

    ALLOCS = 0
    ALLOC_BYTES = 1
    FREES = 2
    FREE_BYTES = 3
    START = 4
    START_BYTES = 5
