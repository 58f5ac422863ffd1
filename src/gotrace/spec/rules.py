"""Names of the ordering rules; ``order/machine.py`` implements them, each in the method of that name.

Never here: behaviour.
"""

from enum import IntEnum


class Rule(IntEnum):
    """Rule by which the state machine orders an event."""

    NONE = 0  # not an event of a thread
    EXPERIMENT = 1
    PROC_STATUS = 2
    PROC_START = 3
    PROC_STOP = 4
    PROC_STEAL = 5
    GO_STATUS = 6
    GO_CREATE = 7
    GO_CREATE_SYSCALL = 8
    GO_START = 9
    GO_LEAVE = 10  # stop, block, destroy
    GO_UNBLOCK = 11
    GO_SWITCH = 12
    GO_SYSCALL_BEGIN = 13
    GO_SYSCALL_END = 14
    GO_SYSCALL_END_BLOCKED = 15
    GO_DESTROY_SYSCALL = 16
    GO_RANGE_BEGIN = 17
    GO_RANGE_ACTIVE = 18
    GO_RANGE_END = 19
    PROC_RANGE_BEGIN = 20
    PROC_RANGE_ACTIVE = 21
    PROC_RANGE_END = 22
    GC_BEGIN = 23
    GC_ACTIVE = 24
    GC_END = 25
    USER = 26  # needs thread, proc and goroutine; changes nothing
    ON_PROC = 27  # needs thread and proc; changes nothing
    TASK_BEGIN = 28
    TASK_END = 29
    REGION_BEGIN = 30
    REGION_END = 31
