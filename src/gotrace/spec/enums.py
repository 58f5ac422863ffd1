"""Enums: statuses and event types on the wire, and the kinds and states of Go's API. Never here: behaviour."""

from enum import IntEnum


class EventKind(IntEnum):
    """Go's EventKind (FORMAT 6.3)."""

    BAD = 0
    SYNC = 1
    METRIC = 2
    LABEL = 3
    STACK_SAMPLE = 4
    RANGE_BEGIN = 5
    RANGE_ACTIVE = 6
    RANGE_END = 7
    TASK_BEGIN = 8
    TASK_END = 9
    REGION_BEGIN = 10
    REGION_END = 11
    LOG = 12
    STATE_TRANSITION = 13
    EXPERIMENTAL = 14


class GoStatus(IntEnum):
    """Status of a goroutine on the wire (FORMAT 6.1); FREE is gotrace's own, for an unused row."""

    BAD = 0
    RUNNABLE = 1
    RUNNING = 2
    SYSCALL = 3
    WAITING = 4
    FREE = 255


class ProcStatus(IntEnum):
    """Status of a proc on the wire."""

    BAD = 0
    RUNNING = 1
    IDLE = 2
    SYSCALL = 3
    SYSCALL_ABANDONED = 4


class GoState(IntEnum):
    """Go's GoState (FORMAT 6.2)."""

    UNDETERMINED = 0
    NOT_EXIST = 1
    RUNNABLE = 2
    RUNNING = 3
    WAITING = 4
    SYSCALL = 5


class ProcState(IntEnum):
    """Go's ProcState."""

    UNDETERMINED = 0
    NOT_EXIST = 1
    RUNNING = 2
    IDLE = 3


class Resource(IntEnum):
    """Go's ResourceKind: the subject of a transition or a range."""

    NONE = 0
    GOROUTINE = 1
    PROC = 2
    THREAD = 3


class OrderAnomaly(IntEnum):
    """Anomalies that the ordering tolerates with a warning (FORMAT 11.2), or corrects when salvaging (FORMAT 9.9.4)."""

    PROC_STATUS_REPEATED = 0
    GO_STATUS_REPEATED = 1
    PROC_TWICE = 2
    GO_TWICE = 3
    PROC_CORRECTED = 4
    UNKNOWN_STACK = 5
    UNKNOWN_STRING = 6
    REGION_NOT_INNERMOST = 7
    REGION_NOT_OPEN = 8
    TASK_STARTS_TWICE = 9


class GCPhase(IntEnum):
    """State of the concurrent mark phase during the ordering."""

    UNDETERMINED = 0
    NOT_RUNNING = 1
    RUNNING = 2


class EventType(IntEnum):
    """Wire types that kernels use by name; SYNC is synthetic."""

    EVENT_BATCH = 1
    STACKS = 2
    STACK = 3
    STRINGS = 4
    STRING = 5
    CPU_SAMPLES = 6
    CPU_SAMPLE = 7
    FREQUENCY = 8
    PROCS_CHANGE = 9
    PROC_START = 10
    PROC_STOP = 11
    PROC_STEAL = 12
    PROC_STATUS = 13
    GO_CREATE = 14
    GO_CREATE_SYSCALL = 15
    GO_START = 16
    GO_DESTROY = 17
    GO_DESTROY_SYSCALL = 18
    GO_STOP = 19
    GO_BLOCK = 20
    GO_UNBLOCK = 21
    GO_SYSCALL_BEGIN = 22
    GO_SYSCALL_END = 23
    GO_SYSCALL_END_BLOCKED = 24
    GO_STATUS = 25
    STW_BEGIN = 26
    STW_END = 27
    GC_ACTIVE = 28
    GC_BEGIN = 29
    GC_END = 30
    GC_SWEEP_BEGIN = 32
    GC_SWEEP_END = 33
    GC_MARK_ASSIST_BEGIN = 35
    GC_MARK_ASSIST_END = 36
    HEAP_ALLOC = 37
    HEAP_GOAL = 38
    GO_LABEL = 39
    GO_SWITCH = 45
    GO_SWITCH_DESTROY = 46
    GO_CREATE_BLOCKED = 47
    GO_STATUS_STACK = 48
    EXPERIMENTAL_BATCH = 49
    SYNC_BATCH = 50
    CLOCK_SNAPSHOT = 51
    END_OF_GENERATION = 52
    SPAN = 128
    SPAN_ALLOC = 129
    SPAN_FREE = 130
    HEAP_OBJECT = 131
    HEAP_OBJECT_ALLOC = 132
    HEAP_OBJECT_FREE = 133
    GOROUTINE_STACK = 134
    GOROUTINE_STACK_ALLOC = 135
    GOROUTINE_STACK_FREE = 136
    SYNC = 255


STARTS_G = (
    EventType.GO_CREATE_SYSCALL,
    EventType.GO_START,
    EventType.GO_SWITCH,
    EventType.GO_SWITCH_DESTROY,
)
"""Events after which their thread runs the goroutine in their first argument."""

STOPS_G = (EventType.GO_DESTROY, EventType.GO_STOP, EventType.GO_BLOCK)
"""Events after which their thread runs no goroutine."""

CHANGES_CONTEXT = (
    EventType.PROC_START,
    EventType.PROC_STOP,
    EventType.PROC_STEAL,
    EventType.PROC_STATUS,
    EventType.GO_DESTROY_SYSCALL,
    EventType.GO_SYSCALL_BEGIN,
    EventType.GO_SYSCALL_END,
    EventType.GO_SYSCALL_END_BLOCKED,
    EventType.GO_STATUS,
    EventType.GO_STATUS_STACK,
)
"""Events that change their thread's goroutine or proc in any other way."""
