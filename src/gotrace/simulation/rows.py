"""Row types and enums of the simulated runtime. Never here: computation."""

from __future__ import annotations

from enum import IntEnum

from gotrace.dtypes import aligned

SIM_M = aligned(
    ("id", "i8"),
    ("base", "u8"),  # clock units: time of the batch in its buffer
    ("last", "u8"),  # of its latest event
    ("g", "i4"),  # row of SIM_G, -1 none
    ("p", "i4"),  # row of SIM_P, -1 none
    ("at", "i4"),  # bytes in its buffer
    ("next", "i4"),  # of a list of threads: of those that park, or of those in system calls
)
SIM_P = aligned(
    ("seq", "i8"),  # of its latest event with a number
    ("told", "i8"),  # generation in which its status stands
    ("tiny", "u8"),  # address of the slot in which its tiny objects lie, 0 none
    ("tiny_at", "i4"),  # bytes of it that are taken
    ("m", "i4"),  # row of SIM_M that holds it, -1 none
    ("place", "i4"),  # among those that run
    ("cycle", "i4"),  # of the collector, as far as its cached spans know
    ("state", "i4"),  # ProcStatus
)
SIM_G = aligned(
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
SIM_SPAN = aligned(
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


class Action(IntEnum):
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


class SimulatedAnomaly(IntEnum):
    """Anomalies of real traces (FORMAT 9.9) that the simulated runtime is asked for, as bits."""

    TIMES_AHEAD = 1
    SNAPSHOT_INTERLEAVED = 2
    OUTSIDE_PROC = 4
    WRONG_STATUS = 8
    DROPPED = 16
    NEXT_GENERATION = 32
    UNDER_WAY = 64
    IMPLICIT_FREE = 128


class Param(IntEnum):
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


class Tally(IntEnum):
    """Columns of what a simulated trace tells of each type."""

    ALLOCS = 0
    ALLOC_BYTES = 1
    FREES = 2
    FREE_BYTES = 3
    START = 4
    START_BYTES = 5
