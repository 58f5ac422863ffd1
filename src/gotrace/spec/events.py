"""The event table: one row defines an event type (FORMAT 5).

All other data about events is derived from these rows. Never here: behaviour.
"""

from __future__ import annotations

from typing import NamedTuple

from gotrace.spec.enums import EventKind as K
from gotrace.spec.rules import Rule as R

ALLOC_FREE = 1  # id of the experiment


class EventSpec(NamedTuple):
    """One type of event.

    Attributes
    ----------
    id : int
        The type byte: 1 to 52 for Go's own events, above 127 for those of experiments.
    name : str
        Go's name for it.
    args : tuple of str
        Argument names in wire order, as in Go: a suffix gives the type (``p_seq``, ``label_string``, ``stack``).
        The first one of a timed event is ``dt``.
    since : int
        First header version that defines it.
    kind : EventKind or None
        Kind of the event in Go's API; None for structural records.
    start : int
        Type of the event that starts what this one ends or continues; 0 if none.
    experiment : int
        Id of its experiment; 0 for Go's own events.
    rule : Rule
        Rule of the state machine that orders it; not used for experiments, whose ``needs`` apply.
    creates : str
        What it may add to the state, separated by spaces: goroutine, proc, thread, range, region, task, name.
    frames, data : bool
        True if stack frames, or a byte count and bytes, follow the arguments.
    """

    id: int
    name: str
    args: tuple[str, ...]
    since: int = 22
    kind: K | None = None
    start: int = 0
    experiment: int = 0
    rule: R = R.NONE
    creates: str = ""
    frames: bool = False
    data: bool = False

    @property
    def timed(self) -> bool:
        """True if it appears in event batches, with a time of its own."""
        return self.args[:1] == ("dt",) and self.kind is not None

    @property
    def arg_names(self) -> tuple[str, ...]:
        """Names of the arguments without the time."""
        return self.args[1:] if self.timed else self.args


