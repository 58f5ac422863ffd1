"""The event table: one row says everything about an event type, once (FORMAT 5).

Everything else about events is derived from these rows. Never here: behaviour.
"""

from __future__ import annotations

from dataclasses import dataclass

from gotrace.spec.enums import EventKind as K

ALLOC_FREE = 1  # number of the experiment


@dataclass(frozen=True, slots=True)
class EventSpec:
    """One type of event.

    Attributes
    ----------
    id : int
        The type byte; 1 to 52 belong to Go, an experiment's are above 127.
    name : str
        Go's name of it.
    args : tuple of str
        Argument names in wire order, as Go writes them: a suffix tells what they are (``p_seq``,
        ``label_string``, ``stack``). A timed event's first one is ``dt``.
    since : int
        First header version that may hold it.
    kind : EventKind or None
        What Go's API makes of it; None for structure.
    start : int
        Type of the event that begins what this one ends or continues; 0 if none.
    experiment : int
        Number of the experiment it belongs to; 0 for Go's own.
    frames, data : bool
        Whether stack frames, or counted bytes, follow the arguments.
    """

    id: int
    name: str
    args: tuple[str, ...]
    since: int = 22
    kind: K | None = None
    start: int = 0
    experiment: int = 0
    frames: bool = False
    data: bool = False

    @property
    def timed(self) -> bool:
        """Whether it stands in event batches, with a time of its own."""
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
    EventSpec(9, "ProcsChange", ("dt", "procs_value", "stack"), kind=K.METRIC),
    EventSpec(10, "ProcStart", ("dt", "p", "p_seq"), kind=K.STATE_TRANSITION),
    EventSpec(11, "ProcStop", ("dt",), kind=K.STATE_TRANSITION),
    EventSpec(12, "ProcSteal", ("dt", "p", "p_seq", "m"), kind=K.STATE_TRANSITION),
    EventSpec(13, "ProcStatus", ("dt", "p", "pstatus"), kind=K.STATE_TRANSITION),
    EventSpec(14, "GoCreate", ("dt", "new_g", "new_stack", "stack"), kind=K.STATE_TRANSITION),
    EventSpec(15, "GoCreateSyscall", ("dt", "new_g"), kind=K.STATE_TRANSITION),
    EventSpec(16, "GoStart", ("dt", "g", "g_seq"), kind=K.STATE_TRANSITION),
    EventSpec(17, "GoDestroy", ("dt",), kind=K.STATE_TRANSITION),
    EventSpec(18, "GoDestroySyscall", ("dt",), kind=K.STATE_TRANSITION),
    EventSpec(19, "GoStop", ("dt", "reason_string", "stack"), kind=K.STATE_TRANSITION),
    EventSpec(20, "GoBlock", ("dt", "reason_string", "stack"), kind=K.STATE_TRANSITION),
    EventSpec(21, "GoUnblock", ("dt", "g", "g_seq", "stack"), kind=K.STATE_TRANSITION),
    EventSpec(22, "GoSyscallBegin", ("dt", "p_seq", "stack"), kind=K.STATE_TRANSITION),
    EventSpec(23, "GoSyscallEnd", ("dt",), kind=K.STATE_TRANSITION, start=22),
    EventSpec(24, "GoSyscallEndBlocked", ("dt",), kind=K.STATE_TRANSITION, start=22),
    EventSpec(25, "GoStatus", ("dt", "g", "m", "gstatus"), kind=K.STATE_TRANSITION),
    EventSpec(26, "STWBegin", ("dt", "kind_string", "stack"), kind=K.RANGE_BEGIN),
    EventSpec(27, "STWEnd", ("dt",), kind=K.RANGE_END, start=26),
    EventSpec(28, "GCActive", ("dt", "gc_seq"), kind=K.RANGE_ACTIVE, start=29),
    EventSpec(29, "GCBegin", ("dt", "gc_seq", "stack"), kind=K.RANGE_BEGIN),
    EventSpec(30, "GCEnd", ("dt", "gc_seq"), kind=K.RANGE_END, start=29),
    EventSpec(31, "GCSweepActive", ("dt", "p"), kind=K.RANGE_ACTIVE, start=32),
    EventSpec(32, "GCSweepBegin", ("dt", "stack"), kind=K.RANGE_BEGIN),
    EventSpec(33, "GCSweepEnd", ("dt", "swept_value", "reclaimed_value"), kind=K.RANGE_END, start=32),
    EventSpec(34, "GCMarkAssistActive", ("dt", "g"), kind=K.RANGE_ACTIVE, start=35),
    EventSpec(35, "GCMarkAssistBegin", ("dt", "stack"), kind=K.RANGE_BEGIN),
    EventSpec(36, "GCMarkAssistEnd", ("dt",), kind=K.RANGE_END, start=35),
    EventSpec(37, "HeapAlloc", ("dt", "heapalloc_value"), kind=K.METRIC),
    EventSpec(38, "HeapGoal", ("dt", "heapgoal_value"), kind=K.METRIC),
    EventSpec(39, "GoLabel", ("dt", "label_string"), kind=K.LABEL),
    EventSpec(40, "UserTaskBegin", ("dt", "task", "parent_task", "name_string", "stack"), kind=K.TASK_BEGIN),
    EventSpec(41, "UserTaskEnd", ("dt", "task", "stack"), kind=K.TASK_END),
    EventSpec(42, "UserRegionBegin", ("dt", "task", "name_string", "stack"), kind=K.REGION_BEGIN),
    EventSpec(43, "UserRegionEnd", ("dt", "task", "name_string", "stack"), kind=K.REGION_END, start=42),
    EventSpec(44, "UserLog", ("dt", "task", "key_string", "value_string", "stack"), kind=K.LOG),
    EventSpec(45, "GoSwitch", ("dt", "g", "g_seq"), since=23, kind=K.STATE_TRANSITION),
    EventSpec(46, "GoSwitchDestroy", ("dt", "g", "g_seq"), since=23, kind=K.STATE_TRANSITION),
    EventSpec(47, "GoCreateBlocked", ("dt", "new_g", "new_stack", "stack"), since=23, kind=K.STATE_TRANSITION),
    EventSpec(48, "GoStatusStack", ("dt", "g", "m", "gstatus", "stack"), since=23, kind=K.STATE_TRANSITION),
    EventSpec(49, "ExperimentalBatch", ("exp", "gen", "m", "time"), since=23, data=True),
    EventSpec(50, "Sync", (), since=25),
    EventSpec(51, "ClockSnapshot", ("dt", "mono", "sec", "nsec"), since=25),
    EventSpec(52, "EndOfGeneration", (), since=26),
)

