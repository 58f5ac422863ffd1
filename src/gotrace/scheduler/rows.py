"""Row types of what is live while the scheduling tables are made. Never here: computation.

Row 0 of each table means none. Names are numbers of the machine's names; 0 none.
"""

from __future__ import annotations

from enum import IntEnum

from gotrace.dtypes import PAUSE, aligned

LIFE = aligned(  # a live goroutine, and its current interval; times in ns
    ("id", "i8"),
    ("created", "i8"),
    ("started", "i8"),
    ("creator", "i8"),
    ("since", "i8"),  # start of the interval
    ("offset", "i8"),
    ("m", "i8"),
    ("p_lost", "i8"),
    ("exec", "u8"),
    ("sched", "u8"),
    ("block", "u8"),
    ("syscall", "u8"),
    ("syscall_block", "u8"),
    ("sched_max", "u8"),
    ("starts", "u8"),
    ("stack", "i4"),
    ("reason", "i4"),  # name
    ("p", "i4"),
    ("generation", "u4"),
    ("life", "i4"),
    ("function", "i4"),  # name
    ("creator_stack", "i4"),
    ("regions", "i4"),  # innermost row of WORK; of an unused row the next unused one
    ("n_regions", "i4"),
    ("sums", "i4"),  # last row of SUM
    ("n_sums", "i4"),
    ("p_row", "i4"),  # row of PROC_USE, of RUNNING and SYSCALL
    ("m_row", "i4"),  # row of THREAD_USE, likewise
    ("state", "u1"),  # GoState; 0: unused
    ("start_known", "u1"),
    ("over", "u1"),  # 1: it waits forever
    ("assists", "u1"),  # 1: it is in a mark assist
    ("worker", "u1"),  # NameRole: label of a mark worker since it runs
)
SUM = aligned(  # time of a live goroutine by reason, or in ranges of one kind
    ("key", "u8"),
    ("time", "u8"),
    ("count", "i8"),
    ("since", "i8"),  # ns, start of the open range; -1 none
    ("name", "i4"),
    ("next", "i4"),  # of the goroutine; of an unused row the next unused one
    ("pause", "i4"),  # open row of PAUSE
    ("start", "u1"),  # type of the event that starts the range; 0 of a wait
)
WORK = aligned(  # an open region, with the goroutine's times at its start
    ("start", "i8"),
    ("task", "i8"),
    ("exec", "u8"),
    ("sched", "u8"),
    ("block", "u8"),
    ("syscall", "u8"),
    ("syscall_block", "u8"),
    ("name", "i4"),
    ("stack", "i4"),
    ("next", "i4"),  # the region around it; of an unused row the next unused one
    ("depth", "i4"),
    ("inherited", "u1"),
)
OPEN_TASK = aligned(
    ("id", "i8"),
    ("start", "i8"),
    ("parent", "i8"),
    ("g", "i8"),
    ("name", "i4"),
    ("regions", "i4"),
    ("logs", "i4"),
    ("goroutines", "i4"),
    ("members", "i4"),  # last row of MEMBER; of an unused row the next unused one
    ("used", "u1"),
)
MEMBER = aligned(  # a live goroutine counts for an active task
    ("task", "i4"),
    ("life", "i4"),
    ("next_of_task", "i4"),
    ("prev_of_task", "i4"),
    ("next_of_life", "i4"),  # of an unused row the next unused one
    ("prev_of_life", "i4"),
)
OPEN_PAUSE = aligned(  # a pause, and the number of the cycle in which it starts; of an unused row the next unused one
    *((name, PAUSE[name].str) for name in PAUSE.names or ()),
    ("cycle", "i4"),
)
PROC_USE = aligned(  # a proc; times in ns
    ("id", "i8"),
    ("since", "i8"),  # until when its time is counted
    ("started", "i8"),  # when it last started to run
    ("last_g", "i8"),  # that ran on it last
    ("sweeper", "i8"),  # goroutine that started the open sweep
    ("running", "u8"),
    ("idle", "u8"),
    ("syscall", "u8"),
    ("gc", "u8"),
    ("starts", "i8"),
    ("steals", "i8"),
    ("last_stack", "i4"),  # where last_g stopped
    ("m_row", "i4"),  # row of THREAD_USE: thread that has it
    ("in_syscall", "i4"),  # row of LIFE that is in a system call with it
    ("state", "u1"),  # ProcState
    ("last_kind", "u1"),  # StopKind: how last_g stopped
    ("marks", "u1"),  # 1: its goroutine assists or is a mark worker
    ("sweeps", "u1"),
)
THREAD_USE = aligned(  # a thread; times in ns
    ("id", "i8"),
    ("since", "i8"),  # -1 not seen since the last gap
    ("known", "u8"),  # time before the last gap
    ("running", "u8"),
    ("syscall", "u8"),
    ("gc", "u8"),
    ("starts", "i8"),
    ("steals", "i8"),
)
NAMED = aligned(  # a name of the machine, as the tables use it
    ("row", "i4"),  # of strings, where it is first used; 0 not used
    ("role", "u1"),  # NameRole
)


class NameRole(IntEnum):
    """Meaning of a name."""

    NONE = 0
    FOREVER = 1
    PREEMPTED = 2
    SWEEP_TERMINATION = 3
    MARK_TERMINATION = 4
    DEDICATED = 5
    FRACTIONAL = 6
    IDLE = 7
    SYSTEM = 8


class SumKind(IntEnum):
    """Last two bits of the key of a row of SUM; before them are the name, and the row of LIFE."""

    WAIT = 0
    STW = 1
    SWEEP = 2
    ASSIST = 3


NAME_ROLES = {
    "forever": NameRole.FOREVER,
    "preempted": NameRole.PREEMPTED,
    "GC sweep termination": NameRole.SWEEP_TERMINATION,
    "GC mark termination": NameRole.MARK_TERMINATION,
    "GC (dedicated)": NameRole.DEDICATED,
    "GC (fractional)": NameRole.FRACTIONAL,
    "GC (idle)": NameRole.IDLE,
}
"""Roles of whole names; functions of the runtime other than ``runtime.main`` are SYSTEM."""