EVENTS: tuple[EventSpec, ...] = (
    EventSpec(1, "EventBatch", ("gen", "m", "time", "size")),
    EventSpec(2, "Stacks", ()),
    EventSpec(3, "Stack", ("id", "nframes"), frames=True),
    EventSpec(4, "Strings", ()),
    EventSpec(5, "String", ("id",), data=True),
    EventSpec(6, "CPUSamples", ()),
    EventSpec(7, "CPUSample", ("time", "m", "p", "g", "stack"), kind=K.STACK_SAMPLE),
    EventSpec(8, "Frequency", ("freq",)),
    EventSpec(9, "ProcsChange", ("dt", "procs_value", "stack"), kind=K.METRIC, rule=R.USER),
    EventSpec(10, "ProcStart", ("dt", "p", "p_seq"), kind=K.STATE_TRANSITION, rule=R.PROC_START),
    EventSpec(11, "ProcStop", ("dt",), kind=K.STATE_TRANSITION, rule=R.PROC_STOP),
    EventSpec(12, "ProcSteal", ("dt", "p", "p_seq", "m"), kind=K.STATE_TRANSITION, rule=R.PROC_STEAL),
    EventSpec(13, "ProcStatus", ("dt", "p", "pstatus"), kind=K.STATE_TRANSITION, rule=R.PROC_STATUS, creates="proc"),
    EventSpec(
        14,
        "GoCreate",
        ("dt", "new_g", "new_stack", "stack"),
        kind=K.STATE_TRANSITION,
        rule=R.GO_CREATE,
        creates="goroutine",
    ),
    EventSpec(
        15, "GoCreateSyscall", ("dt", "new_g"), kind=K.STATE_TRANSITION, rule=R.GO_CREATE_SYSCALL, creates="goroutine"
    ),
    EventSpec(16, "GoStart", ("dt", "g", "g_seq"), kind=K.STATE_TRANSITION, rule=R.GO_START),
    EventSpec(17, "GoDestroy", ("dt",), kind=K.STATE_TRANSITION, rule=R.GO_LEAVE),
    EventSpec(18, "GoDestroySyscall", ("dt",), kind=K.STATE_TRANSITION, rule=R.GO_DESTROY_SYSCALL),
    EventSpec(19, "GoStop", ("dt", "reason_string", "stack"), kind=K.STATE_TRANSITION, rule=R.GO_LEAVE),
    EventSpec(20, "GoBlock", ("dt", "reason_string", "stack"), kind=K.STATE_TRANSITION, rule=R.GO_LEAVE),
    EventSpec(21, "GoUnblock", ("dt", "g", "g_seq", "stack"), kind=K.STATE_TRANSITION, rule=R.GO_UNBLOCK),
    EventSpec(22, "GoSyscallBegin", ("dt", "p_seq", "stack"), kind=K.STATE_TRANSITION, rule=R.GO_SYSCALL_BEGIN),
    EventSpec(23, "GoSyscallEnd", ("dt",), kind=K.STATE_TRANSITION, start=22, rule=R.GO_SYSCALL_END),
    EventSpec(24, "GoSyscallEndBlocked", ("dt",), kind=K.STATE_TRANSITION, start=22, rule=R.GO_SYSCALL_END_BLOCKED),
    EventSpec(
        25,
        "GoStatus",
        ("dt", "g", "m", "gstatus"),
        kind=K.STATE_TRANSITION,
        rule=R.GO_STATUS,
        creates="goroutine thread",
    ),
    EventSpec(
        26, "STWBegin", ("dt", "kind_string", "stack"), kind=K.RANGE_BEGIN, rule=R.GO_RANGE_BEGIN, creates="range name"
    ),
    EventSpec(27, "STWEnd", ("dt",), kind=K.RANGE_END, start=26, rule=R.GO_RANGE_END),
    EventSpec(28, "GCActive", ("dt", "gc_seq"), kind=K.RANGE_ACTIVE, start=29, rule=R.GC_ACTIVE),
    EventSpec(29, "GCBegin", ("dt", "gc_seq", "stack"), kind=K.RANGE_BEGIN, rule=R.GC_BEGIN),
    EventSpec(30, "GCEnd", ("dt", "gc_seq"), kind=K.RANGE_END, start=29, rule=R.GC_END),
    EventSpec(
        31, "GCSweepActive", ("dt", "p"), kind=K.RANGE_ACTIVE, start=32, rule=R.PROC_RANGE_ACTIVE, creates="range"
    ),
    EventSpec(32, "GCSweepBegin", ("dt", "stack"), kind=K.RANGE_BEGIN, rule=R.PROC_RANGE_BEGIN, creates="range"),
    EventSpec(
        33, "GCSweepEnd", ("dt", "swept_value", "reclaimed_value"), kind=K.RANGE_END, start=32, rule=R.PROC_RANGE_END
    ),
    EventSpec(
        34, "GCMarkAssistActive", ("dt", "g"), kind=K.RANGE_ACTIVE, start=35, rule=R.GO_RANGE_ACTIVE, creates="range"
    ),
    EventSpec(35, "GCMarkAssistBegin", ("dt", "stack"), kind=K.RANGE_BEGIN, rule=R.GO_RANGE_BEGIN, creates="range"),
    EventSpec(36, "GCMarkAssistEnd", ("dt",), kind=K.RANGE_END, start=35, rule=R.GO_RANGE_END),
    EventSpec(37, "HeapAlloc", ("dt", "heapalloc_value"), kind=K.METRIC, rule=R.ON_PROC),
    EventSpec(38, "HeapGoal", ("dt", "heapgoal_value"), kind=K.METRIC, rule=R.ON_PROC),
    EventSpec(39, "GoLabel", ("dt", "label_string"), kind=K.LABEL, rule=R.USER),
    EventSpec(
        40,
        "UserTaskBegin",
        ("dt", "task", "parent_task", "name_string", "stack"),
        kind=K.TASK_BEGIN,
        rule=R.TASK_BEGIN,
        creates="task name",
    ),
    EventSpec(41, "UserTaskEnd", ("dt", "task", "stack"), kind=K.TASK_END, rule=R.TASK_END),
    EventSpec(
        42,
        "UserRegionBegin",
        ("dt", "task", "name_string", "stack"),
        kind=K.REGION_BEGIN,
        rule=R.REGION_BEGIN,
        creates="region name",
    ),
    EventSpec(
        43,
        "UserRegionEnd",
        ("dt", "task", "name_string", "stack"),
        kind=K.REGION_END,
        start=42,
        rule=R.REGION_END,
        creates="name",
    ),
    EventSpec(44, "UserLog", ("dt", "task", "key_string", "value_string", "stack"), kind=K.LOG, rule=R.USER),
    EventSpec(45, "GoSwitch", ("dt", "g", "g_seq"), since=23, kind=K.STATE_TRANSITION, rule=R.GO_SWITCH),
    EventSpec(46, "GoSwitchDestroy", ("dt", "g", "g_seq"), since=23, kind=K.STATE_TRANSITION, rule=R.GO_SWITCH),
    EventSpec(
        47,
        "GoCreateBlocked",
        ("dt", "new_g", "new_stack", "stack"),
        since=23,
        kind=K.STATE_TRANSITION,
        rule=R.GO_CREATE,
        creates="goroutine",
    ),
    EventSpec(
        48,
        "GoStatusStack",
        ("dt", "g", "m", "gstatus", "stack"),
        since=23,
        kind=K.STATE_TRANSITION,
        rule=R.GO_STATUS,
        creates="goroutine thread",
    ),
    EventSpec(49, "ExperimentalBatch", ("exp", "gen", "m", "time"), since=23, data=True),
    EventSpec(50, "Sync", (), since=25),
    EventSpec(51, "ClockSnapshot", ("dt", "mono", "sec", "nsec"), since=25),
    EventSpec(52, "EndOfGeneration", (), since=26),
)