ALLOC_FREE_EVENTS: tuple[EventSpec, ...] = (
    EventSpec(
        128, "Span", ("dt", "id", "npages_value", "kindclass"), since=23, kind=K.EXPERIMENTAL, experiment=ALLOC_FREE
    ),
    EventSpec(
        129,
        "SpanAlloc",
        ("dt", "id", "npages_value", "kindclass"),
        since=23,
        kind=K.EXPERIMENTAL,
        experiment=ALLOC_FREE,
    ),
    EventSpec(130, "SpanFree", ("dt", "id"), since=23, kind=K.EXPERIMENTAL, experiment=ALLOC_FREE),
    EventSpec(131, "HeapObject", ("dt", "id", "type"), since=23, kind=K.EXPERIMENTAL, experiment=ALLOC_FREE),
    EventSpec(132, "HeapObjectAlloc", ("dt", "id", "type"), since=23, kind=K.EXPERIMENTAL, experiment=ALLOC_FREE),
    EventSpec(133, "HeapObjectFree", ("dt", "id"), since=23, kind=K.EXPERIMENTAL, experiment=ALLOC_FREE),
    EventSpec(134, "GoroutineStack", ("dt", "id", "order"), since=23, kind=K.EXPERIMENTAL, experiment=ALLOC_FREE),
    EventSpec(135, "GoroutineStackAlloc", ("dt", "id", "order"), since=23, kind=K.EXPERIMENTAL, experiment=ALLOC_FREE),
    EventSpec(136, "GoroutineStackFree", ("dt", "id"), since=23, kind=K.EXPERIMENTAL, experiment=ALLOC_FREE),
)