BY_ID: dict[int, EventSpec] = {event.id: event for event in EVENTS}
"""Go's own events by wire type."""


def _alloc_free(id: int, name: str, *args: str) -> EventSpec:
    return EventSpec(id, name, ("dt", "id", *args), since=23, kind=K.EXPERIMENTAL, experiment=ALLOC_FREE)


ALLOC_FREE_EVENTS = (
    _alloc_free(128, "Span", "npages_value", "kindclass"),
    _alloc_free(129, "SpanAlloc", "npages_value", "kindclass"),
    _alloc_free(130, "SpanFree"),
    _alloc_free(131, "HeapObject", "type"),
    _alloc_free(132, "HeapObjectAlloc", "type"),
    _alloc_free(133, "HeapObjectFree"),
    _alloc_free(134, "GoroutineStack", "order"),
    _alloc_free(135, "GoroutineStackAlloc", "order"),
    _alloc_free(136, "GoroutineStackFree"),
)

METRICS = {
    "ProcsChange": "/sched/gomaxprocs:threads",
    "HeapAlloc": "/memory/classes/heap/objects:bytes",
    "HeapGoal": "/gc/heap/goal:bytes",
}
"""Names of the metrics in Go's API, by event."""

RANGES = {
    "STWBegin": "stop-the-world (",  # followed by the reason and a closing parenthesis
    "GCBegin": "GC concurrent mark phase",
    "GCSweepBegin": "GC incremental sweep",
    "GCMarkAssistBegin": "GC mark assist",
}
"""Names of the ranges in Go's API, by the event that starts them."""

ATTRIBUTES = {"GCSweepEnd": ("bytes swept", "bytes reclaimed")}
"""Names of the values measured at the end of a range, by event."""
